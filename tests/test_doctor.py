"""What works on a machine, a line a backend, and what mends the rest."""

import importlib.util

import pytest

from m2m import doctor
from m2m.cli import main
from m2m.doctor import PROBES, examine
from m2m.errors import InfrastructureError
from m2m.params import load
from m2m.upstream import UPSTREAMS


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A machine without weights, checkouts or stores."""
    for one in UPSTREAMS.values():
        monkeypatch.delenv(one.variable, raising=False)
    for name in ("M2M_STORE", "M2M_WORK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path / "weights"))
    for name in ("render/pyrender", "gpu/draw", "gpu/compute"):  # those ask the machine
        monkeypatch.setitem(PROBES, name, lambda _: "there")


def found(params, **more):
    return {line.name: line for line in examine(params, **more).lines}


def test_the_default_is_ready_and_the_rest_says_what_mends_it():
    params = load("augment", "laptop")
    lines = found(params)
    assert examine(params).fit
    assert all(lines[name].works for name in ("detect/embedded", "inpaint/temporal", "recover/ik", "body/mannequin"))
    for name, word in (
        ("inpaint/e2fgvi", "git clone https://github.com/MCG-NKU/E2FGVI"),
        ("recover/osx", "git clone https://github.com/IDEA-Research/OSX"),
        ("detect/torchvision", "m2m weights fetch mask_rcnn_R_101_FPN_3x"),
        ("store/data", "export M2M_STORE="),
    ):
        assert not lines[name].works and word in lines[name].mend, name


def test_what_is_needed_and_missing_is_not_fit(monkeypatch):
    params = load("augment", overrides={"inpaint": {"backend": "e2fgvi-hq"}})
    result = examine(params)
    assert not result.fit and "missing for these parameters: inpaint/e2fgvi-hq" in str(result)
    monkeypatch.setitem(PROBES, "gpu/compute", doctor._compute)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert not found(load("augment"), gpu=True)["gpu/compute"].works
    assert not examine(load("augment"), gpu=True).fit and examine(load("augment")).fit


def test_weights_that_are_there_are_told_with_their_licence(monkeypatch, tmp_path):
    own = tmp_path / "model.pkl"
    own.write_bytes(b"weights")
    params = load("augment", overrides={"detect": {"backend": "torchvision", "mask_rcnn": {"weights": str(own)}}})
    line = found(params)["detect/torchvision"]
    assert line.works and str(own) in line.text and "Apache-2.0" in line.text


def test_a_package_that_is_missing_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    with pytest.raises(InfrastructureError, match="not installed: torch"):
        doctor._packages("paper", "torch", "numpy")


def test_the_command_prints_a_line_a_backend_and_its_exit_code_tells(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert all(f" {name} " in said or f"{name}\n" in said for name in PROBES)
    assert "ready for these parameters" in said
    assert main(["doctor", "--profile", "paper"]) == 5
    assert "MISSING inpaint/e2fgvi-hq" in capsys.readouterr().out
