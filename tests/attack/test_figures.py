import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

from m2m.attack.figures import Matching, auc, balanced_accuracy, difference, eer, matching_figures, rank1


def test_rank1_by_hand() -> None:
    persons = np.array([0, 0, 1, 1])
    scores = np.array([[0, 9, 1, 1], [2, 0, 5, 1], [1, 1, 0, 1], [1, 1, 3, 0]], float)
    allowed = ~np.eye(4, dtype=bool)
    hits, chance = rank1(Matching(scores, persons, allowed))
    # Right; wrong; three equal scores of which one is right; right.
    assert hits.tolist() == [1, 0, pytest.approx(1 / 3), 1] and chance.tolist() == [pytest.approx(1 / 3)] * 4


def test_a_probe_of_whom_the_gallery_has_nothing_does_not_count() -> None:
    persons, allowed = np.array([0, 0, 1]), ~np.eye(3, dtype=bool)
    hits, _ = rank1(Matching(np.ones((3, 3)), persons, allowed))
    assert np.isnan(hits).tolist() == [False, False, True]
    with pytest.raises(ValueError, match="no probe"):
        matching_figures([Matching(np.ones((3, 3)), np.arange(3), allowed)], 10)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=40), st.integers(0, 9))
def test_auc_and_balanced_accuracy_are_scikit_learns(rows: list, seed: int) -> None:
    scores, genuine = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows])
    weights = np.random.default_rng(seed).integers(1, 4, len(rows)).astype(float)
    if 0 < genuine.sum() < len(rows):
        assert auc(scores, genuine, weights) == pytest.approx(roc_auc_score(genuine, scores, sample_weight=weights))
        assert balanced_accuracy(genuine, scores > 3) == pytest.approx(balanced_accuracy_score(genuine, scores > 3))


def test_eer_lies_where_both_errors_are_alike() -> None:
    rng = np.random.default_rng(2)
    scores, genuine = np.append(rng.normal(1, 1, 4000), rng.normal(0, 1, 6000)), np.arange(10000) < 4000
    false, true, _ = roc_curve(genuine, scores)
    crossing = false[np.argmin(np.abs(false - (1 - true)))]
    assert eer(scores, genuine) == pytest.approx(crossing, abs=2e-3)
    assert eer(scores, genuine) == pytest.approx(0.3085, abs=0.02)  # two normals one deviation apart
    assert eer(np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])) == 0
    assert eer(np.ones(4), np.array([False, True, False, True])) == pytest.approx(0.5)


def _tests(signal: float, persons: int = 12, clips: int = 6) -> list[Matching]:
    out = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        who = np.repeat(np.arange(persons), clips)
        centre = rng.normal(size=(persons, 8))[who]
        seen = signal * centre + rng.normal(size=(len(who), 8))
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        out.append(Matching(seen @ seen.T, who, ~np.eye(len(who), dtype=bool)))
    return out


def test_intervals_hold_chance_without_a_signal_and_leave_it_with_one() -> None:
    nothing, strong = matching_figures(_tests(0.0), 200), matching_figures(_tests(2.0), 200)
    for name in ("eer", "auc"):
        assert nothing[name].low <= nothing[name].chance <= nothing[name].high
    assert nothing["rank1"].low <= nothing["rank1"].chance
    for name in ("rank1", "eer", "auc"):
        assert not strong[name].low <= strong[name].chance <= strong[name].high
        assert strong[name].low <= strong[name].value <= strong[name].high
        assert len(strong[name].each) == 3
    assert nothing["rank1"].chance == pytest.approx(5 / 71)
    over = difference(strong["rank1"], nothing["rank1"])
    assert over[1] > 0.3 and over[0] == pytest.approx(strong["rank1"].value - nothing["rank1"].value)
    assert matching_figures(_tests(2.0), 200)["auc"].draws.tolist() == strong["auc"].draws.tolist()


def test_intervals_are_about_persons_not_pairs() -> None:
    few, many = (matching_figures(_tests(0.7, persons=n), 200)["auc"] for n in (4, 24))
    assert few.high - few.low > 1.5 * (many.high - many.low)
