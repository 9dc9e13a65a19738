"""What every model saw in a window, before anybody decides what it means."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

import cv2
import numpy as np

from m2m.augment.detect.blazepose import Pose, pack, unpack
from m2m.augment.detect.boxes import box_of, fill_box
from m2m.augment.detect.faces import MediapipeFaces
from m2m.augment.detect.params import DetectParams
from m2m.augment.detect.pose_tracks import PoseTracker
from m2m.augment.detect.segmenter import Segmenter
from m2m.augment.detect.selfie import SelfieSegmenter
from m2m.augment.detect.ssdlite import SSDLite
from m2m.augment.threads import side_thread


@dataclass(frozen=True)
class Looks:
    """The raw evidence of one window.

    Attributes:
        height: Of the frames, pixels.
        width: Of the frames, pixels.
        selfie: (T, H, W) uint8, probability of a person times 255, whole frame.
        poses: Poses by track id, T entries.
        crops: Segmentation of the crops around small poses, near each, their union packed; T entries.
        refuted: Where those crops show nobody, packed, T entries.
        boxes: SSDLite's or Mask R-CNN's boxes (N, 5) in the frames looked at.
        box_masks: Of each of `boxes`, packed: segmentation of the crop around SSDLite's, Mask R-CNN's own instance.
        faces: Faces (N, 5) in the frames looked at.
    """

    height: int
    width: int
    selfie: np.ndarray
    poses: list[dict[int, Pose]]
    crops: list[np.ndarray]
    refuted: list[np.ndarray]
    boxes: dict[int, np.ndarray]
    box_masks: dict[int, list[np.ndarray]]
    faces: dict[int, np.ndarray]

    def __len__(self) -> int:
        return len(self.selfie)

    def pose_mask(self, t: int, track: int) -> np.ndarray:
        """(H, W) bool, the landmark model's own mask of a person."""
        return unpack(self.poses[t][track].mask, self.width)

    def box_mask(self, t: int, row: int) -> np.ndarray:
        """(H, W) bool, the mask of a box."""
        return unpack(self.box_masks[t][row], self.width)

    def segmented(self, t: int, probability: float) -> np.ndarray:
        """(H, W) bool, where the whole frame's segmentation reaches a probability and no closer look refutes it."""
        return (self.selfie[t] > int(probability * 255)) & ~unpack(self.refuted[t], self.width)


def pose_box(pose: Pose, width: int) -> np.ndarray:
    """(4,) float32 box of a pose: of its mask, or of its landmarks where it has none."""
    box = box_of(unpack(pose.mask, width))
    if box.any():
        return box
    points = pose.landmarks.image
    low, high = points.min(0), points.max(0)
    return np.clip(np.concatenate([low, high]), 0, [width, len(pose.mask)] * 2).astype(np.float32)


def alone(height: int, width: int, boxes: dict[int, np.ndarray], masks: dict[int, list[np.ndarray]]) -> Looks:
    """The evidence of a window at which nobody but the model of boxes looked, in every frame."""
    n, nothing = len(boxes), pack(np.zeros((height, width), bool))
    nowhere = np.broadcast_to(np.uint8(0), (n, height, width))
    return Looks(height, width, nowhere, [{}] * n, [nothing] * n, [nothing] * n, boxes, masks, {})


