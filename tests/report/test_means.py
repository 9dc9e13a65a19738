"""Means over sets are computed from what is there, and said to be missing where a set is."""

import csv
import statistics
from dataclasses import replace
from importlib import resources

import pytest

from m2m.report.figures import confusion
from m2m.report.means import MOST_DRAWN, by_class, means, reported_means
from m2m.report.pages import render
from m2m.report.results import lines, read_result
from tests.report.test_results import write_evaluation

PAPER = ("UCF101", "HMDB51", "Diving48", "IkeaFA", "UAV-Human")


@pytest.fixture
def result(tmp_path):
    one = read_result(write_evaluation(tmp_path / "one", 0.5, 0))

    def make(arm: str, name: str, top1: float, seed: int = 0, **more):
        return replace(one, arm=arm, name=name, top1=top1, seed=seed, fingerprint=f"{arm}{name}{seed}{more}", **more)

    return make


def page(results) -> str:
    found = [(c, [(arm, confusion(n, c.labels, arm)) for arm, n in c.confusions.items()]) for c in by_class(results)]
    empty = {"version": "", "title": "", "sets": [], "samples": [], "any_reported": True, "figures": []}
    return render("run.html", lines=lines(results), means=means(results), classes=found, **empty)


@pytest.mark.parametrize(
    ("row", "protocol", "mean"),
    [("smply_private_knexus", "ft", 69.36), ("i3d_r50", "ft", 54.12), ("videomae_align_real", "ft", 68.04)],
)
def test_the_papers_means_recomputed(row, protocol, mean):
    """As facts and figures of the paper's printed rows have them; the first two are not what it prints."""
    assert 100 * reported_means()[row][protocol] == pytest.approx(mean, abs=1e-9)


def test_all_other_means_are_as_printed():
    text = resources.files("m2m.report").joinpath("reported", "table1.csv").read_text()
    apart = set()
    for row in csv.DictReader(text.splitlines()):
        for protocol, mean in reported_means()[row["row"]].items():
            if abs(100 * mean - float(row[f"mean_{protocol}_printed"])) > 0.05 + 1e-9:
                apart.add((row["row"], protocol))
    assert apart == {("smply_private_knexus", "ft"), ("i3d_r50", "ft")}


def test_measured_and_reported_side_by_side(result):
    scores = {name: [0.1 * i + 0.05 * seed for seed in (0, 1)] for i, name in enumerate(PAPER)}
    results = [result("m2m", name, top1, seed) for name, both in scores.items() for seed, top1 in enumerate(both)]
    (mean,) = means(results)
    assert mean.top1 == pytest.approx(statistics.fmean(top1 for both in scores.values() for top1 in both))
    assert (mean.seeds, mean.missing) == ((0, 1), ())
    assert (mean.least, mean.most) == (pytest.approx(0.2), pytest.approx(0.25))
    assert mean.reported == pytest.approx(reported_means()["smply_private"]["ft"])
    assert mean.difference == pytest.approx(mean.top1 - mean.reported)
    text = page(results)
    assert f"{100 * mean.top1:.1f} %</b>" in text and "67.5 %" in text


def test_a_set_that_is_missing_is_named_in_place_of_a_mean(result):
    results = [result("m2m", "UCF101", 0.5), result("m2m", "blocks", 0.7), result("real", "UCF101", 0.6)]
    ours, real = means(results)
    assert (ours.top1, ours.missing, ours.reported) == (pytest.approx(0.6), (), None)  # the paper has no blocks
    assert (real.top1, real.missing, real.difference) == (None, ("blocks",), None)
    assert "no mean: blocks missing" in page(results)


def test_one_set_has_no_mean_and_protocols_are_apart(result):
    assert means([result("m2m", "UCF101", 0.5), result("real", "UCF101", 0.5)]) == []
    both = [result("m2m", name, top1, protocol=p) for p, top1 in (("ft", 0.9), ("lp", 0.1)) for name in PAPER[:2]]
    assert [(m.how, m.top1) for m in means(both)] == [("FT", pytest.approx(0.9)), ("LP", pytest.approx(0.1))]


def test_seeds_that_not_all_sets_have_make_no_range(result):
    (mean,) = means([result("m2m", "a", 0.2, 0), result("m2m", "a", 0.4, 1), result("m2m", "b", 0.9, 2)])
    assert mean.top1 == pytest.approx((0.3 + 0.9) / 2) and (mean.seeds, mean.least) == ((), None)


def test_classes_are_rows_and_arms_columns(result):
    results = [result("m2m", "blocks", 0.9, seed) for seed in (0, 1)] + [result("real", "blocks", 0.9)]
    (found,) = by_class(results)
    assert found.arms == ("m2m", "real")
    assert found.rows[0] == ("a", 5, (0.6, 0.6)) and found.rows[3] == ("d", 5, (0.0, 0.0))
    assert found.confusions["m2m"][0] == [6, 2, 2, 0] and found.confusions["real"][3] == [5, 0, 0, 0]
    text = page(results)
    assert "blocks, FT: by class" in text and "60 %" in text and text.count("<svg") == 2


def test_the_confusions_of_many_classes_are_not_drawn(result):
    n = MOST_DRAWN + 1
    many = tuple(tuple(int(i == j) for j in range(n)) for i in range(n))
    results = [result("m2m", "blocks", 0.9, labels=tuple(f"c{i:02}" for i in range(n)), confusion=many)]
    assert len(by_class(results)[0].rows) == n
    assert "<svg" not in page(results) and "metrics.json" in page(results)
