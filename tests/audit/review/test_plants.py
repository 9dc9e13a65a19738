"""Plants show somebody where they say, and leave the rest of the clip alone."""

from fractions import Fraction

import numpy as np
import pytest

from m2m.audit.review.plants import FROM_ORIGINAL, KINDS, cut_out, drawn, feathered, from_original, length, paste
from tests.audit.scenes import FPS, SIZE, scene

GREY = [np.full((240, 432, 3), 128, np.uint8)] * 12
PERSON = (100.0, 40.0, 160.0, 200.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawn_plant_is_where_it_says_and_nowhere_else(kind):
    for seed in range(3):
        plant = drawn(kind, len(GREY), SIZE, Fraction(8), np.random.default_rng(seed))
        about = plant.about()
        x0, y0, x1, y1 = about["box"]
        assert about["kind"] == kind and about["source"] == "drawn"
        for t, frame in enumerate(plant.into(iter(GREY))):
            changed = (frame != 128).any(2)
            assert changed.any() == (about["first"] <= t < about["first"] + about["frames"])
            changed[max(0, y0) : y1, max(0, x0) : x1] = False
            assert not changed.any()
    assert (GREY[0] == 128).all()  # the clip itself is not touched


def test_the_same_chance_gives_the_same_plant():
    one, two = (drawn("person", 12, SIZE, Fraction(8), np.random.default_rng(7)) for _ in range(2))
    assert one.about() == two.about() and (one.cut.frames == two.cut.frames).all()


@pytest.mark.parametrize("kind", sorted(FROM_ORIGINAL))
def test_a_plant_of_an_original_shows_its_pixels_at_their_place(kind):
    originals, places = np.stack(scene().originals), [("person", PERSON), ("face", (120.0, 50.0, 140.0, 75.0))]
    plant = from_original(kind, originals[3:5], 3, places, np.random.default_rng(0))
    x0, y0, x1, y1 = plant.about()["box"]
    middle = (slice((y0 + y1) // 2, (y0 + y1) // 2 + 1), slice((x0 + x1) // 2, (x0 + x1) // 2 + 1))
    for t, frame in enumerate(plant.into(iter(scene().outputs))):
        wanted = scene().originals[t] if t in (3, 4) else scene().outputs[t]
        assert (frame[middle] == wanted[middle]).all()


def test_an_original_that_shows_nobody_gives_no_plant():
    assert (
        from_original("face", np.zeros((2, 64, 64, 3), np.uint8), 0, [("person", PERSON)], np.random.default_rng(0))
        is None
    )


def test_leftovers_are_short_and_pictures_on_a_wall_stay():
    rng = np.random.default_rng(0)
    assert all(1 <= length("face", n, FPS, rng) <= min(n, 5) for n in (1, 2, 3, 50) for _ in range(20))
    assert length("picture", 50, FPS, rng) == 50


def test_what_lies_outside_is_cut_off_and_edges_fade():
    frame, patch = np.zeros((20, 20, 3), np.uint8), np.full((10, 10, 3), 200, np.uint8)
    out = paste(frame, patch, np.ones((10, 10), np.float32), (-5, 15))
    assert (out[15:, :5] == 200).all() and out.sum() == 200 * 3 * 25
    assert (paste(frame, patch, np.ones((10, 10), np.float32), (40, 0)) == 0).all()
    edge = feathered(40, 60)
    assert edge[0].max() < 0.2 and edge[20, 30] == 1 and edge.shape == (40, 60)
    cut, corner = cut_out(np.zeros((2, 20, 30, 3), np.uint8), (-5.0, 2.0, 50.0, 90.0))
    assert corner == (0, 2) and cut.frames.shape == (2, 18, 30, 3)
