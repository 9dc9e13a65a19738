"""The cover: the union of all evidence at low scores, widened in space and time.

One witness is enough, whatever its kind: a pose nobody else confirms, a blob of segmentation, a lone box or face.
"""

import cv2
import numpy as np

from m2m.augment.detect.blazepose import unpack
from m2m.augment.detect.boxes import box_of, fill_box, iou
from m2m.augment.detect.faces import head_box
from m2m.augment.detect.looks import Looks, pose_box
from m2m.augment.detect.params import DetectParams
from m2m.augment.people import Landmarks

LIMBS = (
    (11, 12, 0.39), (11, 23, 0.29), (12, 24, 0.29), (23, 24, 0.34),
    (11, 13, 0.26), (13, 15, 0.21), (15, 19, 0.18), (12, 14, 0.26), (14, 16, 0.21), (16, 20, 0.18),
    (23, 25, 0.34), (25, 27, 0.26), (27, 31, 0.21), (27, 29, 0.18), (24, 26, 0.34), (26, 28, 0.26),
    (28, 32, 0.21), (28, 30, 0.18),
)  # fmt: skip
"""Pairs of BlazePose landmarks and the width of the limb between them, in lengths of the torso."""
PRESENT = 0.3
LINES = 240
SPANNED = 0.7


def widen(mask: np.ndarray, diameter: int) -> np.ndarray:
    """A (H, W) bool mask dilated by a disc; `diameter` holds at 240 lines and scales with the frame."""
    size = 2 * round(diameter * mask.shape[0] / LINES / 2 - 0.5) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(size, 3), max(size, 3)))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def capsules(
    landmarks: Landmarks,
    height: int,
    width: int,
    sure: np.ndarray | None = None,
    least: float = PRESENT,
    grown: float = 1.0,
) -> np.ndarray:
    """Thick lines along the limbs, a filled trunk and a disc for the head: where masks have holes.

    Args:
        landmarks: One person's.
        height: Rows of the frame.
        width: Columns.
        sure: (33,) how sure each landmark is, for the limbs and the trunk; the presences and always a trunk if None.
        least: What both ends of a limb must be above.
        grown: Factor on the width of limbs and head.

    Returns:
        (H, W) bool.
    """
    points = np.clip(landmarks.image, -4 * width, 5 * width)
    shoulders, hips, ankles = (points[list(pair)].mean(0) for pair in ((11, 12), (23, 24), (27, 28)))
    across = float(np.hypot(*(points[11] - points[12])))
    torso = max(
        float(np.hypot(*(shoulders - hips))), 0.6 * across, 0.25 * float(np.hypot(*(hips - ankles))), 4.0
    )  # foreshortened from one side, seldom from all
    canvas = np.zeros((height, width), np.uint8)
    confidence = landmarks.presence if sure is None else sure
    for a, b, thick in LIMBS:
        if min(confidence[a], confidence[b]) > least:
            cv2.line(canvas, _pixel(points[a]), _pixel(points[b]), 1, max(2, int(thick * grown * torso)))
    trunk = np.array([_pixel(points[j]) for j in (11, 12, 24, 23)], np.int32)
    if sure is None or sure[[11, 12, 24, 23]].min() > least:
        cv2.fillConvexPoly(canvas, cv2.convexHull(trunk), 1)
    head = points[[7, 8, 0]].mean(0)
    cv2.circle(canvas, _pixel(head + 0.15 * (head - shoulders)), max(3, int(0.3 * grown * torso)), 1, -1)
    return canvas.astype(bool)


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def hold(masks: np.ndarray, frames: int) -> np.ndarray:
    """(T, H, W) bool, every mask held for some frames before and after."""
    out = masks.copy()
    for k in range(1, frames + 1):
        out[k:] |= masks[:-k]
        out[:-k] |= masks[k:]
    return out


def cover(looks: Looks, persons: np.ndarray, params: DetectParams) -> np.ndarray:
    """What must not be released.

    Args:
        looks: All evidence.
        persons: (T, H, W) bool, the union of the tracked people's masks, gaps included.
        params: Thresholds and widths.

    Returns:
        (T, H, W) bool, a superset of `persons`.
    """
    solid = np.empty_like(persons)
    for t in range(len(looks)):
        solid[t] = _solid(looks, t, persons[t], params)
    out = hold(solid, params.hold)
    del solid
    for t in range(len(looks)):
        out[t] |= looks.segmented(t, params.selfie_score)
    boxes = {t: _boxes(looks, t, out[t], params) for t in sorted(looks.boxes)}
    heads = {t: _heads(looks, t) for t in sorted(looks.faces)}
    face_reach = params.box_stride // 2 + params.hold
    for seen, reach in ((boxes, params.box_reach), (heads, face_reach)):
        for t, mask in seen.items():  # looked at every few frames: holds until the next look, and some frames more
            out[max(0, t - reach) : t + reach + 1] |= mask
    return out


def _solid(looks: Looks, t: int, persons: np.ndarray, params: DetectParams) -> np.ndarray:
    """The people of one frame, by their poses and tracks."""
    solid = persons | unpack(looks.crops[t], looks.width)
    for track, pose in looks.poses[t].items():
        solid |= looks.pose_mask(t, track) | capsules(pose.landmarks, looks.height, looks.width)
    return widen(solid, params.dilate)


def _heads(looks: Looks, t: int) -> np.ndarray:
    """Faces with their heads and hair."""
    canvas = np.zeros((looks.height, looks.width), np.uint8)
    for face in looks.faces[t]:
        x0, y0, x1, y1 = (float(v) for v in head_box(face))
        centre, axes = (round((x0 + x1) / 2), round((y0 + y1) / 2)), (round((x1 - x0) / 2), round((y1 - y0) / 2))
        cv2.ellipse(canvas, centre, axes, 0, 0, 360, 1, -1)
    return canvas.astype(bool)


def _boxes(looks: Looks, t: int, known: np.ndarray, params: DetectParams) -> np.ndarray:
    """What the model of boxes adds: the segmented part of a box, or the whole box where nothing explains it.

    Segmentation explains a box that it fills by half; a pose, or the box's own instance, one that its mask spans:
    spread limbs fill little.
    """
    out = np.zeros_like(known)
    poses = np.array([pose_box(p, looks.width) for p in looks.poses[t].values()], np.float32).reshape(-1, 4)
    spanned = [bool((row >= SPANNED).any()) for row in iou(looks.boxes[t], poses)]
    for row, (box, posed) in enumerate(zip(looks.boxes[t], spanned, strict=True)):
        whole, mask = np.zeros_like(known), looks.box_mask(t, row)
        fill_box(whole, box, 1)
        part = widen(mask, params.dilate)
        if params.segments:
            posed |= bool(iou(box[None], box_of(mask)[None])[0, 0] >= SPANNED)
        else:  # a crop's segmentation is everybody's who is in it
            around = np.zeros_like(known)
            fill_box(around, box, 3)
            part &= around
        explained = posed or (part | known)[whole].mean() >= params.explained
        out |= part if explained else part | whole
    return out
