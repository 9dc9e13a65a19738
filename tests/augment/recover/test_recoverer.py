from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from m2m.augment.bodies import Camera
from m2m.augment.recover import IKRecoverer, RecoverParams, make_recoverer
from m2m.augment.recover.smoothing import jitter
from tests.augment.recover.stick import FACING, MARKS, Stick, at_ease, frame, landmarks, person, points

CAMERA = Camera.default(432, 240)
BODY = Stick()
MAJOR = [16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]


def walk(t):
    """A walking body, three quarters to the camera, and where it is."""
    pose, phase = at_ease(), 2 * np.pi * t / 25
    pose[0] = (Rotation.from_rotvec([0, 0.7, 0]) * Rotation.from_rotvec(FACING)).as_rotvec()
    pose[1], pose[2] = [-0.5 * np.sin(phase), 0, 0], [0.5 * np.sin(phase), 0, 0]
    pose[4], pose[5] = [0.4 + 0.3 * np.cos(phase), 0, 0], [0.4 - 0.3 * np.cos(phase), 0, 0]
    return pose, np.array([-0.8 + 0.03 * t, 0.1, 4.5])


def errors(people, bodies, track=0):
    out = []
    for seen, drawn in zip(people, bodies, strict=True):
        marks = next((p.landmarks for p in seen.persons if p.track == track), None)
        body = next((b for b in drawn.bodies if b.track == track), None)
        if marks is None or body is None:
            continue
        joints = [j for j in MAJOR if marks.visibility[MARKS[j]] > 0.5]
        at = CAMERA.project(BODY.joints(body.pose, body.transl)[joints])
        extent = np.ptp(marks.image[marks.visibility > 0.5], axis=0).max()
        out.append(np.linalg.norm(at - marks.image[[MARKS[j] for j in joints]], axis=1).mean() / extent)
    return np.array(out)


