"""Clusters: no class is lost, none is empty, the objective is the least there is, weight 0 is plain k-means."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from m2m.curate.cluster import augmented, cluster, explained, look, standardised


def partitions(n, k):
    """All ways to divide n things into exactly k sets, as numbers by first appearance."""
    if n == 0:
        return [[]] if k == 0 else []
    out = [[*p, j] for p in partitions(n - 1, k) for j in range(k)]
    return out + [[*p, k - 1] for p in partitions(n - 1, k - 1)]


def objective(points, members):
    members = np.asarray(members)
    return sum(((points[members == j] - points[members == j].mean(0)) ** 2).sum() for j in set(members.tolist()))


seeds = st.integers(0, 10**6)


@given(seeds, st.integers(1, 12), st.integers(1, 12), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_every_class_is_in_one_of_k_clusters_even_where_points_are_equal(seed, c, k, distinct):
    k = min(k, c)
    points = np.random.default_rng(seed).normal(size=(distinct, 4))[np.arange(c) % distinct]
    found = cluster(points, k, seed=0, starts=2)
    assert set(found.members.tolist()) == set(range(k)) and len(found.members) == c
    assert list(dict.fromkeys(found.members.tolist())) == list(range(k)), "numbered as they appear"
    assert found.objective == pytest.approx(objective(points, found.members), abs=1e-6)
    assert found.distances().sum() == pytest.approx(found.objective)


@given(seeds, st.integers(2, 40), st.integers(1, 8))
@settings(max_examples=30, deadline=None)
def test_the_objective_never_rises_and_ends_where_the_trace_does(seed, c, k):
    points = np.random.default_rng(seed).normal(size=(c, 3))
    found = cluster(points, min(k, c), seed=seed, starts=3)
    assert all(b <= a + 1e-9 for a, b in pairwise(found.trace))
    assert found.trace[-1] == pytest.approx(found.objective, abs=1e-6)
    more = cluster(points, min(k, c), seed=seed, starts=9)
    assert more.objective <= found.objective + 1e-9, "more starts are never worse"


@given(seeds, st.integers(2, 30), st.floats(0, 5))
@settings(deadline=None)
def test_the_weight_is_the_variance_of_the_bias_where_that_of_the_look_is_1(seed, c, weight):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=6) * rng.uniform(0, 30)  # means that resemble each other weigh as much as any
    means, bias = rng.normal(size=(c, 6)) + common, rng.normal(size=c)
    variance = augmented(means, bias, weight).var(axis=0)
    assert variance[:-1].sum() == pytest.approx(1)
    assert variance[-1] == pytest.approx(weight)
    assert np.allclose(augmented(means * rng.uniform(0.1, 9, (c, 1)), bias, weight), augmented(means, bias, weight))


def test_what_clusters_explain_is_all_or_nothing_at_the_ends():
    values = np.array([[0.0], [0.0], [4.0], [4.0]])
    assert explained(values, np.array([0, 0, 1, 1])) == 1
    assert explained(values, np.array([0, 1, 0, 1])) == 0
    assert explained(np.ones((4, 2)), np.zeros(4, int)) == 1


@pytest.mark.parametrize("seed", range(6))
def test_the_objective_is_the_least_of_all_partitions(seed):
    points = np.random.default_rng(seed).normal(size=(7, 3))
    best = min(objective(points, p) for p in partitions(7, 3))
    assert cluster(points, 3, seed=0, starts=30).objective == pytest.approx(best)


def test_weight_0_is_plain_k_means_on_directions():
    rng = np.random.default_rng(1)
    means, bias = rng.normal(size=(20, 5)), rng.normal(size=20)
    points = augmented(means, bias, 0.0)
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    plain = KMeans(4, n_init=30, random_state=3).fit(unit)
    found = cluster(points, 4, seed=3, starts=30)
    total = ((unit - unit.mean(0)) ** 2).sum()
    assert found.objective / len(points) == pytest.approx(plain.inertia_ / total)
    pairs = set(zip(found.members.tolist(), plain.labels_.tolist(), strict=True))
    assert len(pairs) == 4, "the same clusters under other numbers"


def test_a_large_weight_divides_by_bias_alone():
    rng = np.random.default_rng(2)
    bias = np.concatenate([rng.normal(-2, 0.1, 5), rng.normal(2, 0.1, 5)])
    found = cluster(augmented(rng.normal(size=(10, 4)), bias, 1e4), 2, seed=0)
    assert found.members.tolist() == [0] * 5 + [1] * 5
    assert explained(standardised(bias), found.members) > 0.99


def test_equal_biases_change_nothing():
    means = np.random.default_rng(3).normal(size=(5, 4))
    assert np.array_equal(augmented(means, np.full(5, 0.3), 2.0), augmented(means, np.zeros(5), 0.0))


@pytest.mark.parametrize("bad", [np.array([[np.nan, 1]]), np.zeros((1, 2)), np.array([[np.inf, 1]])])
def test_what_has_no_direction_is_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        augmented(bad, np.zeros(1), 1.0)
    with pytest.raises(ValueError, match="finite"):
        augmented(np.ones((2, 2)), np.array([0, np.nan]), 1.0)


def test_equal_looks_have_no_variance():
    assert not look(np.full((3, 2), 0.7)).any()


@pytest.mark.parametrize("k", [0, 4])
def test_k_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match="1 to 3"):
        cluster(np.eye(3), k, seed=0)
