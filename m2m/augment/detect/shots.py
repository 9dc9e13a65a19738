"""Shots: where a clip is cut."""

from collections import deque

import numpy as np
from scenedetect import ContentDetector


class ShotDetector:
    """Finds cuts frame by frame, looking back only.

    PySceneDetect's content score (mean change of hue, saturation and brightness) is compared with its own recent level,
    as its AdaptiveDetector does with a look ahead: a whip pan changes much in every frame, a cut in one. Frames that
    repeat their predecessor say nothing about the level: after a freeze the jump is motion made up for. A shot shorter
    than two frames is not told from its neighbours.

    Args:
        threshold: Least score of a cut, PySceneDetect's default.
        ratio: Least score over the recent level. Measured: 25 at a real cut, at most 3.2 in a whip pan.
    """

    MEMORY = 8
    REPEATED = 0.5

    def __init__(self, threshold: float = 27.0, ratio: float = 5.0) -> None:
        self._content = ContentDetector()
        self._threshold = threshold
        self._ratio = ratio
        self._recent: deque[float] = deque(maxlen=self.MEMORY)
        self._frames = 0

    def push(self, frame: np.ndarray) -> bool:
        """Whether a frame is the first of a new shot; False for the first frame of the clip.

        Args:
            frame: (H, W, 3) uint8 RGB; all of one size.
        """
        self._content.process_frame(self._frames, np.ascontiguousarray(frame[..., ::-1]))
        score = float(self._content._frame_score or 0.0)
        self._frames += 1
        # Without a level nothing is a cut: a clip that begins in a whip pan would fall to pieces.
        level = sum(self._recent) / len(self._recent) if self._recent else score
        if score >= max(self._threshold, self._ratio * level):
            self._recent.clear()
            return True
        if score > self.REPEATED:
            self._recent.append(score)
        return False
