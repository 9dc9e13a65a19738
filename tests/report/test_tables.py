"""Cells, means and comparisons of a reproduced table."""

import copy
import statistics

import numpy as np
import pytest
from scipy import stats

from m2m.errors import InputError
from m2m.report.experiment import read_experiment
from m2m.report.paper import reported_rows
from m2m.report.tables import tabulate
from tests.report.reproduced import evaluation, results, write


def table(tmp_path, data):
    return tabulate(read_experiment(write(tmp_path, data), allow_mixed=True))


@pytest.fixture(scope="module")
def good():
    return results({"real": 0.3, "m2m": 0.9}, n=30, protocols=("ft",), compare=[["m2m", "real"], ["real", "m2m"]])


def test_cells_and_means_are_those_of_the_evaluations(good, tmp_path):
    data = copy.deepcopy(good)
    data["rows"][1]["reported"] = "smply_private"
    found = table(tmp_path, data)
    mine = [e for e in data["evaluations"] if e["row"] == "m2m"]
    cell = found.cells["m2m", "hmdb51", "ft"]
    assert cell.top1 == pytest.approx(statistics.fmean(e["top1"] for e in mine if e["set"] == "hmdb51"))
    assert (cell.seeds, cell.n, cell.chance) == ((0, 1, 2), (30,), pytest.approx(1 / 6))
    assert cell.reported == pytest.approx(0.726) and cell.difference == pytest.approx(cell.top1 - 0.726)
    assert cell.interval[0] < cell.top1 < cell.interval[1]
    mean = found.means["m2m", "ft"]
    assert mean.top1 == pytest.approx(statistics.fmean(e["top1"] for e in mine))
    assert mean.reported == pytest.approx(
        reported_rows("table1")["smply_private"].mean([s["title"] for s in data["sets"]], "ft")
    )
    assert mean.misprint is None and mean.interval[0] < mean.top1 < mean.interval[1]
    assert mean.interval[1] - mean.interval[0] < cell.interval[1] - cell.interval[0]
    assert found.means["real", "ft"].reported is None


def test_a_comparison_has_its_sign_and_holms_p(good, tmp_path):
    one, other = table(tmp_path, good).comparisons
    assert one.verdict == f"higher by {100 * one.found.value:.1f} points"
    assert other.verdict == f"lower by {100 * one.found.value:.1f} points"
    assert one.found.value == pytest.approx(-other.found.value)
    assert one.p == pytest.approx(2 * one.found.p) and list(one.by_set) == [s["title"] for s in good["sets"]]
    assert statistics.fmean(e.value for e in one.by_set.values()) == pytest.approx(one.found.value)


def test_one_seed_is_the_paired_t_test_and_says_so(tmp_path):
    rng = np.random.default_rng(0)
    a, b = rng.random(40) < 0.9, rng.random(40) < 0.4
    data = results({"a": 0.5, "b": 0.5}, sets={"one": "One"}, protocols=("lp",), seeds=(0,), compare=[["a", "b"]])
    data["evaluations"] = [evaluation("a", "one", "lp", 0, a), evaluation("b", "one", "lp", 0, b)]
    found = table(tmp_path, data)
    (comparison,) = found.comparisons
    assert comparison.p == pytest.approx(stats.ttest_rel(a.astype(float), b.astype(float)).pvalue)
    assert comparison.verdict.endswith("points, for this training only: one seed")
    cell, given = found.cells["a", "one", "lp"], data["evaluations"][0]
    assert cell.interval == (given["low"], given["high"])


def without(data, **which):
    data = copy.deepcopy(data)
    data["evaluations"] = [e for e in data["evaluations"] if any(e[k] != v for k, v in which.items())]
    return data


