"""The passes of a network over a window: every frame is filled, memory is bounded, and passes meet without a seam."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2m.augment.inpaint.params import E2FGVIParams
from m2m.augment.inpaint.passes import Blend, nearest, passes

PARAMS = st.integers(1, 7).flatmap(
    lambda n: st.builds(
        E2FGVIParams,
        neighbours=st.just(n),
        step=st.integers(1, n),
        reference_stride=st.integers(1, 12),
        references=st.integers(0, 9),
    )
)


@given(length=st.integers(1, 120), params=PARAMS)
def test_every_frame_is_filled_and_no_pass_outgrows_its_bound(length, params):
    filled = set()
    for one in passes(length, params):
        assert one.centre in one.neighbours and not set(one.neighbours) & set(one.references)
        assert all(0 <= i < length for i in (*one.neighbours, *one.references))
        assert len(one.neighbours) <= 2 * params.neighbours + 1 and len(one.references) <= params.references
        assert all(0 < one.weight(t) <= 1 for t in one.neighbours)
        filled |= set(one.neighbours)
    assert filled == set(range(length))


def test_where_the_bound_does_not_bite_the_frames_are_those_of_the_released_script():
    """Its rule, as its authors publish it: neighbours f-5 to f+5, and every tenth frame of the clip besides."""
    for length in (1, 4, 6, 11, 37, 100):
        got = [(p.neighbours, p.references) for p in passes(length, E2FGVIParams())]
        want = []
        for f in range(0, length, 5):
            near = [t for t in range(f - 5, f + 6) if 0 <= t < length]
            want.append((tuple(near), tuple(t for t in range(0, length, 10) if t not in near)))
        assert got == want


def test_the_nearest_references_are_kept():
    assert nearest((0, 10, 20, 30, 40), 24, 2) == (20, 30)
    assert nearest((0, 10, 20), 10, 2) == (0, 10)  # of two as near the earlier
    assert nearest((0, 10), 3, 0) == ()
    one = next(p for p in passes(290, E2FGVIParams(references=4)) if p.centre == 150)
    assert one.references == (130, 140, 160, 170)


def test_a_part_of_a_pass_has_its_share_of_references():
    one = next(p for p in passes(290, E2FGVIParams(references=6)) if p.centre == 150)
    assert len(one.neighbours) == 11
    assert one.part(one.neighbours) == one.references
    assert one.part(one.neighbours[:5]) == (140, 160)
    assert one.part(one.neighbours[:1]) == ()


def test_halving_and_fading_against_weights_by_hand():
    """A frame in the middle of the second of three passes: 1/6, 1 and 1/6 of a step from both its neighbours."""
    halved, faded = Blend("halving"), Blend("fade")
    for value, weight in ((0.0, 1 / 6), (1.0, 1.0), (4.0, 1 / 6)):
        for blend in (halved, faded):
            blend.add(5, np.full(3, value, np.float32), weight)
    assert [(t, c.tolist()) for t, c in halved.done(6)] == [(5, [2.25] * 3)]  # a quarter, a quarter, a half
    [(_, colours)] = faded.done(6)
    np.testing.assert_allclose(colours, (1 + 4 / 6) / (1 + 2 / 6), rtol=1e-6)


def test_fading_goes_evenly_from_one_pass_to_the_next():
    """Each pass says its centre of every frame: the blend is the frame's own number between two centres."""
    params = E2FGVIParams(neighbours=5, step=5)
    blend = Blend("fade")
    for one in passes(31, params):
        for t in one.neighbours:
            blend.add(t, np.array([one.centre], np.float64), one.weight(t))
    values = np.array([c[0] for _, c in blend.done(31)])
    assert np.abs(values - np.arange(31)).max() < 1 and (np.diff(values) > 0).all()
    np.testing.assert_allclose(values[5:26:5], np.arange(5, 26, 5))


def test_what_is_done_is_let_go_of():
    blend = Blend("fade")
    for t in (3, 1, 2):
        blend.add(t, np.zeros(1, np.float32), 1.0)
    assert [t for t, _ in blend.done(3)] == [1, 2]
    assert [t for t, _ in blend.done(9)] == [3]
    assert list(blend.done(9)) == []


@pytest.mark.parametrize(
    "wrong", [{"neighbours": 0}, {"step": 0}, {"step": 6}, {"reference_stride": 0}, {"references": -1}]
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError):
        E2FGVIParams(**wrong)
