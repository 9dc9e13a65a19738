"""BlazePose: a detector of people by face and hips, and 33 landmarks with a mask on a rotated crop.

Bazarevsky et al., BlazePose: On-device Real-time Body Pose Tracking, 2020. The files are those of the mediapipe wheel
(Apache-2.0); anchors, decoding, crops and the heat-map refinement follow its public graphs.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from m2m.augment.detect.boxes import square_patch, square_tiles
from m2m.augment.detect.litert import LiteModel, model_file, sigmoid
from m2m.augment.people import Landmarks

N_LANDMARKS = 33
FACE = slice(0, 11)
TORSO = (11, 12, 23, 24)
BODY_CENTRE, BODY_TOP = 33, 34
"""Auxiliary landmarks: the centre and a point on the circle that holds the body."""
CROP_GROWTH = 1.25
SAME_FACE_IOU = 0.4


@dataclass(frozen=True)
class Crop:
    """A rotated square of the scene: of the frame as it is before it is stretched in width.

    Attributes:
        x: Centre in pixels.
        y: Centre in pixels.
        size: Side in pixels.
        angle: Rotation of the person against upright, radians.
    """

    x: float
    y: float
    size: float
    angle: float

    @classmethod
    def around(cls, centre: np.ndarray, top: np.ndarray) -> "Crop":
        """The crop of a person whose body circle has this centre and goes through `top`, above the head."""
        dx, dy = (float(v) for v in np.asarray(top, np.float64) - centre)
        angle = math.pi / 2 - math.atan2(-dy, dx)
        angle -= 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
        return cls(float(centre[0]), float(centre[1]), 2 * math.hypot(dx, dy) * CROP_GROWTH, angle)

    @classmethod
    def of_box(cls, box: np.ndarray) -> "Crop":
        """The upright crop of a person box x0, y0, x1, y1."""
        x0, y0, x1, y1 = (float(v) for v in box[:4])
        return cls((x0 + x1) / 2, (y0 + y1) / 2, CROP_GROWTH * max(x1 - x0, y1 - y0), 0.0)

    def matrix(self, pixels: int) -> np.ndarray:
        """(2, 3) float64 affine map from a square image of `pixels` to the frame."""
        k, half = self.size / pixels, pixels / 2
        c, s = math.cos(self.angle) * k, math.sin(self.angle) * k
        return np.array([[c, -s, self.x - half * c + half * s], [s, c, self.y - half * s - half * c]])

    def patch(self, frame: np.ndarray, pixels: int, stretch: float) -> tuple[np.ndarray, np.ndarray]:
        """What a model of square images sees of the crop.

        Args:
            frame: (H, W, 3) uint8 RGB.
            pixels: Side of the model's image.
            stretch: How much wider the frame shows things than they are: a model that knows people as they are loses
                those drawn wide.

        Returns:
            (pixels, pixels, 3) float32 in [0, 1], and the (2, 3) float64 affine map from it to the frame.
        """
        matrix = self.matrix(pixels) * np.array([[stretch], [1.0]])
        seen = cv2.warpAffine(frame, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return seen.astype(np.float32) / 255, matrix


def unstretched(frame: np.ndarray, stretch: float) -> np.ndarray:
    """A frame (H, W, 3) that shows things `stretch` times as wide as they are, as they are."""
    if stretch == 1:
        return frame
    height, width = frame.shape[:2]
    return cv2.resize(frame, (max(1, round(width / stretch)), height), interpolation=cv2.INTER_AREA)


class PoseDetector:
    """Finds people on whole frames and tiles.

    Args:
        threads: Threads of the model.

    Raises:
        InfrastructureError: The model package is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        self._model = LiteModel(model_file("mediapipe", "modules/pose_detection/pose_detection.tflite"), threads)
        cells = []
        for grid, anchors in ((28, 2), (14, 2), (7, 6)):
            centres = (np.arange(grid) + 0.5) / grid
            y, x = np.meshgrid(centres, centres, indexing="ij")
            cells.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), anchors, 0))
        self._anchors = np.concatenate(cells).astype(np.float32)

    def crops(self, frame: np.ndarray, threshold: float, levels: tuple[int, ...]) -> list[Crop]:
        """Where to look for landmarks, best first.

        Args:
            frame: (H, W, 3) uint8 RGB.
            threshold: Lowest score.
            levels: Tilings to search, as in `square_tiles`.
        """
        height, width = frame.shape[:2]
        found = [
            self._look(frame, tile, threshold, level > 1)
            for level in levels
            for tile in square_tiles(width, height, level)
        ]
        return [Crop.around(d[4:6], d[6:8]) for d in merge_detections(np.concatenate(found))]

    def _look(self, frame: np.ndarray, tile: tuple[float, float, float], threshold: float, bounded: bool) -> np.ndarray:
        """(N, 9) face box, body centre, body top, score."""
        x0, y0, side = tile
        size = self._model.width
        outputs = self._model(square_patch(frame, x0, y0, side, size).astype(np.float32) / 127.5 - 1)
        scores = sigmoid(outputs["Identity_1"][:, 0])
        keep = scores > threshold
        raw = outputs["Identity"][keep].astype(np.float64) / size
        anchors = self._anchors[keep]
        origin = np.array([x0, y0])
        centre = (raw[:, :2] + anchors) * side + origin
        half = raw[:, 2:4] * side / 2
        points = ((raw[:, 4:8].reshape(-1, 2, 2) + anchors[:, None]) * side + origin).reshape(-1, 4)
        out = np.concatenate([centre - half, centre + half, points, scores[keep][:, None]], 1)
        if bounded:  # who is larger than the tile belongs to a coarser level
            out = out[2 * CROP_GROWTH * np.hypot(*(out[:, 6:8] - out[:, 4:6]).T) < 1.8 * side]
        return out


