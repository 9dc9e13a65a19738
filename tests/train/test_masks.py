"""Masks hide the right share, the same places at all times or any, and every place sometimes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.train.masks import split_tokens


def test_the_papers_mask_hides_176_of_196_places():
    visible, hidden = split_tokens((8, 14, 14), 0.9, "tube", np.random.default_rng(0))
    assert (len(visible), len(hidden)) == (160, 1408)


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(2, 6)),
    st.floats(0.01, 0.99),
    st.sampled_from(["tube", "random"]),
    st.integers(0, 99),
)
def test_a_mask_divides_the_tokens(grid, ratio, kind, seed):
    visible, hidden = split_tokens(grid, ratio, kind, np.random.default_rng(seed))
    n = grid[0] * grid[1] * grid[2]
    assert sorted([*visible, *hidden]) == list(range(n)) and len(visible) and len(hidden)
    pool = grid[1] * grid[2] if kind == "tube" else n
    assert len(hidden) * pool / n in (min(max(k, 1), pool - 1) for k in (int(ratio * pool), int(ratio * pool) + 1))
    if kind == "tube":
        mask = np.isin(np.arange(n), hidden).reshape(grid[0], -1)
        assert (mask == mask[0]).all()


def test_a_random_mask_changes_over_time_and_every_place_is_hidden_sometimes():
    rng = np.random.default_rng(0)
    masks = np.zeros((50, 4, 9))
    for mask in masks:
        mask.flat[split_tokens((4, 3, 3), 0.5, "random", rng)[1]] = 1
    assert (masks != masks[:, :1]).any()
    assert masks.mean(0) == pytest.approx(0.5, abs=0.25)


def test_one_place_cannot_be_masked():
    with pytest.raises(ValueError, match="two or more"):
        split_tokens((4, 1, 1), 0.5, "tube", np.random.default_rng(0))
