"""The recoverer with a network that says what it is told: tracks, gaps, doubles, what it looks at. No checkout."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.people import FramePeople, Person
from m2m.augment.recover import RecoverParams, make_recoverer
from m2m.augment.recover.osx.crop import HEIGHT, WIDTH
from m2m.augment.recover.osx.estimate import Estimate
from m2m.augment.recover.osx.recoverer import OSXRecoverer
from m2m.augment.recover.osx.shape import RestJoints
from m2m.augment.recover.smoothing import jitter
from m2m.errors import InfrastructureError
from m2m.studio import ClipSpec, draw_clip
from tests.augment.recover.osx.far_camera import BODY, SHAPES, Told, box_of, frame, iou, person, silhouette, told

CAMERA = Camera(8 * Camera.default(432, 240).focal, 216, 120, 432, 240)
UPRIGHT = np.array([np.pi, 0, 0])


def walk(t):
    pose = np.zeros((55, 3), np.float32)
    pose[0] = UPRIGHT
    pose[1], pose[2] = [-0.4 * np.sin(t / 4), 0, 0], [0.4 * np.sin(t / 4), 0, 0]
    pose[16], pose[17] = [0, 0, -1.2], [0, 0, 1.2]
    return pose, np.array([-1.2 + 0.05 * t, 0.2, 45.0])


def walking(frames, noise=0.0, seed=0, missing=()):
    """People, and what the network says of them in the order in which it is shown them."""
    rng, people, estimates = np.random.default_rng(seed), [], []
    for t in range(frames):
        pose, transl = walk(t)
        there = () if t in missing else (person(0, pose, transl, CAMERA),)
        people.append(frame(*there, camera=CAMERA))
        if there:
            e = told(pose, transl, CAMERA)
            turn = Rotation.from_rotvec(rng.normal(0, noise, (55, 3))) * Rotation.from_rotvec(e.pose)
            shaken = e.place * [1, 1, np.exp(rng.normal(0, noise))]
            estimates.append(Estimate(turn.as_rotvec().astype(np.float32), e.betas, shaken.astype(np.float32)))
    return people, Told(estimates)


def recover(people, network, params=None, camera=CAMERA, frames=None):
    blank = np.zeros((len(people), camera.height, camera.width, 3), np.uint8)
    recoverer = OSXRecoverer(BODY, params or RecoverParams(), network, SHAPES)
    return recoverer.recover(people, camera, blank if frames is None else frames)


def test_a_walk_comes_back():
    people, network = walking(20)
    bodies = recover(people, network)
    assert [tuple(b.track for b in f.bodies) for f in bodies] == [(0,)] * 20
    for t in (0, 7, 19):
        pose, transl = walk(t)
        [body] = bodies[t].bodies
        assert body.pose.shape == (55, 3) and body.pose.dtype == body.transl.dtype == np.float32
        assert iou(silhouette(pose, transl, CAMERA), silhouette(body.pose, body.transl, CAMERA)) > 0.93


def test_tracks_are_smooth():
    people, network = walking(30, noise=0.05)
    free = RecoverParams(smooth_pose=0, smooth_points=0, smooth_distance=0)
    raw, calm = recover(people, network, free), recover(people, network)

    def shake(bodies):
        joints = np.array([BODY.joints(f.bodies[0].pose, np.zeros(3)) for f in bodies])
        return jitter(joints), jitter(np.array([f.bodies[0].transl[2] for f in bodies]))

    assert shake(calm)[0] < 0.4 * shake(raw)[0]
    assert shake(calm)[1] < 0.1 * shake(raw)[1]


def test_gaps_are_bridged_up_to_the_longest():
    people, network = walking(30, missing=range(10, 16))
    drawn = [len(f.bodies) for f in recover(people, network)]
    assert drawn == [1] * 30
    drawn = [len(f.bodies) for f in recover(people, network, RecoverParams(max_gap=5))]
    assert drawn == [1] * 10 + [0] * 6 + [1] * 14


def test_only_confirmed_people_are_looked_at():
    pose, transl = walk(0)
    alone = person(3, pose, transl, CAMERA, families=("pose",))
    network = Told([])
    assert [f.bodies for f in recover([frame(alone, camera=CAMERA)], network)] == [()]
    assert network.shown == []


def test_short_tracks_are_left_out():
    people, network = walking(20, missing=range(5, 20))
    assert not any(f.bodies for f in recover(people, network))
    assert sum(len(f.bodies) for f in recover(people, network, RecoverParams(min_length=5))) == 5


def test_one_body_a_person():
    """Two tracks on one person: the one that is surer is drawn."""
    people, estimates = [], []
    for t in range(10):
        pose, transl = walk(t)
        twice = person(0, pose, transl, CAMERA, score=0.4), person(1, pose, transl, CAMERA, score=0.9)
        people.append(frame(*twice, camera=CAMERA))
        estimates += [told(pose, transl, CAMERA)] * 2
    assert [tuple(b.track for b in f.bodies) for f in recover(people, Told(estimates))] == [(1,)] * 10


def test_the_network_is_shown_the_person():
    """A person in red on grey: the crop is 3:4, a quarter wider than the box, and the person is in its middle."""
    pose, transl = walk(0)
    people = [frame(person(0, pose, transl, CAMERA), camera=CAMERA)]
    image = np.full((1, 240, 432, 3), 90, np.uint8)
    image[0][silhouette(pose, transl, CAMERA)] = [255, 0, 0]
    network = Told([told(pose, transl, CAMERA)])
    recover(people, network, frames=image)
    [shown] = network.shown
    assert shown.shape == (HEIGHT, WIDTH, 3) and shown.dtype == np.float32 and shown.min() >= 0 and shown.max() <= 255
    rows, columns = np.nonzero(shown[..., 0] > 200)
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(HEIGHT / 2, abs=6)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(WIDTH / 2, abs=6)
    share = max((rows.max() + 1 - rows.min()) / HEIGHT, (columns.max() + 1 - columns.min()) / WIDTH)
    assert share == pytest.approx(1 / 1.25, abs=0.02)


def test_a_box_outside_the_picture_is_not_looked_at():
    out = Person(0, np.array([500, 10, 560, 80], np.float32), 0.9, np.zeros((240, 432), bool), frozenset("ab"), None)
    network = Told([])
    assert [f.bodies for f in recover([FramePeople((out,), np.zeros((240, 432), bool))], network)] == [()]


def test_the_shape_is_used_and_not_kept():
    """Somebody twice as tall, as OSX sees it, at the same place: the body of constant size stands half as far away."""
    pose, transl = walk(0)
    people = [frame(person(0, pose, transl, CAMERA), camera=CAMERA)]
    grown = RestJoints(SHAPES.mean, np.repeat(SHAPES.mean[..., None], 10, 2) / 10)
    e = told(pose, transl, CAMERA)
    tall = Estimate(e.pose, np.ones(10, np.float32), 2 * e.place)
    blank = np.zeros((1, 240, 432, 3), np.uint8)
    bodies = [
        OSXRecoverer(BODY, RecoverParams(), Told([x]), grown).recover(people, CAMERA, blank)[0].bodies[0]
        for x in (e, tall)
    ]
    np.testing.assert_allclose(bodies[0].transl, bodies[1].transl, rtol=1e-4)
    np.testing.assert_array_equal(bodies[0].pose, bodies[1].pose)


def test_it_needs_the_originals():
    recoverer = OSXRecoverer(BODY, RecoverParams(), Told([]), SHAPES)
    assert recoverer.needs_frames
    with pytest.raises(ValueError, match="looks at the originals"):
        recoverer.recover([], CAMERA, None)
    assert not make_recoverer(RecoverParams(), BODY).needs_frames


def test_studio_people_get_a_body_each():
    """The studio's clip of two people, with their true boxes."""
    clip = draw_clip(ClipSpec("wave", seconds=0.5, persons=2))
    people, estimates = [], []
    for bodies in clip.bodies:
        persons = []
        for b in sorted(bodies.bodies, key=lambda body: body.track):
            mask = np.zeros((clip.camera.height, clip.camera.width), bool)
            box = box_of(b.pose, b.transl, clip.camera)
            persons.append(Person(b.track, box, 0.9, mask, frozenset({"pose", "face"}), None))
            estimates.append(told(b.pose, b.transl, clip.camera))
        people.append(FramePeople(tuple(persons), np.zeros(clip.frames.shape[1:3], bool)))
    network = Told(estimates)
    out = recover(people, network, camera=clip.camera, frames=clip.frames)
    assert len(out) == len(clip.frames) and all(len(f.bodies) == 2 for f in out)
    assert all(c.std() > 1 for c in network.shown), "the crops hold a picture"
    for drawn, true in zip(out, clip.bodies, strict=True):
        for a, b in zip(drawn.bodies, sorted(true.bodies, key=lambda body: body.track), strict=True):
            assert a.track == b.track
            assert abs(a.transl[2] / b.transl[2] - 1) < 0.1


def test_without_a_checkout_it_says_how_to_get_one(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.delenv("M2M_OSX", raising=False)
    from m2m.augment.recover import OSXParams

    params = RecoverParams(backend="osx", osx=OSXParams(weights="random", device="cpu"))
    with pytest.raises(InfrastructureError, match=r"M2M_OSX.*git clone"):
        make_recoverer(params, BODY)
