"""Differences over seeds and clips: against scipy where it reduces to it, against pairs of scores, in simulations."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from m2m.report.significance import Estimate, estimate, holm, verdict

REPEATS = 300


def draw(rng, seeds: int, clips: int, sets: int, spread: float, gap: float = 0.0) -> list[np.ndarray]:
    """Right and wrong of two rows on the same clips, one less the other: clips differ, and trainings by `spread`."""
    differences = []
    training = rng.normal(0, spread, (2, seeds, 1))
    for _ in range(sets):
        clip = rng.normal(0, 1, (1, 1, clips)) + rng.normal(0, 0.7, (2, 1, clips))
        ease = 0.3 + clip + training + rng.normal(0, spread / 2, (2, seeds, 1)) + [[[gap]], [[0.0]]]
        right = rng.random((2, seeds, clips)) < stats.norm.cdf(ease)
        differences.append(right[0].astype(float) - right[1])
    return differences


@pytest.mark.parametrize("clips", [9, 60])
def test_one_seed_on_one_set_is_the_paired_t_test(clips):
    rng = np.random.default_rng(clips)
    one, other = (rng.random((2, clips)) < 0.6).astype(float)
    found, theirs = estimate([(one - other)[None]]), stats.ttest_rel(one, other)
    assert found.p == pytest.approx(theirs.pvalue) and found.df == pytest.approx(clips - 1)
    interval = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_one_seed_on_two_sets_is_the_welch_interval_of_a_sum():
    rng = np.random.default_rng(1)
    one, two = rng.normal(0.1, 1, 30), rng.normal(0.2, 2, 50)
    found, theirs = estimate([one[None], two[None]]), stats.ttest_ind(one, -two, equal_var=False)
    assert found.value == pytest.approx((one.mean() + two.mean()) / 2)
    assert found.p == pytest.approx(theirs.pvalue) and found.df == pytest.approx(theirs.df)


def test_where_all_clips_are_alike_it_is_the_t_test_of_the_seeds():
    by_seed = np.array([0.5, 0.2, 0.4])
    found, theirs = estimate([np.repeat(by_seed[:, None], 100_000, 1)]), stats.ttest_1samp(by_seed, 0)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-3) and found.df == pytest.approx(2, rel=1e-3)


def test_the_variance_is_that_of_pairs_of_scores():
    """Gallas's moments: pairs that share a seed, a clip, or neither, averaged one by one."""
    rng = np.random.default_rng(3)
    seeds, clips = 4, 7
    scores = rng.normal(0, 1, (seeds, 1)) + rng.normal(0, 1, (1, clips)) + rng.normal(0, 0.3, (seeds, clips))
    moments: dict[tuple[bool, bool], list[float]] = {}
    for (s, c), (t, d) in itertools.product(np.ndindex(scores.shape), repeat=2):
        moments.setdefault((s == t, c == d), []).append(scores[s, c] * scores[t, d])
    mean = {key: np.mean(values) for key, values in moments.items()}
    share = {key: len(values) / (seeds * clips) ** 2 for key, values in moments.items()}
    variance = sum(share[key] * mean[key] for key in mean) - mean[False, False]
    found = estimate([scores])
    half = (found.high - found.low) / 2
    assert half / stats.t.ppf(0.975, found.df) == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize(
    ("seeds", "sets", "spread"), [(3, 5, 0.0), (3, 5, 0.2), (3, 1, 0.4), (5, 2, 0.15), (2, 2, 0.1)]
)
def test_without_a_difference_one_is_seldom_shown(seeds, sets, spread):
    """At a true rate of 5 %, more than 9 % of 300 would come once in a thousand times."""
    rng = np.random.default_rng(seeds + sets)
    shown = [estimate(draw(rng, seeds, 40, sets, spread)).p < 0.05 for _ in range(REPEATS)]
    assert np.mean(shown) <= 0.09


def test_a_test_of_the_clips_alone_would_show_differences_that_are_none():
    """What the seeds are for: the same null, taken as one training of many clips."""
    rng = np.random.default_rng(5)
    alone = [estimate([d[:1] for d in draw(rng, 3, 40, 5, 0.4)]).p < 0.05 for _ in range(REPEATS)]
    assert np.mean(alone) > 0.15


