"""The sample is uniform, by its seed; plants go into other clips as long as there are any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.audit.review.sample import ReviewParams, carriers, drawn_by_chance
from m2m.clips import Clip
from m2m.errors import InputError

CLIPS = [Clip(f"c{i:03}", "") for i in range(40)]


def test_the_same_seed_draws_the_same_clips_in_whatever_order_they_come():
    first = drawn_by_chance(CLIPS, ReviewParams(9, seed=4))
    assert first == drawn_by_chance(CLIPS[::-1], ReviewParams(9, seed=4))
    assert first != drawn_by_chance(CLIPS, ReviewParams(9, seed=5))


def test_every_clip_is_drawn_as_often_as_any_other():
    drawn = [c.clip_id for seed in range(600) for c in drawn_by_chance(CLIPS, ReviewParams(10, seed=seed))]
    counts = np.array([drawn.count(c.clip_id) for c in CLIPS])
    assert counts.sum() == 6000
    assert ((counts - 150) ** 2 / 150).sum() < 73  # chi-squared of 39 degrees at .001


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
def test_plants_are_shared_only_for_want_of_others(n, count, seed):
    sample = drawn_by_chance(CLIPS, ReviewParams(n))
    assert len({c.clip_id for c in sample}) == len(sample) == min(n, len(CLIPS))
    chosen = carriers(CLIPS, sample, count, np.random.default_rng(seed))
    free = len(CLIPS) - len(sample)
    assert len(chosen) == count
    assert len({c.clip_id for c in chosen[:free]} & {c.clip_id for c in sample}) == 0


def test_a_fifth_is_planted_and_ten_at_least_and_none_without_a_sample():
    assert [ReviewParams().planted(n) for n in (0, 1, 50, 51, 300)] == [0, 10, 10, 11, 60]
    assert ReviewParams(plants=3).planted(300) == 3


@pytest.mark.parametrize("wrong", [{"sample": -1}, {"plants": -1}, {"near": -1}])
def test_what_makes_no_sense_is_bad_input(wrong):
    with pytest.raises(InputError, match="0 or more"):
        ReviewParams(**wrong)
