"""Things put back on plates: a drawn scene with a person, a ball and shoes whose every pixel is known."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from m2m.augment.inpaint.morphology import spread, widen
from m2m.augment.inpaint.objects import RIM, find_objects, put_back
from m2m.augment.people import FramePeople, Person
from m2m.augment.plate import Plate

SHAPE = (24, 120, 216)
SKIN, SHIRT, SHOES, BALL = (205, 160, 130), (60, 90, 160), (240, 240, 238), (230, 60, 40)


@dataclass(frozen=True)
class Scene:
    frames: np.ndarray
    bare: np.ndarray
    body: np.ndarray
    ball: np.ndarray
    people: list[FramePeople]
    plate: Plate

    def found(self, **changes) -> np.ndarray:
        scene = replace(self, **changes)
        return find_objects(scene.plate, scene.frames, scene.people, scene.body & False)


def scene(ball=BALL, height=None, missed=0, away=True) -> Scene:
    """A person who sways, and a ball that leaves the hand and comes back; `missed` rows of feet that no mask holds."""
    rng = np.random.default_rng(4)
    length, rows, columns = SHAPE
    bare = np.repeat(rng.integers(70, 110, (1, rows, columns, 3)), length, axis=0).astype(np.uint8)
    frames, body, balls = bare.copy(), np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    people, covers = [], []
    for t in range(length):
        x = 100 + int(6 * np.sin(t / 3))
        mask, canvas = np.zeros((rows, columns), np.uint8), frames[t]
        for (x0, y0, x1, y1), colour in (
            ((x - 9, 40, x + 9, 84), SHIRT),
            ((x - 5, 26, x + 5, 40), SKIN),
            ((x + 9, 48, x + 30, 53), SKIN),
            ((x - 10, 84, x + 10, 92), SHOES),
        ):
            canvas[y0:y1, x0:x1] = colour
            mask[y0:y1, x0:x1] = 1
        centre = (x + 34 + int(away * 50 * np.sin(np.pi * t / length)), 50 if height is None else height)
        spot = np.zeros((rows, columns), np.uint8)
        cv2.circle(spot, centre, 6, 1, -1)
        canvas[spot.view(bool)] = ball
        mask[spot.view(bool)] = 0
        body[t], balls[t] = mask.view(bool), spot.view(bool)
        held = mask.copy()
        held[92 - missed :] = 0
        ys, xs = np.nonzero(held)
        box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)
        cover = widen(held.view(bool), 6)
        covers.append(cover)
        people.append(FramePeople((Person(0, box, 0.9, held.view(bool), frozenset(("pose", "selfie"))),), cover))
    region = widen(spread(np.stack(covers), SHAPE[0]).any(0), 30)[None].repeat(length, axis=0)
    frames[:] = np.clip(frames.astype(int) + rng.integers(-3, 4, frames.shape), 0, 255)
    plate = Plate(np.where(region[..., None], bare, frames), region, region.copy())
    return Scene(frames, bare, body, balls, people, plate)


def test_a_ball_comes_back_and_no_pixel_of_a_person() -> None:
    made = scene()
    kept = made.found()
    hidden = made.ball & made.plate.region
    assert hidden.sum() > 1000
    assert (kept & hidden).sum() > 0.9 * hidden.sum()
    assert not (kept & made.body).any()
    assert (kept & ~made.ball).sum() < 0.02 * made.ball.sum()


def test_what_is_put_back_is_the_source_and_leaves_the_region() -> None:
    made = scene()
    before = made.plate.frames.copy()
    plate = put_back(made.plate, made.frames, made.people, made.body & False)
    kept = plate.front
    assert kept is not None
    assert kept.any()
    assert np.array_equal(plate.frames[kept], made.frames[kept])
    assert np.array_equal(plate.frames[~kept], before[~kept])
    assert not (plate.region & kept).any()
    assert np.array_equal(plate.region | kept, made.plate.region)


def test_nothing_is_kept_next_to_a_mask_or_where_it_is_forbidden() -> None:
    made = scene()
    rim = np.stack([widen(p.persons[0].mask, RIM) for p in made.people])
    assert not (made.found() & rim).any()
    forbidden = np.zeros(SHAPE, bool)
    forbidden[:, :, :150] = True
    kept = find_objects(made.plate, made.frames, made.people, forbidden)
    assert not (kept & forbidden).any()
    assert kept.any()


@pytest.mark.parametrize("colour", [SKIN, SHIRT, SHOES])
def test_what_has_a_persons_colours_is_a_person(colour) -> None:
    assert not scene(ball=colour).found().any()


def test_feet_that_the_mask_misses_are_not_things() -> None:
    """Half of the shoes are in no mask and in no cover; their colours are known from the other half."""
    made = scene(missed=3, ball=(235, 236, 240), away=True)
    assert not (made.found() & made.body).any()


@pytest.mark.parametrize("whole", [True, False])
def test_what_never_leaves_a_box_is_not_known_to_be_a_thing(whole) -> None:
    """In the cover it is, if a large patch of it is beyond the box and off the mask."""
    made = scene(away=False)
    people = []
    for there, ball in zip(made.people, made.ball, strict=True):
        person = there.persons[0]
        if whole:
            person = replace(person, box=np.array([60, 20, 180, 100], np.float32), mask=person.mask)
        people.append(FramePeople((person,), there.cover | widen(ball, 4)))
    kept = made.found(people=people)
    assert kept.any() != whole
    assert not (kept & made.body).any()


def test_a_shadow_is_left_out() -> None:
    made = scene()
    dark = np.zeros(SHAPE, bool)
    for t in range(SHAPE[0]):
        dark[t, 94:104, 70 + t : 120 + t] = True
    frames = np.where(dark[..., None], (made.frames * 0.6).astype(np.uint8), made.frames)
    kept = made.found(frames=frames)
    assert not (kept & dark & ~made.ball).any()
    hidden = made.ball & made.plate.region
    assert (kept & hidden).sum() > 0.9 * hidden.sum()


def test_a_large_thing_is_not_kept() -> None:
    made = scene()
    wall = np.zeros(SHAPE, bool)
    wall[:, 20:70, 150:200] = True
    frames = np.where(wall[..., None], np.array(BALL, np.uint8), made.frames)
    assert not (made.found(frames=frames) & wall & ~widen(made.ball.any(0), 8)).any()