def test_intervals_of_a_row_hold_the_truth():
    """Top-1 of a row whose trainings and clips vary; the truth is that of all there could be."""
    rng = np.random.default_rng(6)
    truth = stats.norm.cdf(0.8 / np.sqrt(1 + 1 + 0.2**2))
    held = []
    for _ in range(REPEATS):
        ease = 0.8 + rng.normal(0, 1, (1, 40)) + rng.normal(0, 0.2, (3, 1)) + rng.normal(0, 1, (3, 40))
        found = estimate([(ease > 0).astype(float)], share=True)
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.915


def test_real_differences_are_found():
    rng = np.random.default_rng(7)
    found = [estimate(draw(rng, 3, 60, 5, 0.05, gap=0.6)) for _ in range(100)]
    assert np.mean([f.p < 0.05 and f.value > 0 for f in found]) > 0.8


SCORES = st.integers(1, 4).flatmap(
    lambda seeds: st.lists(
        st.integers(1, 8).flatmap(
            lambda n: st.lists(
                st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=n, max_size=n), min_size=seeds, max_size=seeds
            ).map(np.array)
        ),
        min_size=1,
        max_size=3,
    )
)


@settings(max_examples=50)
@given(SCORES)
def test_the_other_way_round_is_the_same_with_the_other_sign(sets):
    one, other = estimate(sets), estimate([-scores for scores in sets])
    assert (other.value, other.low, other.high) == (
        pytest.approx(-one.value),
        pytest.approx(-one.high),
        pytest.approx(-one.low),
    )
    assert other.p == pytest.approx(one.p) and one.low <= one.value <= one.high and 0 <= one.p <= 1


@settings(max_examples=50)
@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_seeds_clips_and_sets_changes_nothing(sets, random):
    def shuffled(n):
        return random.sample(range(n), n)

    seeds = shuffled(len(sets[0]))
    other = estimate([sets[i][seeds][:, shuffled(sets[i].shape[1])] for i in shuffled(len(sets))])
    one = estimate(sets)
    assert (other.value, other.low, other.high, other.p) == (
        pytest.approx(one.value),
        pytest.approx(one.low),
        pytest.approx(one.high),
        pytest.approx(one.p),
    )


@settings(max_examples=50)
@given(SCORES)
def test_p_and_the_interval_say_the_same(sets):
    found = estimate(sets)
    if abs(found.p - 0.05) > 1e-6:
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_nothing_seen_is_not_nothing_there():
    none = estimate([np.zeros((1, 60))])
    assert none.p == 1 and none.low < -0.03 and none.high > 0.03
    all_right = estimate([np.ones((3, 60))], share=True)
    assert all_right.value == all_right.high == 1 and all_right.low < 0.97


def test_few_right_of_few_are_as_wide_as_two_more_would_make_them():
    found = estimate([np.array([[1.0] + [0.0] * 19])], share=True)
    p = 3 / 24
    assert found.low == 0 and found.high == pytest.approx(0.05 + stats.t.ppf(0.975, 19) * np.sqrt(p * (1 - p) / 24))


@pytest.mark.parametrize("sets", [[], [np.zeros((0, 3))], [np.zeros((2, 3)), np.zeros((1, 3))], [np.zeros((2, 0))]])
def test_what_cannot_be_estimated_is_refused(sets):
    with pytest.raises(ValueError, match="same seeds"):
        estimate(sets)


@pytest.mark.parametrize(
    ("ps", "corrected"),
    [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([], []), ([0.5, 0.9], [1.0, 1.0]), ([0.02], [0.02])],
)
def test_holm(ps, corrected):
    """The first is the example of Holm's rule: 3 * .01, 2 * .03, and .04 never below what came before."""
    assert holm(ps) == pytest.approx(corrected)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_nothing_and_bonferroni_and_keeps_the_order(ps):
    found = holm(ps)
    assert all(p <= q <= min(1.0, len(ps) * p) + 1e-12 for p, q in zip(ps, found, strict=True))
    for (p, q), (p2, q2) in itertools.combinations(zip(ps, found, strict=True), 2):
        assert not (p < p2 and q > q2)


@pytest.mark.parametrize(
    ("value", "p", "seeds", "words"),
    [
        (0.0312, 0.01, 3, "higher by 3.1 points"),
        (-0.0312, 0.01, 3, "lower by 3.1 points"),
        (0.2, 0.05, 3, "no difference shown"),
        (0.2, 0.01, 1, "higher by 20.0 points, for this training only: one seed"),
    ],
)
def test_verdicts(value, p, seeds, words):
    assert verdict(Estimate(value, 0, 0, 0.5, seeds, 1), p) == words
