"""Text in pictures is read and flagged."""

import os
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from m2m.audit.params import AuditParams
from m2m.audit.text import Reader, Text


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(AuditParams())


def page(text: str = "") -> np.ndarray:
    rng = np.random.default_rng(0)
    out = cv2.GaussianBlur(rng.integers(60, 140, (240, 432, 3), np.uint8), (0, 0), 3)
    if text:
        cv2.putText(out, text, (60, 150), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (250, 250, 250), 3, cv2.LINE_AA)
    return out


def test_a_name_is_read_where_it_is(reader):
    text = Text(AuditParams(text_looks=1), reader, 5, 5)
    for t in range(5):
        text.look(t, page("ALICE 42"))
    found = text.check()
    (flag,) = found.figures["flags"]
    assert found.ok and found.figures["looks"] == 1 and flag["frame"] == 2
    assert "ALICE" in flag["text"] and "ALICE" in found.figures["why"]
    x0, y0, x1, y1 = flag["box"]
    assert x0 < 80 < 200 < x1 and y0 < 130 < y1 < 180


def test_without_text_nothing_is_flagged(reader):
    text = Text(AuditParams(), reader, 3, 1)
    for t in range(3):
        text.look(t, page())
    assert text.check().ok and "flags" not in text.check().figures


@pytest.mark.parametrize(
    ("n", "fps", "looks"), [(1, 1, 1), (2, 1, 2), (7, 1, 3), (100, 24, 3), (24, 24, 1), (30, 24, 2)]
)
def test_frames_that_are_read_are_spread_over_the_clip(n, fps, looks):
    seen = []

    class Counting:
        def read(self, frame):
            seen.append(int(frame[0, 0, 0]))
            return []

    text = Text(AuditParams(text_looks=3), Counting(), n, fps)
    for t in range(n):
        text.look(t, np.full((1, 1, 3), t, np.uint8))
    assert len(seen) == looks == len(set(seen))
    assert looks < 3 or np.ptp(seen) > n / 2


def test_without_the_package_or_without_looks_it_is_not_checked(reader):
    assert "pip install rapidocr" in Text(AuditParams(), None, 3, 1).check().figures["why"]
    assert Text(replace(AuditParams(), text_looks=0), reader, 3, 1).check().ok is None


SIGNALS = """
import faulthandler, gc, signal, subprocess
from m2m.audit.params import AuditParams
from m2m.audit.text import Reader
from tests.audit.test_text import page

faulthandler.enable()  # as in pytest and many programs: signals get a stack of their own
readers = [Reader(AuditParams()) for _ in range(2)]
assert all(reader.read(page("ALICE 42")) for reader in readers)
del readers[0]
gc.collect()
readers.clear()
gc.collect()
heard = []
signal.signal(signal.SIGCHLD, lambda *_: heard.append(1))
subprocess.run(["true"], check=True)
while not heard:
    signal.sigtimedwait([], 0.1)
"""


def test_signals_are_still_handled_after_readers_are_gone():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SIGNALS], env=environment, timeout=120, check=False)
    assert done.returncode == 0
