"""The residual bound against scipy's exact intervals, and where there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from m2m.audit.bound import interval, lower, residual, upper


@st.composite
def shares(draw):
    n = draw(st.integers(1, 500))
    return draw(st.integers(0, n)), n


@given(shares())
def test_limits_are_clopper_and_pearsons(share):
    k, n = share
    assert upper(k, n) == pytest.approx(binomtest(k, n, alternative="less").proportion_ci(0.95, "exact").high)
    assert lower(k, n) == pytest.approx(binomtest(k, n, alternative="greater").proportion_ci(0.95, "exact").low)
    both = binomtest(k, n).proportion_ci(0.95, "exact")
    assert interval(k, n) == pytest.approx((both.low, both.high))


@pytest.mark.parametrize("n", [30, 100, 300, 3000])
def test_nothing_found_is_about_three_of_n(n):
    assert upper(0, n) == pytest.approx(3 / n, rel=0.06)
    assert residual(n, 0, 20, 20).bound == upper(0, n)
    assert residual(n, 0, 20, 10).bound == pytest.approx(2 * upper(0, n))


@given(shares(), shares())
def test_the_bound_is_the_limit_by_the_sensitivity_and_never_more_than_all(sample, plants):
    (k, n), (f, p) = sample, plants
    found = residual(n, k, p, f)
    if f == 0:
        assert found.bound is None and found.cautious is None and "none of" in found.why
        return
    assert found.bound == pytest.approx(min(1.0, upper(k, n) * p / f))
    assert found.bound <= found.cautious <= 1
    assert k / n <= found.upper <= found.bound and not found.why


def test_without_a_sample_or_plants_there_is_no_bound_and_it_says_why():
    nothing = residual(0, 0, 0, 0)
    assert nothing.bound is None and "detectors alone give no bound" in nothing.why
    blind = residual(50, 0, 0, 0)
    assert blind.bound is None and "no plants" in blind.why and blind.upper == upper(0, 50)


@pytest.mark.parametrize("counts", [(5, 6, 1, 1), (5, -1, 1, 1), (5, 0, 1, 2), (-1, 0, 0, 0)])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(ValueError, match="cannot have been found"):
        residual(*counts)
