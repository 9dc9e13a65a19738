import gzip
import io
import json

import numpy as np
from pycocotools import mask as coco

from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.augment.keep import bodies_file, people_file, people_line
from m2m.augment.people import FramePeople, Landmarks, Person


def someone():
    mask = np.zeros((24, 32), bool)
    mask[4:20, 8:16] = True
    landmarks = Landmarks(np.full((33, 2), 9.5), np.zeros(33), np.ones(33), np.ones(33), np.zeros((33, 3)), 0.9)
    person = Person(7, np.array([8, 4, 16, 20], np.float32), 0.75, mask, frozenset({"pose", "face"}), landmarks)
    return FramePeople((person,), mask | (np.arange(32) == 0))


def test_people_come_back_from_their_file():
    people = someone()
    [line] = gzip.decompress(people_file([people_line(3, people)])).decode().splitlines()
    frame = json.loads(line)
    [person] = frame["persons"]
    assert (frame["frame"], person["track"], person["bbox"]) == (3, 7, [8.0, 4.0, 8.0, 16.0])
    assert np.array_equal(coco.decode(person["segmentation"]).astype(bool), people.persons[0].mask)
    assert np.array_equal(coco.decode(frame["cover"]).astype(bool), people.cover)
    assert np.array(person["landmarks"]).shape == (33, 3)


def test_bodies_come_back_from_their_file_and_bytes_do_not_depend_on_the_clock():
    body = Body(2, np.random.default_rng(0).normal(size=(55, 3)).astype(np.float32), np.array([0, 1, 4], np.float32))
    frames = [(0, FrameBodies(())), (1, FrameBodies((body,)))]
    data = bodies_file(frames, Camera.default(432, 240))
    assert data == bodies_file(frames, Camera.default(432, 240))
    got = np.load(io.BytesIO(data))
    assert got["frame"].tolist() == [1] and got["track"].tolist() == [2]
    assert np.array_equal(got["pose"][0], body.pose) and np.array_equal(got["transl"][0], body.transl)
    assert got["camera"].tolist() == [np.hypot(432, 240), 216, 120, 432, 240]


def test_a_clip_without_bodies_has_a_file_without_rows():
    data = bodies_file([(0, FrameBodies(()))], Camera.default(64, 64))
    assert np.load(io.BytesIO(data))["pose"].shape == (0, 55, 3)