def merge_detections(found: np.ndarray) -> np.ndarray:
    """Averages detections of one person, weighted by score.

    Args:
        found: (N, 9) face box, body centre, body top, score. Two are one person when their face boxes overlap or their
            body circles nearly share the centre.

    Returns:
        (M, 9), best first.
    """
    out = []
    left = found[np.argsort(-found[:, 8], kind="stable")]
    while len(left):
        best = left[0]
        low, high = np.maximum(left[:, :2], best[:2]), np.minimum(left[:, 2:4], best[2:4])
        inter = np.clip(high - low, 0, None).prod(1)
        area = (left[:, 2] - left[:, 0]) * (left[:, 3] - left[:, 1])
        radius = np.hypot(*(left[:, 6:8] - left[:, 4:6]).T)
        close = np.hypot(*(left[:, 4:6] - best[4:6]).T) < 0.35 * np.minimum(radius, radius[0])
        same = (inter / np.maximum(area + area[0] - inter, 1e-6) > SAME_FACE_IOU) | close
        same[0] = True
        merged = np.average(left[same], axis=0, weights=left[same, 8])
        merged[8] = best[8]
        out.append(merged)
        left = left[~same]
    return np.array(out).reshape(-1, 9)


@dataclass(frozen=True)
class Pose:
    """What the landmark model saw in one crop.

    Attributes:
        landmarks: The landmarks.
        mask: Packed (H, W) mask, see `unpack`.
        following: Where to look in a neighbouring frame.
    """

    landmarks: Landmarks
    mask: np.ndarray
    following: Crop

    def near(self, other: "Pose") -> bool:
        """Whether two poses are one person seen twice: their torsos coincide."""
        apart = self.landmarks.image[list(TORSO)] - other.landmarks.image[list(TORSO)]
        return float(np.hypot(*apart.T).mean()) < 0.06 * min(self.following.size, other.following.size)