def walking(count=50, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    people = []
    for t in range(count):
        pose, place = walk(t)
        marks = landmarks(pose, place, CAMERA)
        marks.image[:] += rng.normal(0, noise, marks.image.shape)
        marks.world[:] += rng.normal(0, noise * 0.02, marks.world.shape)
        people.append(frame(person(0, marks, CAMERA)))
    return people


def test_a_walk_comes_back():
    people = walking()
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    assert [len(b.bodies) for b in bodies] == [1] * 50
    assert errors(people, bodies).mean() < 0.01
    places = np.array([b.bodies[0].transl for b in bodies])
    assert np.abs(places - [walk(t)[1] for t in range(50)]).max() < 0.15
    true = [points(walk(t)[0]) + walk(t)[1] for t in range(50)]
    wrists = [BODY.joints(b.bodies[0].pose, b.bodies[0].transl)[20] - t[15] for b, t in zip(bodies, true, strict=True)]
    assert np.linalg.norm(wrists, axis=1).mean() < 0.12


def test_shapes_types_and_same_bytes_again():
    people = walking(12, noise=1)
    first, second = (make_recoverer(RecoverParams(), BODY).recover(people, CAMERA) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.bodies[0].pose.shape == (55, 3) and a.bodies[0].pose.dtype == np.float32
        assert a.bodies[0].transl.shape == (3,) and a.bodies[0].transl.dtype == np.float32
        assert a.bodies[0].pose.tobytes() == b.bodies[0].pose.tobytes()
        assert a.bodies[0].transl.tobytes() == b.bodies[0].transl.tobytes()


def test_noise_shakes_the_distance_less_than_without_smoothing():
    people = walking(noise=1.5)
    still = RecoverParams(smooth_points=0, smooth_depth=0, smooth_pose=0, smooth_distance=0)
    shaken = [b.bodies[0].transl[2] for b in IKRecoverer(BODY, still).recover(people, CAMERA)]
    smoothed = [b.bodies[0].transl[2] for b in IKRecoverer(BODY).recover(people, CAMERA)]
    assert jitter(np.array(smoothed)) < 0.3 * jitter(np.array(shaken))


def test_upper_body_alone_lands_at_the_right_place_and_scale():
    place = np.array([0.1, 0.75, 1.6])
    marks = landmarks(at_ease(), place, CAMERA)
    assert marks.visibility[25:].max() == 0 and marks.visibility[[0, 11, 12]].min() == 1
    wild = np.random.default_rng(0)
    people = []
    for _ in range(12):
        seen = landmarks(at_ease(), place, CAMERA)
        seen.image[25:] = wild.normal(500, 200, (8, 2))
        seen.world[25:] = wild.normal(0, 1, (8, 3))
        people.append(frame(person(0, seen, CAMERA)))
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    assert errors(people, bodies).mean() < 0.02
    for drawn in bodies:
        body = drawn.bodies[0]
        assert abs(body.transl[2] - place[2]) < 0.15
        joints = BODY.joints(body.pose, body.transl)
        assert joints[[7, 8], 1].min() > joints[0, 1] + 0.6


def test_a_short_gap_is_bridged_and_a_long_one_is_not():
    people = walking(60)
    people[20:28] = [frame()] * 8
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    assert all(len(b.bodies) == 1 for b in bodies)
    places = np.array([b.bodies[0].transl for b in bodies])
    assert np.abs(places[20:28] - [walk(t)[1] for t in range(20, 28)]).max() < 0.3
    bodies = IKRecoverer(BODY, RecoverParams(max_gap=7)).recover(people, CAMERA)
    assert [len(b.bodies) for b in bodies] == [1] * 20 + [0] * 8 + [1] * 32


def test_frames_with_a_box_only_keep_a_body():
    people = walking(40)
    for t in range(15, 40):
        box = people[t].persons[0].box
        people[t] = frame(person(0, None, CAMERA, box=tuple(box)))
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    for t, drawn in enumerate(bodies):
        at = CAMERA.project(drawn.bodies[0].transl)
        assert np.linalg.norm(at - CAMERA.project(walk(t)[1])) < 20  # the box of a walk breathes


def test_someone_never_seen_by_the_pose_model_stands_upright_in_the_box():
    people = [frame(person(7, None, CAMERA, box=(200, 40, 250, 200)))] * 10
    body = IKRecoverer(BODY).recover(people, CAMERA)[5].bodies[0]
    joints = CAMERA.project(BODY.joints(body.pose, body.transl))
    assert 40 < joints[15, 1] < 90 and 180 < joints[7, 1] < 200
    assert 200 < joints[0, 0] < 250


def test_only_confirmed_people_and_tracks_long_enough_are_drawn():
    marks = landmarks(*walk(0), CAMERA)
    people = [frame(person(0, marks, CAMERA), person(1, marks, CAMERA, families=1)) for _ in range(20)]
    other = landmarks(walk(0)[0], np.array([1.0, 0.1, 5]), CAMERA)
    people[3:6] = [frame(*f.persons, person(2, other, CAMERA)) for f in people[3:6]]
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    assert [[b.track for b in f.bodies] for f in bodies] == [[0]] * 20
    bodies = IKRecoverer(BODY, RecoverParams(min_length=3)).recover(people, CAMERA)
    assert [b.track for b in bodies[4].bodies] == [0, 2]


def test_one_body_where_several_tracks_hold_one_person():
    people = walking(20)
    for t, seen in enumerate(people):
        box = seen.persons[0].box
        inner = (box[0], box[1], box[2], (box[1] + box[3]) / 2)
        apart = (box[0] + 200, 20, box[0] + 240, 150)
        again = person(3, seen.persons[0].landmarks if t % 2 else None, CAMERA, box=tuple(box + 1))
        others = person(1, None, CAMERA, box=inner), person(2, None, CAMERA, box=apart), again
        people[t] = frame(*seen.persons, *others)
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    assert {tuple(b.track for b in f.bodies) for f in bodies} == {(0, 2)}


def test_two_people_close_together_both_stay():
    apart = np.array([0.25, 0, 0.4])
    people = [
        frame(*(person(k, landmarks(walk(t)[0], walk(t)[1] + k * apart, CAMERA), CAMERA) for k in (0, 1)))
        for t in range(20)
    ]
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    assert {tuple(b.track for b in f.bodies) for f in bodies} == {(0, 1)}


def test_a_window_shorter_than_the_shortest_track_still_shows_people():
    bodies = IKRecoverer(BODY).recover(walking(3), CAMERA)
    assert [len(b.bodies) for b in bodies] == [1, 1, 1]


def test_a_body_seen_from_the_wrong_side_for_some_frames_does_not_spin():
    from m2m.augment.recover.skeleton import MIRROR

    people = walking(40)
    for t in range(18, 22):
        marks = people[t].persons[0].landmarks
        marks.image[:], marks.world[:] = marks.image[MIRROR], marks.world[MIRROR] * [1, 1, -1]
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    roots = Rotation.from_rotvec([b.bodies[0].pose[0] for b in bodies])
    assert np.degrees((roots[:-1].inv() * roots[1:]).magnitude()).max() < 10


def test_the_nearer_person_is_nearer():
    near, far = np.array([0.2, 0.1, 3.0]), np.array([-0.3, 0.0, 5.0])
    people = [
        frame(*(person(k, landmarks(at_ease(), at, CAMERA), CAMERA) for k, at in enumerate((near, far))))
        for _ in range(10)
    ]
    a, b = IKRecoverer(BODY).recover(people, CAMERA)[5].bodies
    assert a.transl[2] < b.transl[2] - 1.5


def test_nobody():
    assert [b.bodies for b in IKRecoverer(BODY).recover([frame()] * 4, CAMERA)] == [()] * 4


@pytest.mark.parametrize("wrong", [{"min_length": 0}, {"max_gap": -1}, {"smooth_pose": -1.0}])
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        RecoverParams(**wrong)


def lost(people, first, last, seed=0):
    """The pose model sees somebody who trembles in these frames."""
    rng = np.random.default_rng(seed)
    for t in range(first, last):
        marks = people[t].persons[0].landmarks
        marks.image[:] += rng.normal(0, 15, marks.image.shape)
        marks.world[:] += rng.normal(0, 0.3, marks.world.shape)
    return people


def test_a_lost_pose_model_is_not_followed_and_the_body_stands_in_the_box():
    people = lost(walking(60), 0, 60)
    boxes = [(120 + t, 40, 170 + t, 210) for t in range(60)]
    people = [frame(person(0, f.persons[0].landmarks, CAMERA, box=b)) for f, b in zip(people, boxes, strict=True)]
    bodies = IKRecoverer(BODY).recover(people, CAMERA)
    for t in range(60):
        body = bodies[t].bodies[0]
        up = Rotation.from_rotvec(body.pose[0]).apply([0, 1, 0])
        assert up @ [0, -1, 0] > 0.99
        at = CAMERA.project(BODY.joints(body.pose, body.transl))
        assert np.abs(at[:, 0].mean() - (boxes[t][0] + boxes[t][2]) / 2) < 10
        assert boxes[t][1] - 10 < at[:, 1].min() and at[:, 1].max() < boxes[t][3] + 10


def test_between_believed_frames_the_body_goes_on():
    bodies = IKRecoverer(BODY).recover(lost(walking(80), 35, 50), CAMERA)
    places = np.array([b.bodies[0].transl for b in bodies])
    assert np.abs(places - [walk(t)[1] for t in range(80)]).max() < 0.45
    roots = Rotation.from_rotvec([b.bodies[0].pose[0] for b in bodies])
    assert np.degrees((roots[:-1].inv() * roots[1:]).magnitude()).max() < 8


def test_someone_seen_from_behind_does_not_turn_round_when_lost():
    people = []
    for _ in range(140):
        pose = at_ease()
        pose[0] = (Rotation.from_rotvec([0, np.pi, 0]) * Rotation.from_rotvec(FACING)).as_rotvec()
        people.append(frame(person(0, landmarks(pose, np.array([0, 0.1, 4.5]), CAMERA), CAMERA)))
    for t in range(40, 140):
        people[t] = frame(person(0, None, CAMERA, box=tuple(people[t].persons[0].box)))
    for drawn in IKRecoverer(BODY).recover(people, CAMERA):
        assert Rotation.from_rotvec(drawn.bodies[0].pose[0]).apply([0, 0, 1])[2] > 0.9


def test_one_body_where_a_lost_track_runs_on_into_another_of_the_same_person():
    people = walking(80)
    for t, seen in enumerate(people):
        box = tuple(seen.persons[0].box)
        mine = [person(0, None, CAMERA, box=box)] if t < 50 else []
        people[t] = frame(*mine, *([person(1, seen.persons[0].landmarks, CAMERA, box=box)] if t >= 30 else []))
    drawn = [tuple(b.track for b in f.bodies) for f in IKRecoverer(BODY).recover(people, CAMERA)]
    assert drawn == [(0,)] * 30 + [(1,)] * 50


def test_a_stretched_picture_of_a_body_gives_the_same_body():
    wide = Camera.default(648, 240, 1.5)
    people = walking(20)
    stretched = []
    for seen in people:
        marks, box = seen.persons[0].landmarks, seen.persons[0].box
        marks = replace(marks, image=marks.image * np.float32([1.5, 1]))
        stretched.append(frame(person(0, marks, wide, box=(box[0] * 1.5, box[1], box[2] * 1.5, box[3]))))
    plain = IKRecoverer(BODY).recover(people, CAMERA)
    for a, b in zip(plain, IKRecoverer(BODY).recover(stretched, wide), strict=True):
        assert np.allclose(a.bodies[0].transl, b.bodies[0].transl, atol=1e-3)
        assert np.allclose(a.bodies[0].pose, b.bodies[0].pose, atol=1e-2)
