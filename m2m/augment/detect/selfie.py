"""Selfie segmentation: which pixels belong to people, without telling them apart."""

import cv2
import numpy as np

from m2m.augment.detect.litert import LiteModel, model_file


class SelfieSegmenter:
    """mediapipe's two selfie segmentation models: landscape for whole frames, general (square) for crops.

    Args:
        threads: Threads of the models.

    Raises:
        InfrastructureError: The model package is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        folder = "modules/selfie_segmentation/selfie_segmentation"
        self._landscape = LiteModel(model_file("mediapipe", f"{folder}_landscape.tflite"), threads)
        self._general = LiteModel(model_file("mediapipe", f"{folder}.tflite"), threads)

    def full(self, frame: np.ndarray) -> np.ndarray:
        """Probability of a person at every pixel.

        Args:
            frame: (H, W, 3) uint8 RGB.

        Returns:
            (H, W) float32 in [0, 1].
        """
        height, width = frame.shape[:2]
        model = self._landscape if width > height else self._general
        return cv2.resize(_run(model, cv2.resize(frame, (model.width, model.height))), (width, height))

    def crop(self, frame: np.ndarray, centre: tuple[float, float], size: float) -> np.ndarray:
        """Probability of a person inside an upright square, -1 outside.

        Args:
            frame: (H, W, 3) uint8 RGB.
            centre: Of the square, pixels.
            size: Its side, pixels.

        Returns:
            (H, W) float32 in [0, 1], or -1.
        """
        height, width = frame.shape[:2]
        model = self._general
        k = model.width / size
        matrix = np.array([[k, 0, model.width / 2 - centre[0] * k], [0, k, model.height / 2 - centre[1] * k]])
        inside = _run(model, cv2.warpAffine(frame, matrix, (model.width, model.height)))
        out = np.empty((height, width), np.float32)
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        cv2.warpAffine(inside, matrix, (width, height), out, flags, cv2.BORDER_CONSTANT, -1)
        return out


def _run(model: LiteModel, image: np.ndarray) -> np.ndarray:
    (output,) = model(image.astype(np.float32) / 255).values()
    return np.squeeze(output)
