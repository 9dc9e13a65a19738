"""The detector: models look at a window, then it is decided what they mean."""

import numpy as np

from m2m.augment.detect.assemble import assemble
from m2m.augment.detect.hands import HandLandmarker
from m2m.augment.detect.looks import Observer
from m2m.augment.detect.params import DetectParams
from m2m.augment.detect.segmenter import Segmenter
from m2m.augment.people import FramePeople


class WindowDetector:
    """BlazePose, selfie segmentation, mediapipe's face detector and a model of boxes together.

    With SSDLite, models that ship inside Python wheels and run on a CPU: a demonstration default, never a guarantee;
    in a hard sample about 40 % of far or hidden people are missed.

    Args:
        params: Scores, strides and widths.
        segmenter: The model of boxes, None for SSDLite.

    Raises:
        InfrastructureError: A model package is missing.
    """

    def __init__(self, params: DetectParams, segmenter: Segmenter | None = None) -> None:
        self._params = params
        self._observer = Observer(params, segmenter)
        self._hands = HandLandmarker(params.threads) if params.hand_stride and params.witnesses else None

    def detect(self, frames: np.ndarray, stretch: float = 1.0) -> list[FramePeople]:
        """Detects people in a window, see `Detector.detect`."""
        people = assemble(self._observer.observe(frames, stretch), self._params)
        if self._hands is not None:
            people = self._hands.add(frames, people, stretch, self._params.hand_stride)
        return people
