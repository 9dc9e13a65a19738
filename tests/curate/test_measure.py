"""What a selection is worth: figures checked against loops and scikit-learn, and against what is planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from m2m.curate.bias import centres
from m2m.curate.measure import (
    SHRINK,
    accuracies,
    balance,
    beside,
    measure,
    nearest_cosine,
    probes,
    random_subsets,
    resound,
    scored,
)

seeds = st.integers(0, 10**6)


def clips(seed, n_classes=5, n=30, dim=6, spread=1.0):
    rng = np.random.default_rng(seed)
    own = np.repeat(np.arange(n_classes), n)
    centre = rng.normal(size=(n_classes, dim))
    return [(centre[own] + spread * rng.normal(size=(len(own), dim)), own) for _ in range(2)]


def test_the_linear_probe_is_fishers_discriminant():
    (train, own), (test, _) = clips(0)
    unit = train / np.linalg.norm(train, axis=1, keepdims=True)
    within = sum(
        (unit[own == c] - unit[own == c].mean(0)).T @ (unit[own == c] - unit[own == c].mean(0)) for c in range(5)
    )
    within /= len(own) - 5
    shrunk = (1 - SHRINK) * within + SHRINK * np.trace(within) / 6 * np.eye(6)

    class Fixed:
        def fit(self, _):
            self.covariance_ = shrunk
            return self

    theirs = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Fixed(), priors=[0.2] * 5).fit(unit, own)
    probe = probes(train, own, centres(train, own))[1]
    unseen = test / np.linalg.norm(test, axis=1, keepdims=True)
    assert np.array_equal(probe.scores(unseen).argmax(1), theirs.predict(unseen))


@given(seeds, st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_the_accuracy_of_a_subset_is_that_of_its_classes_alone(seed, k):
    (train, own), (test, others) = clips(seed, n=6)
    subset = np.sort(np.random.default_rng(seed).choice(5, k, replace=False))
    for probe in probes(train, own, centres(train, own)):
        (rate,), (n,) = accuracies(scored(test, others, probe), [subset])
        hits = 0
        for vector, label in zip(test, others, strict=True):
            scores = probe.scores(vector[None] / np.linalg.norm(vector))[0]
            hits += label in subset and label == max(subset, key=lambda c, s=scores: s[c])
        assert n == 6 * k and rate == pytest.approx(hits / n)
        if k == 1:
            assert rate == 1 and resound(np.array([rate]), 1) == 0


def test_clips_of_more_classes_do_not_fit_into_a_subset_without_any():
    (train, own), (test, others) = clips(1)
    probe = probes(train, own, centres(train, own))[0]
    with pytest.raises(ValueError, match="no clip to be tested on"):
        accuracies(scored(test[others < 3], others[others < 3], probe), [np.array([3, 4])])


@given(st.lists(st.integers(1, 50), min_size=2, max_size=9))
def test_balance_is_entropy_and_1_where_all_are_equal(counts):
    counts = np.array(counts)
    assert balance(counts) == pytest.approx(entropy(counts, base=len(counts)))
    assert balance(np.full(4, 7)) == pytest.approx(1)


def test_the_nearest_class_is_the_most_alike_of_the_subset():
    vectors = np.array([[1.0, 0], [1, 0.1], [0, 1], [1, 1]])
    known = centres(vectors, np.arange(4))
    assert nearest_cosine(known, np.array([0, 2])) == pytest.approx(0)
    assert nearest_cosine(known, np.array([0, 1, 2])) == pytest.approx((2 / np.sqrt(1.01) + 0.1 / np.sqrt(1.01)) / 3)


@given(seeds, st.integers(2, 30), st.integers(1, 30))
@settings(deadline=None)
def test_random_subsets_are_of_k_different_classes_and_come_again(seed, n, k):
    k = min(k, n)
    drawn = random_subsets(n, k, 20, seed)
    assert all(len(set(s.tolist())) == k and s.max() < n and (np.diff(s) > 0).all() for s in drawn)
    assert all(np.array_equal(a, b) for a, b in zip(drawn, random_subsets(n, k, 20, seed), strict=True))
    counts = np.bincount(np.concatenate(random_subsets(n, k, 300, seed)), minlength=n)
    assert counts.min() > 0.4 * 300 * k / n - 12, "no class is forgotten"


def test_the_percentile_counts_those_below_and_half_of_those_that_are_equal():
    found = beside("x", np.array([2.0, 1, 2, 2, 3]), 10)
    assert (found.percentile, found.subsets, found.mean, found.clips) == (50, 4, 2, 10)
    assert beside("x", np.array([5.0, 1, 2]), 1).percentile == 100
    assert beside("x", np.array([0.0, 1, 2]), 1).percentile == 0


def test_classes_that_one_frame_tells_are_found_more_biased_than_chance():
    """Half of the classes are told by every frame, the other half by none; motion tells all of them."""
    rng = np.random.default_rng(0)
    own = np.repeat(np.arange(12), 40)
    told = (own < 6)[:, None] * np.eye(12)[own] * 4
    train, test = (told + rng.normal(size=(len(own), 12)) for _ in range(2))
    known = centres(train, own)
    one = np.where((own < 6)[:, None], np.eye(12)[own], 1 / 12)
    gap = np.stack([one + 1e-3 * rng.normal(size=one.shape), np.eye(12)[own]])
    for subset, where in ((np.arange(6), 100), (np.arange(6, 12), 0)):
        found = {m.name: m for m in measure((train, own, known), (test, own), subset, gap=gap)}
        for name in ("RESOUND bias, nearest mean", "RESOUND bias, linear"):
            assert abs(found[name].percentile - where) < 3 and found[name].subsets == 200
        assert abs(found["top-1 from all frames less top-1 from one"].percentile - (100 - where)) < 3
        assert found["entropy of clips per class"].value == pytest.approx(1)
        assert found["RESOUND bias, linear"].clips == 240
