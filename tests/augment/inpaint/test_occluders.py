import numpy as np

from m2m.augment.inpaint.morphology import widen
from m2m.augment.inpaint.occluders import find_occluders
from m2m.augment.people import FramePeople, Landmarks, Person
from m2m.augment.plate import Plate

SHAPE = (30, 120, 216)
POST = np.s_[:, 20:110, 104:112]


def landmarks(x: float, legs: float) -> Landmarks:
    """A person who stands upright at a column, 80 px tall, with legs seen as well as said."""
    image = np.zeros((33, 2), np.float32)
    image[:] = (x, 30)
    for joints, dx, y in (((11, 12), 8, 40), ((23, 24), 6, 66), ((25, 26), 6, 84), ((27, 28, 29, 30, 31, 32), 6, 102)):
        for k, joint in enumerate(joints):
            image[joint] = (x + dx * (1 if k % 2 == 0 else -1), y)
    for joints, dx, y in (((13, 14), 10, 52), ((15, 16, 17, 18, 19, 20, 21, 22), 10, 64)):
        for k, joint in enumerate(joints):
            image[joint] = (x + dx * (1 if k % 2 == 0 else -1), y)
    seen = np.ones(33, np.float32)
    seen[25:] = legs
    return Landmarks(image, np.zeros(33, np.float32), seen, np.ones(33, np.float32), np.zeros((33, 3), np.float32), 1.0)


def people(masks: np.ndarray, xs: np.ndarray, covers: np.ndarray, legs: float = 1.0) -> list[FramePeople]:
    out = []
    for mask, cover, x in zip(masks, covers, xs, strict=True):
        box = np.array([x - 12, 22, x + 12, 106], np.float32)
        out.append(FramePeople((Person(0, box, 0.9, mask, frozenset(("pose",)), landmarks(float(x), legs)),), cover))
    return out


def background() -> np.ndarray:
    rng = np.random.default_rng(2)
    still = np.repeat(rng.integers(60, 200, (1, *SHAPE[1:], 3)), SHAPE[0], axis=0)
    still[POST] = (90, 60, 40)
    return still.astype(np.uint8)


def test_a_post_that_somebody_walks_behind_stays_in_front() -> None:
    bare = background()
    xs = np.linspace(60, 150, SHAPE[0])
    masks = np.zeros(SHAPE, bool)
    for t, x in enumerate(xs.astype(int)):
        masks[t, 26:104, x - 9 : x + 9] = True
    covers = np.stack([widen(m, 5) for m in masks])  # the cover takes the post in
    masks[POST] = False
    frames = np.where(masks[..., None], np.uint8(20), bare)
    region = widen(covers.any(0), 8)[None].repeat(SHAPE[0], axis=0)
    front = find_occluders(Plate(bare.copy(), region, region), frames, people(masks, xs, covers))
    post = np.zeros(SHAPE, bool)
    post[POST] = True
    behind = covers & post
    assert behind.sum() > 2000
    assert front[behind].mean() > 0.95
    assert not (front & masks).any()


def standing(legs: float) -> tuple[np.ndarray, np.ndarray]:
    """Somebody stands behind a table; the plate behind them is never known. Front, and the table."""
    bare = background()
    xs = np.full(SHAPE[0], 60.0)
    masks, table = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    table[:, 70:112, 20:100] = True
    masks[:, 26:104, 51:69] = True
    covers = np.stack([widen(m, 5) for m in masks])  # the pose model guesses legs
    masks &= ~table
    frames = np.where(masks[..., None], np.uint8(20), bare)
    region = widen(covers[0], 8)[None].repeat(SHAPE[0], axis=0)
    plate = Plate(np.where(region[..., None], np.uint8(128), bare), region, region & False)
    return find_occluders(plate, frames, people(masks, xs, covers, legs)), table & covers


def test_a_table_hides_legs_that_nobody_sees() -> None:
    front, hidden = standing(legs=0.1)
    assert front[hidden].mean() > 0.7


def test_somebody_who_stands_still_in_full_view_is_no_furniture() -> None:
    front, hidden = standing(legs=1.0)
    limbs = np.zeros(SHAPE, bool)
    limbs[:, 84:102, 52:56] = limbs[:, 84:102, 64:68] = True
    assert not (front & limbs & hidden).any()


def test_nobody_nothing() -> None:
    bare = background()
    empty = [FramePeople((), np.zeros(SHAPE[1:], bool))] * SHAPE[0]
    region = np.zeros(SHAPE, bool)
    assert not find_occluders(Plate(bare, region, region), bare, empty).any()
