"""Text that can be read in a clip: names, captions, number plates, shirts. RapidOCR reads it, and it is flagged."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from m2m.audit.params import AuditParams
from m2m.audit.rows import Check
from m2m.augment.detect.vino import load_openvino, own_signal_stack

PACKAGE = "rapidocr==3.10.0"
LINES = 480
"""Lines to which smaller frames grow before they are read."""


class Reader:
    """Finds and reads text by PP-OCR's small models, which come with the package.

    Args:
        params: Scores, threads.

    Raises:
        ImportError: The package is not installed.
        InfrastructureError: OpenVINO is not.
    """

    def __init__(self, params: AuditParams) -> None:
        load_openvino()  # the first import decides whether its makers are told
        from rapidocr import EngineType, RapidOCR

        # Frames of 240 lines are read at twice their size: three times would find little more, at twice the cost.
        size = {"Det.limit_type": "min", "Det.limit_side_len": LINES}
        engine = {f"{part}.engine_type": EngineType.OPENVINO for part in ("Det", "Cls", "Rec")}
        threads = {"EngineConfig.openvino.inference_num_threads": params.threads}
        self._params = params
        quiet = {"Global.use_cls": False, "Global.log_level": "critical"}
        self._ocr = RapidOCR(params={**engine, **threads, **size, **quiet})
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)  # it warns of every picture without text

    def read(self, frame: np.ndarray) -> list[dict[str, Any]]:
        """What can be read in a frame (H, W, 3) uint8 RGB, in the form of sightings; `text` is what."""
        with own_signal_stack(), _exact():  # networks are compiled when they are first asked
            found: Any = self._ocr(np.ascontiguousarray(frame[..., ::-1]))
        if found.txts is None:
            return []
        read = []
        for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True):
            letters = sum(c.isalnum() for c in text)
            if score >= self._params.legible and letters >= self._params.letters:
                (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
                box = [round(float(v), 1) for v in (x0, y0, x1, y1)]
                read.append({"kind": "text", "source": "rapidocr", "box": box, "score": round(float(score), 3)})
                read[-1]["text"] = text
        return read


@contextmanager
def _exact() -> Iterator[None]:
    """RapidOCR's networks are made to run in float32, for which it has no option.

    In bfloat16, its default where a processor has it, what is read differs by processor.
    """
    from rapidocr.inference_engine.openvino.device_config import CPUConfig

    own = CPUConfig.get_config
    CPUConfig.get_config = lambda self: {**own(self), "INFERENCE_PRECISION_HINT": "f32"}  # type: ignore[method-assign]
    try:
        yield
    finally:
        CPUConfig.get_config = own  # type: ignore[method-assign]


class Text:
    """Reads a few frames of a clip.

    Args:
        params: How many frames, scores.
        reader: None where the package is missing.
        n_frames: Frames of the clip.
        fps: Frames a second.
    """

    def __init__(self, params: AuditParams, reader: Reader | None, n_frames: int, fps: float) -> None:
        self._reader = reader
        self._found: list[dict[str, Any]] = []
        self._looks = 0
        count = min(params.text_looks, max(1, math.ceil(n_frames / max(fps, 1.0))))  # text stays for a second
        self._times = {round((i + 0.5) * n_frames / count - 0.5) for i in range(count)} if params.text_looks else set()

    def look(self, t: int, output: np.ndarray) -> None:
        """Reads an output (H, W, 3) uint8 RGB, if its turn has come."""
        if self._reader is not None and t in self._times:
            self._looks += 1
            self._found += [{"frame": t, **read} for read in self._reader.read(output)]

    def check(self) -> Check:
        """What was read. Only a person can say whether it names somebody, so it is flagged and fails nothing."""
        if self._reader is None:
            return Check(None, {"why": f"the package rapidocr is not installed: pip install {PACKAGE}"})
        if not self._times:
            return Check(None, {"why": "no frame was to be read (audit.text_looks is 0)"})
        figures: dict[str, Any] = {"looks": self._looks}
        if not self._found:
            return Check(True, figures)
        words = sorted({read["text"] for read in self._found})
        why = f"text can be read: {', '.join(map(repr, words[:5]))}" + (", ..." if len(words) > 5 else "")
        return Check(True, {**figures, "why": why, "flags": sorted(self._found, key=lambda r: -r["score"])[:5]})