def pack(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool to (H, ceil(W / 8)) uint8: masks wait for the window's end, eight pixels a byte."""
    return np.packbits(mask, axis=-1)


def unpack(packed: np.ndarray, width: int) -> np.ndarray:
    """The (H, W) bool mask that was packed."""
    return np.unpackbits(packed, axis=-1, count=width).astype(bool)


class PoseLandmarker:
    """The landmark model, full size.

    Args:
        threads: Threads of the model.

    Raises:
        InfrastructureError: The model package is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        self._model = LiteModel(model_file("mediapipe", "modules/pose_landmark/pose_landmark_full.tflite"), threads)

    def look(self, frame: np.ndarray, crop: Crop, threshold: float, stretch: float = 1.0) -> Pose | None:
        """The pose in a crop.

        Args:
            frame: (H, W, 3) uint8 RGB.
            crop: Where.
            threshold: Score below which there is nobody.
            stretch: How much wider the frame shows things than they are.

        Returns:
            The pose, or None.
        """
        size = self._model.width
        patch, matrix = crop.patch(frame, size, stretch)
        outputs = self._model(patch)
        scene = crop.matrix(size)
        score = float(outputs["Identity_1"].ravel()[0])
        if score < threshold:
            return None
        raw = outputs["Identity"].reshape(39, 5)
        points = refine(raw[:, :2], outputs["Identity_3"], size) @ scene[:, :2].T + scene[:, 2]
        world = outputs["Identity_4"].reshape(39, 3)[:N_LANDMARKS].copy()
        c, s = math.cos(crop.angle), math.sin(crop.angle)
        world[:, :2] = world[:, :2] @ np.array([[c, -s], [s, c]], np.float32).T
        height, width = frame.shape[:2]
        mask = cv2.warpAffine(sigmoid(outputs["Identity_2"][..., 0]), matrix, (width, height), flags=cv2.INTER_LINEAR)
        landmarks = Landmarks(
            image=(points[:N_LANDMARKS] * [stretch, 1]).astype(np.float32),
            depth=(raw[:N_LANDMARKS, 2] * crop.size / size).astype(np.float32),
            visibility=sigmoid(raw[:N_LANDMARKS, 3]),
            presence=sigmoid(raw[:N_LANDMARKS, 4]),
            world=world.astype(np.float32),
            score=score,
        )
        return Pose(landmarks, pack(mask > 0.5), Crop.around(points[BODY_CENTRE], points[BODY_TOP]))


def refine(points: np.ndarray, heatmaps: np.ndarray, size: int) -> np.ndarray:
    """Moves landmarks to the centre of mass of their heat maps near them.

    Args:
        points: (J, 2) pixels of the crop.
        heatmaps: (h, w, J) logits; h = w.
        size: Side of the crop in pixels.

    Returns:
        (J, 2) float64; a landmark whose heat stays under 0.5, or that lies outside, keeps its place.
    """
    reach, cells = 3, heatmaps.shape[0]
    step = size / cells
    out = points.astype(np.float64)
    cell = np.trunc(points / step).astype(int)
    joints = np.flatnonzero(((points >= 0) & (cell < cells)).all(1))
    window = np.arange(-reach, reach + 1)
    x = cell[joints, 0, None] + window
    y = cell[joints, 1, None] + window
    there = ((y >= 0) & (y < cells))[:, :, None] & ((x >= 0) & (x < cells))[:, None, :]
    logits = heatmaps[y.clip(0, cells - 1)[:, :, None], x.clip(0, cells - 1)[:, None, :], joints[:, None, None]]
    heat = np.where(there, sigmoid(logits), 0).astype(np.float64)
    total = heat.sum((1, 2))
    sure = heat.max((1, 2), initial=0) >= 0.5
    total = np.where(sure, total, 1)
    out[joints[sure], 0] = ((heat.sum(1) * x).sum(1) / total * step)[sure]
    out[joints[sure], 1] = ((heat.sum(2) * y).sum(1) / total * step)[sure]
    return out
