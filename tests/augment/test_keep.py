import gzip
import json

import numpy as np
from pycocotools import mask as coco

from m2m.augment.bodies import Body, Camera, FrameBodies
from m2m.augment.keep import people_line, write_bodies, write_people
from m2m.augment.people import FramePeople, Landmarks, Person


def someone():
    mask = np.zeros((24, 32), bool)
    mask[4:20, 8:16] = True
    landmarks = Landmarks(np.full((33, 2), 9.5), np.zeros(33), np.ones(33), np.ones(33), np.zeros((33, 3)), 0.9)
    person = Person(7, np.array([8, 4, 16, 20], np.float32), 0.75, mask, frozenset({"pose", "face"}), landmarks)
    return FramePeople((person,), mask | (np.arange(32) == 0))


def test_people_come_back_from_their_file(tmp_path):
    people = someone()
    write_people([people_line(3, people)], tmp_path / "a.gz")
    [line] = gzip.decompress((tmp_path / "a.gz").read_bytes()).decode().splitlines()
    frame = json.loads(line)
    [person] = frame["persons"]
    assert (frame["frame"], person["track"], person["bbox"]) == (3, 7, [8.0, 4.0, 8.0, 16.0])
    assert np.array_equal(coco.decode(person["segmentation"]).astype(bool), people.persons[0].mask)
    assert np.array_equal(coco.decode(frame["cover"]).astype(bool), people.cover)
    assert np.array(person["landmarks"]).shape == (33, 3)


def test_bodies_come_back_from_their_file_and_bytes_do_not_depend_on_the_clock(tmp_path):
    body = Body(2, np.random.default_rng(0).normal(size=(55, 3)).astype(np.float32), np.array([0, 1, 4], np.float32))
    frames = [(0, FrameBodies(())), (1, FrameBodies((body,)))]
    for name in "ab":
        write_bodies(frames, Camera.default(432, 240), tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    got = np.load(tmp_path / "a.npz")
    assert got["frame"].tolist() == [1] and got["track"].tolist() == [2]
    assert np.array_equal(got["pose"][0], body.pose) and np.array_equal(got["transl"][0], body.transl)
    assert got["camera"].tolist() == [np.hypot(432, 240), 216, 120, 432, 240]


def test_a_clip_without_bodies_has_a_file_without_rows(tmp_path):
    write_bodies([(0, FrameBodies(()))], Camera.default(64, 64), tmp_path / "a.npz")
    assert np.load(tmp_path / "a.npz")["pose"].shape == (0, 55, 3)
