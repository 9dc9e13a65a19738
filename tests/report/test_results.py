"""The table of results: seeds joined, the paper's figures beside."""

import json
import statistics
from pathlib import Path

import pytest

from m2m.errors import InputError
from m2m.report.results import lines, read_result, reported


def write_evaluation(
    folder: Path, top1: float, seed: int, variant: str = "m2m", name: str = "blocks", features: int = 0
) -> Path:
    folder.mkdir(parents=True)
    (folder / "lineage").mkdir()
    for stage in ("pretrain", "align"):
        figures = {"variant": variant, "history": [{"loss": 1.0}]}
        (folder / "lineage" / f"{stage}.json").write_text(json.dumps(figures))
    share = {"value": top1, "low": top1 - 0.1, "high": top1 + 0.1, "n": 20, "correct": round(20 * top1)}
    figures = {
        "name": name,
        "dataset": "d",
        "variant": variant,
        "protocol": "ft",
        "seed": seed,
        "top1": share,
        "top5": share,
        "classes": ["a", "b", "c", "d"],
        "confusion": [[3, 1, 1, 0], [0, 5, 0, 0], [0, 0, 5, 0], [5, 0, 0, 0]],
        "fingerprint": f"{name}{variant}{seed}{features}",
        **({"features": {"epochs": features, "trunk": "t"}} if features else {}),
        "history": [{"loss": 1.0, "val_top1": top1}],
    }
    (folder / "metrics.json").write_text(json.dumps(figures))
    return folder


def test_seeds_are_joined_and_a_doubled_evaluation_counts_once(tmp_path):
    folders = [write_evaluation(tmp_path / str(i), top1, i) for i, top1 in enumerate((0.5, 0.7, 0.9))]
    results = [read_result(f) for f in [*folders, folders[0]]]
    (line,) = lines(results)
    assert line.seeds == (0, 1, 2)
    assert line.top1 == pytest.approx(statistics.fmean((0.5, 0.7, 0.9)))
    assert (line.least, line.most, line.n, line.chance) == (0.5, 0.9, 20, 0.25)
    assert line.reported is None
    assert line.difference is None


def test_arms_that_differ_are_lines_of_their_own(tmp_path):
    results = [read_result(write_evaluation(tmp_path / v, 0.5, 0, v)) for v in ("m2m", "real", "no_human")]
    assert [line.arm for line in lines(results)] == ["m2m", "no_human", "real"]


def test_a_probe_of_kept_features_is_no_seed_of_another(tmp_path):
    results = [read_result(write_evaluation(tmp_path / str(n), 0.5, 0, features=n)) for n in (0, 4)]
    assert [line.how for line in lines(results)] == ["FT", "FT, features of 4 epochs"]


@pytest.mark.parametrize(
    ("arm", "name", "protocol", "value"),
    [
        ("m2m", "UCF101", "ft", 0.932),
        ("m2m", "UAV-Human", "lp", 0.143),
        ("real", "hmdb51", "ft", 0.735),
        ("no_human", "UCF101", "ft", None),
        ("m2m", "blocks", "ft", None),
    ],
)
def test_the_papers_figures(arm, name, protocol, value):
    found = reported(arm, name, protocol)
    assert found == (None if value is None else pytest.approx(value))


def test_a_difference_is_measured_minus_reported(tmp_path):
    (line,) = lines([read_result(write_evaluation(tmp_path / "a", 0.5, 0, name="UCF101"))])
    assert line.difference == pytest.approx(0.5 - 0.932)


def test_what_is_no_evaluation_is_named(tmp_path):
    with pytest.raises(InputError, match="is not an evaluation"):
        read_result(tmp_path)
