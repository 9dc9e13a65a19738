import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from m2m.attack.linkage import GRID, TIMES, Traces, gaps, ranks, within


def test_places_and_ties_by_hand() -> None:
    found = np.array([[1.0, 2, 3], [2, 2, 2], [0, 1, 2]])
    assert ranks(found).tolist() == [[1, 1], [1, 3], [3, 3]]
    assert within(ranks(found), 1).tolist() == [1, 1 / 3, 0]
    assert within(ranks(found), 2).tolist() == [1, 2 / 3, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12))
def test_whoever_finds_all_alike_is_as_good_as_a_guess(n: int, most: int) -> None:
    assert np.allclose(within(ranks(np.zeros((n, n))), most), min(1, most / n))


def test_a_clip_is_found_by_its_scene_though_a_person_hides_a_part_and_by_its_rhythm() -> None:
    rng = np.random.default_rng(0)
    scenes = rng.uniform(0, 255, (20, GRID[0] * GRID[1], 3)).astype(np.float32)
    curves = rng.normal(size=(20, TIMES))
    curves = ((curves - curves.mean(1, keepdims=True)) / curves.std(1, keepdims=True)).astype(np.float32)
    sources = Traces(scenes, curves, np.column_stack([np.arange(20), np.full(20, 6.0)]))
    hidden = scenes.copy()
    hidden[:, :40] = 128
    made = Traces(hidden + rng.normal(0, 5, scenes.shape).astype(np.float32), curves, sources.lengths)
    for way in ("scene", "timing", "length", "all"):
        assert ranks(gaps(made, sources, way)).tolist() == [[1, 1]] * 20
