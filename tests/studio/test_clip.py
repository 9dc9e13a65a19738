from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from m2m.augment.body import BodyParams, make_body
from m2m.errors import InputError
from m2m.studio.actions import ACTIONS
from m2m.studio.clip import ClipSpec, StudioClip, draw_clip

SPEC = ClipSpec("squat", seed=7, fps=Fraction(8), seconds=2.0, camera="still", clutter=False, height=130)
BRUSH = np.ones((3, 3), np.uint8)


def grown(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), BRUSH).astype(bool)


def shrunk(mask: np.ndarray) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), BRUSH).astype(bool)


def same(a: StudioClip, b: StudioClip) -> bool:
    bodies = [
        np.array_equal(p.pose, q.pose) and np.array_equal(p.transl, q.transl)
        for f, g in zip(a.bodies, b.bodies, strict=True)
        for p, q in zip(f.bodies, g.bodies, strict=True)
    ]
    arrays = [(a.frames, b.frames), (a.plates, b.plates), (a.person_masks, b.person_masks)]
    return all(bodies) and all(np.array_equal(x, y) for x, y in arrays)


def test_same_spec_same_bytes_and_another_seed_another_clip() -> None:
    spec = ClipSpec("walk", seed=3, fps=Fraction(6), seconds=1.0, persons=2, camera="shake", clutter=True)
    assert same(draw_clip(spec), draw_clip(spec))
    assert not np.array_equal(draw_clip(spec).frames, draw_clip(replace(spec, seed=4)).frames)


@pytest.mark.parametrize("label", ACTIONS)
def test_masks_are_where_the_frame_differs_from_the_plate(label: str) -> None:
    clip = draw_clip(ClipSpec(label, seed=1, fps=Fraction(3), seconds=2.0))
    assert clip.masks.any(axis=(1, 2)).all()
    for frame, plate, mask in zip(clip.frames, clip.plates, clip.masks, strict=True):
        differs = (frame != plate).any(axis=2)
        assert not (differs & ~grown(mask)).any()
        inside = shrunk(mask)
        assert differs[inside].mean() > 0.97  # cloth may by chance have the wall's colour


def test_plate_is_what_the_person_uncovers() -> None:
    clip = draw_clip(replace(SPEC, label="walk", heading=90.0, height=110, seconds=3.0))
    clear = ~np.stack([grown(m) for m in clip.masks])
    assert clip.static
    covered_once = ~clear.all(axis=0)
    uncovered = covered_once & clear.any(axis=0)
    assert uncovered.sum() > 0.9 * covered_once.sum() > 1000
    first = clear.argmax(axis=0)
    seen = np.take_along_axis(clip.frames, first[None, :, :, None], axis=0)[0]
    assert np.array_equal(seen[uncovered], clip.plates[0][uncovered])


def test_plate_does_not_depend_on_the_person() -> None:
    small, large = draw_clip(replace(SPEC, height=70)), draw_clip(replace(SPEC, height=160))
    assert large.masks.sum() > 3 * small.masks.sum()
    assert np.array_equal(small.plates, large.plates)


@pytest.mark.parametrize("label", ACTIONS)
@pytest.mark.parametrize("camera", ["still", "zoom", "pan"])
def test_joints_project_into_the_mask(label: str, camera: str) -> None:
    clip = draw_clip(ClipSpec(label, seed=2, fps=Fraction(2), seconds=2.0, camera=camera, height=120))
    body = make_body(BodyParams())  # builds differ by a few centimetres
    hits = []
    for frame, mask in zip(clip.bodies, clip.masks, strict=True):
        for person in frame.bodies:
            points = np.floor(clip.camera.project(body.joints(person.pose, person.transl)[:22])).astype(int)
            inside = (points >= 0).all(1) & (points < [432, 240]).all(1)
            hits.append(grown(mask)[points[inside, 1], points[inside, 0]])
    assert np.concatenate(hits).mean() > 0.93


def test_person_has_the_height_asked_for() -> None:
    for height in (60, 120, 180):
        clip = draw_clip(replace(SPEC, label="clap", height=height, heading=0.0))
        rows = np.nonzero(clip.masks[0].any(axis=1))[0]
        assert np.ptp(rows) + 1 == pytest.approx(height, rel=0.06, abs=3)


def test_feet_stand_still_on_a_still_floor_and_move_with_the_picture() -> None:
    clip = draw_clip(replace(SPEC, height=150, heading=20.0))
    body = make_body(BodyParams())

    def ankles(c: StudioClip) -> np.ndarray:
        return np.stack([c.camera.project(body.joints(f.bodies[0].pose, f.bodies[0].transl)[[7, 8]]) for f in c.bodies])

    # Knees bend by half a metre, which is over 40 pixels; the ankles may turn a little.
    assert np.ptp(ankles(clip), axis=0).max() < 8
    pan = draw_clip(replace(SPEC, label="wave", height=100, camera="pan"))
    path = ankles(pan)[:, 0, 0]
    reach = np.ptp(path)
    assert reach > 20
    # The plate's columns move by as much as the feet.
    first, last = int(path.argmin()), int(path.argmax())
    a, b = (cv2.cvtColor(pan.plates[i], cv2.COLOR_RGB2GRAY).astype(np.float32) for i in (first, last))
    (dx, _), _ = cv2.phaseCorrelate(a, b, cv2.createHanningWindow((432, 240), cv2.CV_32F))
    assert dx == pytest.approx(reach, abs=2)


def test_two_persons_have_their_own_masks_and_tracks() -> None:
    clip = draw_clip(replace(SPEC, persons=2, height=100))
    assert clip.person_masks.shape == (16, 2, 240, 432)
    assert clip.person_masks.any(axis=(2, 3)).all()
    assert not (clip.person_masks[:, 0] & clip.person_masks[:, 1]).any()
    assert np.array_equal(clip.masks, clip.person_masks[:, 0] | clip.person_masks[:, 1])
    assert [[b.track for b in f.bodies] for f in clip.bodies] == [[0, 1]] * 16


def test_walker_enters_and_leaves() -> None:
    clip = draw_clip(ClipSpec("walk", seed=5, fps=Fraction(6), seconds=6.0, enter=True, camera="still", height=160))
    there = clip.masks.any(axis=(1, 2))
    assert not there[0] and not there[-1] and there.any()
    assert [bool(f.bodies) for f in clip.bodies] == there.tolist()


def test_cut_changes_the_scene_in_the_middle() -> None:
    clip = draw_clip(replace(SPEC, cut=True))
    assert clip.cuts == (8,) and len(clip.frames) == 16 and not clip.static
    change = np.abs(np.diff(clip.plates.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert change[7] > 10 and np.delete(change, 7).max() == 0


def test_length_and_rate_are_exact() -> None:
    clip = draw_clip(replace(SPEC, fps=Fraction(30000, 1001), seconds=0.5, size=(128, 96), height=60))
    assert clip.fps == Fraction(30000, 1001) and clip.frames.shape == (15, 96, 128, 3)
    assert clip.label == "squat"


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": "juggle"},
        {"persons": 3},
        {"size": (33, 240)},
        {"seconds": 0.0},
        {"enter": True},
        {"scene": "moon"},
        {"camera": "drone"},
    ],
)
def test_what_the_studio_cannot_draw_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        draw_clip(replace(SPEC, **wrong))