def test_a_missing_set_is_named_and_there_is_no_mean(good, tmp_path):
    data = without(good, row="m2m", set="ikeafa")
    why = "the videos are not here"
    data["missing"] = [{"row": "m2m", "set": "ikeafa", "protocol": "ft", "seed": s, "why": why} for s in (0, 1)]
    found = table(tmp_path, data)
    assert found.cells["m2m", "ikeafa", "ft"].why == why
    mean = found.means["m2m", "ft"]
    assert (mean.top1, mean.interval, mean.missing, mean.difference) == (None, None, ("IkeaFA",), None)
    assert found.comparisons[0].verdict == "not comparable: IkeaFA: one of them is missing"
    assert found.comparisons[0].p is None and len(found.comparisons[0].by_set) == 4
    assert (
        "nothing says why" in table(tmp_path, without(good, row="m2m", set="ikeafa")).cells["m2m", "ikeafa", "ft"].why
    )


def test_a_reason_stands_once_after_the_sets_that_it_holds_for(good, tmp_path):
    data = without(without(good, row="m2m", set="ikeafa"), row="m2m", set="ucf101")
    data = without(data, row="m2m", set="hmdb51", seed=0)
    verdict = table(tmp_path, data).comparisons[0].verdict
    assert verdict == "not comparable: UCF101, IkeaFA: one of them is missing; HMDB51: seeds 1, 2 against 0, 1, 2"


def test_what_is_not_comparable_takes_no_part_in_the_correction(good, tmp_path):
    data = copy.deepcopy(good)
    data["rows"].append({**data["rows"][1], "name": "blur", "title": "blur"})
    data["compare"] = [["m2m", "real"], ["blur", "real"]]
    one, other = table(tmp_path, data).comparisons
    assert one.p == one.found.p and other.found is None


def test_other_seeds_are_not_comparable(good, tmp_path):
    found = table(tmp_path, without(good, row="m2m", set="ucf101", seed=2))
    assert found.comparisons[0].verdict == "not comparable: UCF101: seeds 0, 1 against 0, 1, 2"
    assert found.means["m2m", "ft"].interval is None and found.means["m2m", "ft"].top1 is not None


def test_seeds_that_differ_by_set_are_not_comparable(good, tmp_path):
    found = table(tmp_path, without(good, set="ucf101", seed=2))
    assert found.comparisons[0].verdict.startswith("not comparable: seeds differ by set: UCF101 0, 1; HMDB51 0, 1, 2")


def test_other_clips_are_not_comparable(good, tmp_path):
    data = copy.deepcopy(good)
    one = next(e for e in data["evaluations"] if (e["row"], e["set"], e["seed"]) == ("m2m", "ucf101", 1))
    one["clips"] = {f"other_{k}" if i < 4 else k: v for i, (k, v) in enumerate(one["clips"].items())}
    found = table(tmp_path, data)
    assert found.comparisons[0].verdict == "not comparable: UCF101: different clips, 26 of 30 in all"
    assert found.cells["m2m", "ucf101", "ft"].interval is None
    one["clips"] = {}
    assert "not known clip by clip" in table(tmp_path, data).comparisons[0].verdict
    data = copy.deepcopy(good)
    data["evaluations"][0]["test_hash"] = "another"
    assert "UCF101: different versions of the clips" in table(tmp_path, data).comparisons[0].verdict


def test_rows_less_the_baseline_beside_the_papers(tmp_path):
    names = ("align_no_human", "align_real", "align_m2m")
    data = results(dict.fromkeys(names, 0.6), name="table4", n=8, protocols=("ft",), baseline="align_real")
    for row in data["rows"]:
        row["reported"] = row["name"]
    found = table(tmp_path, data)
    assert set(found.deltas) == {("align_no_human", "ft"), ("align_m2m", "ft")}
    delta = found.deltas["align_no_human", "ft"]
    means = {name: found.means[name, "ft"].top1 for name in names}
    assert delta.found.value == pytest.approx(means["align_no_human"] - means["align_real"])
    assert (100 * delta.reported, 100 * delta.misprint) == (pytest.approx(-2.64), pytest.approx(2.7))
    assert delta.p is None and found.comparisons == ()


def test_a_reported_row_that_the_paper_does_not_have_is_an_error(good, tmp_path):
    data = copy.deepcopy(good)
    data["rows"][0]["reported"] = "nobody"
    with pytest.raises(InputError, match="table1 has no row 'nobody'"):
        table(tmp_path, data)
