"""Learning curves: panels, the early and the late gap, and how they go with bias."""

import copy

import numpy as np
import pytest
from scipy import stats

from m2m.report.experiment import read_experiment
from m2m.report.learning import learning, spearman
from tests.report.reproduced import PAPER, evaluation, results, write

EPOCHS = (0, 5, 10, 20, 40, 80, 160)


def curves(tmp_path, data):
    return learning(read_experiment(write(tmp_path, data), allow_mixed=True))


@pytest.fixture(scope="module")
def given():
    """M2M ahead early, the more so the more bias a set has; real ahead late. One seed more than one."""
    rng = np.random.default_rng(0)
    data = results({"real": 0.5, "m2m": 0.5}, name="figure3", protocols=("ft",), epochs=(0,), n=1)
    lead = dict(zip(PAPER, (0.5, 0.4, 0.3, 0.2, 0.1), strict=True))
    for i, one in enumerate(data["sets"]):
        one["bias"] = 1.5 - 0.1 * i
    data["sets"].reverse()
    data["evaluations"] = [
        evaluation(row, name, "ft", seed, rng.random(300) < 0.4 + (gap if row == "m2m" else 0), epoch=epoch)
        for row in ("real", "m2m")
        for name in PAPER
        for seed in (0, 1, 2)
        for k, epoch in enumerate(EPOCHS)
        for gap in (lead[name] if k < 3 else -0.1,)
    ]
    return {**data, "compare": [["m2m", "real"]]}


def test_panels_are_in_order_of_falling_bias(given, tmp_path):
    found = curves(tmp_path, given)
    assert [p.set.name for p in found.panels] == list(PAPER)
    panel = found.panels[0]
    assert list(panel.lines) == ["real row", "m2m row"] and panel.chance == pytest.approx(1 / 6)
    assert [row["epoch"] for row in panel.lines["m2m row"]] == list(EPOCHS)
    row = panel.lines["m2m row"][0]
    mine = [e["top1"] for e in given["evaluations"] if (e["row"], e["set"], e["epoch"]) == ("m2m", "ucf101", 0)]
    assert row["top1"] == pytest.approx(np.mean(mine)) and (row["seeds"], row["n"]) == (3, 300)
    assert row["low"] < row["top1"] < row["high"]


def test_the_early_gap_is_of_the_first_third_and_the_late_of_the_last(given, tmp_path):
    early, late = curves(tmp_path, given).gaps
    assert (early.what, late.what) == ("early", "late")
    assert early.found.value == pytest.approx(0.3, abs=0.03) and early.verdict.startswith("higher by")
    assert late.found.value == pytest.approx(-0.1, abs=0.03) and late.verdict.startswith("lower by")
    top1 = {(e["row"], e["epoch"]): [] for e in given["evaluations"]}
    for e in given["evaluations"]:
        if e["set"] == "hmdb51":
            top1[e["row"], e["epoch"]].append(e["top1"])
    by_hand = np.mean([np.mean(top1["m2m", k]) - np.mean(top1["real", k]) for k in EPOCHS[:3]])
    assert early.by_set["HMDB51"].value == pytest.approx(by_hand)


def test_a_gap_that_grows_with_bias_is_found(given, tmp_path):
    (trend,) = curves(tmp_path, given).trends
    assert (trend.sets, trend.rho, trend.p) == (5, pytest.approx(1), pytest.approx(2 / 120))
    data = copy.deepcopy(given)
    for one in data["sets"][:3]:
        one["bias"] = None
    assert curves(tmp_path, data).trends == ()
    assert [p.set.bias for p in curves(tmp_path, data).panels][2:] == [None] * 3


def test_without_pairs_the_first_two_rows_are_compared(given, tmp_path):
    early, _ = curves(tmp_path, {**given, "compare": []}).gaps
    assert (early.first, early.second) == ("real", "m2m") and early.verdict.startswith("lower by")


def test_what_is_not_there_for_both_makes_no_gap(given, tmp_path):
    data = copy.deepcopy(given)
    data["evaluations"] = [e for e in data["evaluations"] if (e["row"], e["set"]) != ("m2m", "ikeafa")]
    early, _ = curves(tmp_path, data).gaps
    assert early.verdict == "not comparable: IkeaFA: no checkpoint of both" and len(early.by_set) == 4
    data = copy.deepcopy(given)
    data["evaluations"] = [
        e for e in data["evaluations"] if (e["row"], e["set"], e["epoch"], e["seed"]) != ("m2m", "ikeafa", 5, 2)
    ]
    early, late = curves(tmp_path, data).gaps
    assert early.verdict == "not comparable: IkeaFA: epoch 5: seeds 0, 1 against 0, 1, 2" and late.found is not None
    data["evaluations"] = [e for e in data["evaluations"] if (e["set"], e["epoch"], e["seed"]) != ("ikeafa", 5, 2)]
    assert "IkeaFA: seeds or clips differ by checkpoint" in curves(tmp_path, data).gaps[0].verdict


@pytest.mark.parametrize("ys", [[1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [3, 3, 1, 5, 2], [1, 1, 1, 1, 1]])
def test_spearman_is_scipys_with_an_exact_p(ys):
    xs = [1.0, 2.0, 3.0, 4.0, 5.0]
    rho, p = spearman(xs, ys)
    if len(set(ys)) == 1:
        assert (rho, p) == (0, 1)
        return
    assert rho == pytest.approx(stats.spearmanr(xs, ys).statistic)
    exact = stats.permutation_test(
        (ys,), lambda y: stats.spearmanr(xs, y).statistic, permutation_type="pairings", n_resamples=np.inf
    )
    assert p == pytest.approx(exact.pvalue)


def test_spearman_of_many_has_no_exact_p_and_of_two_is_none():
    assert spearman(range(9), range(9)) == (pytest.approx(1), None)
    with pytest.raises(ValueError, match="no rank correlation"):
        spearman([1, 2], [1, 2])
