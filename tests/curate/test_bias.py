"""The bias of a class is what one held-out frame gives away of it; checked against loops and against planted scenes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from m2m.curate.bias import centres, class_bias, numbers, pair_recall


def bias_of(vectors, labels, classes):
    own = numbers(labels, classes)
    return class_bias(vectors, own, centres(vectors, own))


def by_loops(vectors, labels, classes):
    """Every clip against the means of all classes, its own made without it."""
    unit = [v / n if (n := np.linalg.norm(v)) else v for v in vectors.astype(float)]
    out = []
    for wanted in classes:
        hits = count = 0
        for i, label in enumerate(labels):
            others = [k for k in range(len(labels)) if labels[k] == wanted and k != i]
            if label != wanted or not others:
                continue
            scores = {}
            for c in classes:
                mean = sum((unit[k] for k in range(len(labels)) if labels[k] == c and k != i), np.zeros(len(unit[0])))
                length = np.linalg.norm(mean)
                scores[c] = float(unit[i] @ mean / length) if length else 0.0
            count += 1
            hits += all(scores[wanted] > s for c, s in scores.items() if c != wanted)
        out.append(np.log((hits + 1 / len(classes)) / (count + 1)) + np.log(len(classes)))
    return np.array(out)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=2, max_size=5), st.floats(0, 2))
def test_it_is_what_loops_over_clips_and_classes_find(seed, sizes, spread):
    rng = np.random.default_rng(seed)
    classes = [f"c{i}" for i in range(len(sizes))]
    labels = [c for c, n in zip(classes, sizes, strict=True) for _ in range(n)]
    centres = dict(zip(classes, rng.normal(size=(len(sizes), 6)), strict=True))
    vectors = np.array([centres[c] + spread * rng.normal(size=6) for c in labels])
    found = bias_of(vectors, labels, classes)
    assert found.bias == pytest.approx(by_loops(vectors, labels, classes))
    assert ((found.recall > 0) & (found.recall <= 1)).all()
    scaled = bias_of(vectors * rng.uniform(0.1, 10, (len(labels), 1)), labels, classes)
    assert scaled.bias == pytest.approx(found.bias)
    order = rng.permutation(len(labels))
    assert np.array_equal(bias_of(vectors[order], [labels[i] for i in order], classes).bias, found.bias)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_the_recall_of_pairs_is_that_of_two_classes_alone(seed, sizes):
    rng = np.random.default_rng(seed)
    own = np.repeat(np.arange(len(sizes)), sizes)
    vectors = rng.normal(size=(len(own), 5)) + 2 * rng.normal(size=(len(sizes), 5))[own]
    pairs = pair_recall(vectors, own, centres(vectors, own))
    assert np.array_equal(np.diag(pairs), np.full(len(sizes), 0.5))
    for i in range(len(sizes)):
        for j in range(len(sizes)):
            if i != j:
                both = np.isin(own, (i, j))
                alone = bias_of(vectors[both], [f"{n}" for n in own[both]], sorted((f"{i}", f"{j}")))
                assert pairs[i, j] == pytest.approx(alone.recall[int(i > j)])


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(3)
    own = rng.integers(7, size=500)
    vectors = rng.normal(size=(500, 8)) + rng.normal(size=(7, 8))[own]
    whole, pairs = class_bias(vectors, own, centres(vectors, own)), pair_recall(vectors, own, centres(vectors, own))
    monkeypatch.setattr("m2m.curate.bias.BLOCK", 13)
    assert centres(vectors, own).sums == pytest.approx(np.stack([
        (vectors[own == i] / np.linalg.norm(vectors[own == i], axis=1, keepdims=True)).sum(0) for i in range(7)
    ]))  # fmt: skip
    assert np.array_equal(class_bias(vectors, own, centres(vectors, own)).bias, whole.bias)
    assert np.array_equal(pair_recall(vectors, own, centres(vectors, own)), pairs)


@pytest.mark.parametrize(
    ("labels", "classes"), [("ab", "aba"), ("ab", "abc"), ("abd", "ab"), ("", "")]
)  # fmt: skip
def test_classes_and_clips_must_fit(labels, classes):
    with pytest.raises(ValueError, match="class"):
        numbers(list(labels), list(classes))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad):
    vectors = np.ones((6, 3))
    vectors[4, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        centres(vectors, np.array([0, 0, 0, 1, 1, 1]))


def test_no_evidence_is_no_bias_and_a_tie_is_a_miss():
    assert bias_of(np.eye(3), ["a", "b", "c"], ["a", "b", "c"]).bias == pytest.approx([0, 0, 0])
    assert (bias_of(np.ones((8, 4)), ["a"] * 4 + ["b"] * 4, ["a", "b"]).bias < 0).all()


def test_planted_scenes_are_ranked():
    """Each class has a scene of its own that it shows with probability p, else any scene."""
    rng = np.random.default_rng(0)
    n, classes = 200, [f"c{i:02}" for i in range(12)]
    planted = np.linspace(0, 1, len(classes))
    scenes = rng.normal(size=(len(classes), 24))
    vectors, labels = [], []
    for i, p in enumerate(planted):
        shown = np.where(rng.uniform(size=n) < p, i, rng.integers(len(classes), size=n))
        vectors.append(scenes[shown] + 0.7 * rng.normal(size=(n, 24)))
        labels += [classes[i]] * n
    bias = bias_of(np.concatenate(vectors), labels, classes).bias
    assert spearmanr(bias, planted).statistic >= 0.8
    assert bias[-1] == pytest.approx(np.log(len(classes)), abs=0.1)


@given(arrays(np.float64, (6, 3), elements=st.floats(-1e3, 1e3)))
def test_zeros_and_equal_vectors_give_finite_numbers(vectors):
    assert np.isfinite(bias_of(vectors, list("aabbcc"), list("abc")).bias).all()