class Observer:
    """Runs every model that makes masks.

    Args:
        params: Scores and strides.
        segmenter: Takes the place of SSDLite, and looks at every frame.

    Raises:
        InfrastructureError: A model package is missing.
    """

    CROP_SCORE = 0.5
    BOX_CROP_SCORE = 0.3
    NEAR = 0.15

    def __init__(self, params: DetectParams, segmenter: Segmenter | None = None) -> None:
        cv2.setNumThreads(params.threads)  # of the whole process: fixed by the parameters, as those of the models
        self._params = params
        self._segmenter = segmenter
        if segmenter is None:
            self._people = SSDLite(params.threads)
        if params.witnesses:
            self._tracker = PoseTracker(params)
            self._faces = MediapipeFaces(params.threads)
            self._selfie = SelfieSegmenter(params.threads)

    def observe(self, frames: np.ndarray, stretch: float = 1.0) -> Looks:
        """Looks at a window.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            stretch: How much wider the frames show things than they are; the pose model sees them as they are.
        """
        n, height, width = frames.shape[:3]
        p = self._params
        times = sorted({*range(0, n, p.box_stride), n - 1})
        instances = self._instances(frames)
        if instances is not None and not p.witnesses:
            return alone(height, width, *instances)
        with side_thread() as beside:
            # Poses wait for the boxes of their frame only; the rest needs no poses and is done beside them.
            found: dict[int, Future[np.ndarray]] = {}
            if instances is None:
                found = {t: beside.submit(self._people.people, frames[t], p.box_score) for t in times}
            rest = beside.submit(self._rest, frames, times, found)

            def boxes_at(t: int) -> np.ndarray | None:
                if instances is not None:
                    return instances[0][t]
                return found[t].result() if t in found else None

            poses = self._tracker.track(frames, boxes_at, stretch)
            closer = [self._crops(frame, there, stretch) for frame, there in zip(frames, poses, strict=True)]
            selfie, faces, box_crops = rest.result()
        boxes, masks = instances or ({t: seen.result() for t, seen in found.items()}, box_crops)
        return Looks(height, width, selfie, poses, [c for c, _ in closer], [r for _, r in closer], boxes, masks, faces)

    def _instances(self, frames: np.ndarray) -> tuple[dict[int, np.ndarray], dict[int, list[np.ndarray]]] | None:
        """Boxes and packed masks of every frame; None where there is no segmenter."""
        if self._segmenter is None:
            return None
        boxes, masks = {}, {}
        for t, seen in enumerate(self._segmenter.look(frames)):
            boxes[t], masks[t] = seen.boxes, [pack(mask) for mask in seen.masks]
        return boxes, masks

    def _rest(
        self, frames: np.ndarray, times: list[int], boxes: Mapping[int, Future[np.ndarray]]
    ) -> tuple[np.ndarray, dict[int, np.ndarray], dict[int, list[np.ndarray]]]:
        """Whole-frame segmentation, faces, and the segmentation around boxes."""
        faces = {t: self._faces.faces(frames[t], self._params.face_score) for t in times}
        selfie = np.stack([np.rint(self._selfie.full(f) * 255).astype(np.uint8) for f in frames])
        return selfie, faces, {t: self._box_crops(frames[t], seen.result()) for t, seen in boxes.items()}

    def _crops(self, frame: np.ndarray, poses: dict[int, Pose], stretch: float) -> tuple[np.ndarray, np.ndarray]:
        """The general model on everybody whom the whole frame shows small: where people are, where nobody is."""
        height, width = frame.shape[:2]
        people = np.zeros((height, width), bool)
        highest = np.full((height, width), -1, np.float32)
        for _, pose in sorted(poses.items()):
            crop = pose.following
            size = crop.size * max(stretch, 1.0)
            if size < max(height, width):
                seen = self._selfie.crop(frame, (crop.x * stretch, crop.y), size)
                box = pose_box(pose, width)
                near = np.zeros_like(people)
                fill_box(near, box, self.NEAR * max(box[2] - box[0], (box[3] - box[1]) / 2))
                people |= (seen > self.CROP_SCORE) & near
                highest = np.maximum(highest, seen)
        return pack(people), pack((highest >= 0) & (highest < self._params.refuted))

    def _box_crops(self, frame: np.ndarray, boxes: np.ndarray) -> list[np.ndarray]:
        out = []
        for box in boxes:
            x0, y0, x1, y1 = (float(v) for v in box[:4])
            centre, size = ((x0 + x1) / 2, (y0 + y1) / 2), max(1.25 * max(x1 - x0, y1 - y0), 4.0)
            out.append(pack(self._selfie.crop(frame, centre, size) > self.BOX_CROP_SCORE))
        return out
