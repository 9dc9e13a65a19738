"""The curve over what pretraining kept: every model once, nothing twice, and a picture of the gap."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from m2m import curve as curving
from m2m.cli import main
from m2m.curve import learning_curve, read_pretrained
from m2m.errors import InputError
from m2m.experiment import pretrain_set
from m2m.params import to_dict
from m2m.report.figures import epochs
from m2m.report.results import read_result
from tests.train.test_engine import Stop
from tests.train.toysets import EVALUATE, MODEL, PRETRAIN, make_set

ONCE = replace(EVALUATE, ft=replace(EVALUATE.ft, epochs=1), views=(1, 1))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A set and two pretrainings on it, which keep models of epochs 2 and 4 of 5."""
    root = tmp_path_factory.mktemp("curve")
    data = make_set(root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("M2M_TRACKING", "off")
        for seed in (0, 1):
            pretrain_set(data, root / f"p{seed}", replace(PRETRAIN, epochs=5, keep_every=2), MODEL, seed=seed)
    return data, root / "p0", root / "p1"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("M2M_TRACKING", "off")
    monkeypatch.delenv("M2M_WORK", raising=False)


def folders(out: Path) -> list[str]:
    return sorted(str(p.parent.relative_to(out)) for p in out.rglob("metrics.json"))


def test_every_model_is_evaluated_once_by_each_seed(trained, tmp_path):
    data, one, _ = trained
    params = replace(ONCE, seeds=(0, 1))
    done = learning_curve(data, [one], tmp_path, params, MODEL, scratch=True, name="toys")
    assert (done.done, done.found) == (8, 0)
    figures = json.loads((tmp_path / "curve.json").read_text())
    assert (figures["name"], figures["protocol"], figures["classes"], figures["gap"]) == ("toys", "ft", 2, [])
    (line,) = figures["lines"]
    assert line["name"] == "m2m" and [p["epoch"] for p in line["points"]] == [0, 2, 4, 5]
    for point in line["points"]:
        assert point["n"] == 4 and [s["seed"] for s in point["seeds"]] == [0, 1]
        assert point["top1"] == pytest.approx(sum(s["top1"] for s in point["seeds"]) / 2)
        assert point["low"] <= point["top1"] <= point["high"]
    place = tmp_path / line["pretrained"][:12]
    arms = [read_result(place / f"epoch-0000{n}" / "ft-0").arm for n in (2, 4, 5)]
    assert arms == ["m2m (epoch 2)", "m2m (epoch 4)", "m2m"]
    assert read_result(tmp_path / "scratch" / "ft-1").arm == "from scratch"
    assert [len(read_result(place / f"epoch-0000{n}" / "ft-0").curves["pretrain"]) for n in (2, 5)] == [2, 5]
    assert not list(tmp_path.rglob("*.pt"))
    assert "epoch 5 " in str(done) and str(done).startswith("8 evaluations\n")


def test_what_is_done_is_not_done_again(trained, tmp_path, monkeypatch):
    data, one, two = trained
    plain, started = curving.launch, []

    def launch(stage, dataset, checkpoint, *args, **named):
        if len(started) == 2:
            raise Stop
        started.append(checkpoint.name)
        return plain(stage, dataset, checkpoint, *args, **named)

    monkeypatch.setattr(curving, "launch", launch)
    with pytest.raises(Stop):
        learning_curve(data, [one], tmp_path, ONCE, MODEL)
    assert not (tmp_path / "curve.json").exists()
    monkeypatch.setattr(curving, "launch", plain)
    done = learning_curve(data, [one], tmp_path, ONCE, MODEL)
    assert (done.done, done.found) == (1, 2)
    text = (tmp_path / "curve.json").read_bytes()
    picture = (tmp_path / "curve.svg").read_bytes()
    monkeypatch.delattr(curving, "launch")
    assert learning_curve(data, [one], tmp_path, ONCE, MODEL).found == 3
    assert (tmp_path / "curve.json").read_bytes() == text and (tmp_path / "curve.svg").read_bytes() == picture
    monkeypatch.setattr(curving, "launch", plain, raising=False)
    both = learning_curve(data, [one, two], tmp_path, ONCE, MODEL)  # a second line beside the first
    assert (both.done, both.found) == (3, 3)
    names = [line["name"] for line in both.figures["lines"]]
    assert len(set(names)) == 2 and all(re.fullmatch("m2m [0-9a-f]{6}", name) for name in names)
    (a, b) = ([p["top1"] for p in line["points"]] for line in both.figures["lines"])
    assert [g["top1"] for g in both.figures["gap"]] == pytest.approx([x - y for x, y in zip(a, b, strict=True)])
    assert ">gap<" in (tmp_path / "curve.svg").read_text() and ">gap<" not in picture.decode()
    changed = replace(ONCE, ft=replace(ONCE.ft, lr=1e-4))
    assert learning_curve(data, [one], tmp_path, changed, MODEL).found == 0  # another evaluation


def test_the_command(trained, tmp_path, capsys):
    data, one, two = trained
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump({"evaluate": to_dict(ONCE), "model": to_dict(MODEL)}))
    command = ["curve", data, one, two, tmp_path / "out", "--params", params, "--protocol", "lp", "--seed", "3"]
    assert main([str(word) for word in command]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "out" / "curve.svg")
    assert {folder.split("/")[-1] for folder in folders(tmp_path / "out")} == {"lp-3"}


def test_what_cannot_be_drawn_is_named(trained, tmp_path, monkeypatch):
    data, one, _ = trained
    with pytest.raises(InputError, match="not a finished pretraining"):
        read_pretrained(tmp_path)
    with pytest.raises(InputError, match="twice"):
        learning_curve(data, [one, one], tmp_path, ONCE, MODEL)
    figures = json.loads((one / "metrics.json").read_text())
    (tmp_path / "metrics.json").write_text(json.dumps(figures))
    with pytest.raises(InputError, match="kept no model but the last"):
        read_pretrained(tmp_path)
    (tmp_path / "metrics.json").write_text(json.dumps(figures | {"stage": "align"}))
    with pytest.raises(InputError, match="what m2m align wrote"):
        read_pretrained(tmp_path)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="torchrun"):
        learning_curve(data, [one], tmp_path, ONCE, MODEL)


def test_the_gap_is_shaded_where_both_lines_are():
    def rows(*points):
        return [{"epoch": e, "top1": t, "low": t - 0.1, "high": t + 0.1} for e, t in points]

    real, ours = rows((0, 0.2), (10, 0.5), (30, 0.8)), rows((10, 0.6), (20, 0.7), (40, 0.7))
    picture = epochs({"real": real, "m2m": ours}, "UCF101 & more", 0.01)
    assert all(f">{text}<" in picture for text in ("real", "m2m", "gap", "chance", "UCF101 &amp; more"))
    (shade,) = re.findall(r'<g id="FillBetweenPolyCollection_1">.*?\sd="([^"]+)"', picture, re.S)
    across = [float(x) for x, _ in re.findall(r"([\d.]+) (-?[\d.]+)", shade)]
    assert epochs({"real": real, "m2m": ours}) == epochs({"real": real, "m2m": ours})
    assert len(set(across)) == 3  # at 10, 20 and 30, where they are measured
    assert ">gap<" not in epochs({"real": real}) and ">chance<" not in epochs({"real": real})
