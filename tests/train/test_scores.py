"""Top-k, intervals and confusions against independent computations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, top_k_accuracy_score

from m2m.train.scores import share, summary, top_k


@given(st.integers(1, 500), st.data())
def test_intervals_are_wilsons(n, data):
    k = data.draw(st.integers(0, n))
    found = share(k, n)
    wanted = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert (found.value, found.n) == (k / n, n)
    assert found.low == pytest.approx(wanted.low, abs=1e-9) and found.high == pytest.approx(wanted.high, abs=1e-9)


@pytest.mark.parametrize(("k", "n"), [(1, 0), (-1, 3), (4, 3)])
def test_what_is_no_share_is_refused(k, n):
    with pytest.raises(ValueError, match="no share"):
        share(k, n)


def test_the_summary_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    scores, labels = rng.uniform(size=(40, 7)), rng.permutation(np.arange(40) % 7)
    classes = tuple("abcdefg")
    found = summary(scores, labels, classes)
    assert found["top1"]["value"] == pytest.approx(top_k_accuracy_score(labels, scores, k=1))
    assert found["top5"]["value"] == pytest.approx(top_k_accuracy_score(labels, scores, k=5))
    assert found["top5"]["k"] == 5
    wanted = confusion_matrix(labels, scores.argmax(1))
    assert np.array_equal(found["confusion"], wanted)
    for i, row in enumerate(found["per_class"]):
        assert (row["label"], row["correct"], row["n"]) == (classes[i], wanted[i, i], wanted[i].sum())


def test_few_classes_have_no_top_5():
    found = summary(np.eye(3), np.array([0, 1, 0]), ("a", "b", "c"))
    assert found["top5"]["k"] == 3 and found["top5"]["value"] == 1 and found["top1"]["correct"] == 2


def test_equal_scores_are_no_hit():
    assert top_k(np.zeros((4, 3)), np.array([0, 1, 2, 0]), 1) == 0
    assert top_k(np.zeros((4, 3)), np.array([0, 1, 2, 0]), 3) == 4
