"""The bias of a class is what one held-out frame gives away of it; checked against loops and against planted scenes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from m2m.curate.bias import class_bias


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
    bias, recall = class_bias(vectors, labels, classes)
    assert bias == pytest.approx(by_loops(vectors, labels, classes))
    assert ((recall > 0) & (recall <= 1)).all()
    scaled, _ = class_bias(vectors * rng.uniform(0.1, 10, (len(labels), 1)), labels, classes)
    assert scaled == pytest.approx(bias)


def test_no_evidence_is_no_bias_and_a_tie_is_a_miss():
    bias, _ = class_bias(np.eye(3), ["a", "b", "c"], ["a", "b", "c"])
    assert bias == pytest.approx([0, 0, 0])
    same, _ = class_bias(np.ones((8, 4)), ["a"] * 4 + ["b"] * 4, ["a", "b"])
    assert (same < 0).all()


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
    bias, _ = class_bias(np.concatenate(vectors), labels, classes)
    assert spearmanr(bias, planted).statistic >= 0.8
    assert bias[-1] == pytest.approx(np.log(len(classes)), abs=0.1)


@given(arrays(np.float64, (6, 3), elements=st.floats(-1e3, 1e3)))
def test_zeros_and_equal_vectors_give_finite_numbers(vectors):
    bias, _ = class_bias(vectors, list("aabbcc"), list("abc"))
    assert np.isfinite(bias).all()
