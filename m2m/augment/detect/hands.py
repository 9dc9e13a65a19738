"""Hands: 21 landmarks of a hand on a rotated crop, where the pose model saw wrist, index and little finger.

Zhang et al., MediaPipe Hands: On-device Real-time Hand Tracking, 2020. The file is that of the mediapipe wheel
(Apache-2.0).
"""

from dataclasses import replace

import numpy as np

from m2m.augment.detect.blazepose import Crop
from m2m.augment.detect.litert import LiteModel, model_file
from m2m.augment.people import FramePeople, Landmarks, Person

WRISTS, PINKIES, INDICES = (15, 16), (17, 18), (19, 20)
"""The pose model's landmarks of the left and the right hand."""
VISIBLE, PRESENT = 0.5, 0.5
WIDE, AGAIN = 3.8, 2.0
"""Side of the first crop, in lengths from the wrist to the knuckles, and of the second, in sizes of the palm."""
UPWARDS = 0.1
"""By how much of the palm's length the second crop lies nearer to the fingers."""
PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
KNUCKLES = [5, 9, 9, 13]


def _upright(direction: np.ndarray) -> float:
    """The angle of a crop in which a direction points up, radians."""
    return float(np.arctan2(direction[0], -direction[1]))


def crop_of_pose(wrist: np.ndarray, index: np.ndarray, pinky: np.ndarray) -> Crop:
    """Where a hand is, by three landmarks (2,) of the pose model; pixels of the frame before it is stretched."""
    middle = (2 * index + pinky) / 3
    along = middle - wrist
    return Crop(float(middle[0]), float(middle[1]), max(WIDE * float(np.hypot(*along)), 4.0), _upright(along))


def crop_of_hand(points: np.ndarray) -> Crop:
    """Where a hand is, by its landmarks (21, 2)."""
    angle = _upright(points[KNUCKLES].mean(0) - points[0])
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, s], [-s, c]])
    palm = points[PALM] @ turn.T
    low, high = palm.min(0), palm.max(0)
    x, y = turn.T @ ((low + high) / 2 - [0, UPWARDS * (high[1] - low[1])])
    return Crop(float(x), float(y), max(AGAIN * float((high - low).max()), 4.0), angle)


class HandLandmarker:
    """Finds the fingers of people whose pose is known.

    Args:
        threads: Threads of the model.

    Raises:
        InfrastructureError: The model package is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        self._model = LiteModel(model_file("mediapipe", "modules/hand_landmark/hand_landmark_full.tflite"), threads)

    def add(self, frames: np.ndarray, people: list[FramePeople], stretch: float, stride: int) -> list[FramePeople]:
        """The people of a window, with the hands that were seen.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            people: T entries.
            stretch: How much wider the frames show things than they are.
            stride: Every how many frames hands are looked at.
        """

        def looked_at(t: int, person: Person) -> Person:
            if t % stride or person.landmarks is None or not person.confirmed:
                return person
            hands = self.look(frames[t], person.landmarks, stretch)
            return replace(person, landmarks=replace(person.landmarks, hands=hands))

        return [
            FramePeople(tuple(looked_at(t, p) for p in there.persons), there.cover) for t, there in enumerate(people)
        ]

    def look(self, frame: np.ndarray, pose: Landmarks, stretch: float = 1.0) -> np.ndarray | None:
        """The hands of a person, see `Landmarks.hands`.

        Args:
            frame: (H, W, 3) uint8 RGB.
            pose: The person's landmarks in it.
            stretch: How much wider the frame shows things than they are.
        """
        marks = pose.image.astype(np.float64) / [stretch, 1]
        hands = np.full((2, 21, 3), np.nan, np.float32)
        for side in (0, 1):
            if pose.visibility[WRISTS[side]] < VISIBLE:
                continue
            crop = crop_of_pose(marks[WRISTS[side]], marks[INDICES[side]], marks[PINKIES[side]])
            first = self._see(frame, crop, stretch)
            second = self._see(frame, crop_of_hand(first[0]), stretch) if first else None
            if second:
                hands[side] = second[1]
        return hands if np.isfinite(hands).any() else None

    def _see(self, frame: np.ndarray, crop: Crop, stretch: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Points (21, 2) in the frame before it is stretched and (21, 3) in metres; None where there is no hand."""
        size = self._model.width
        patch, _ = crop.patch(frame, size, stretch)
        outputs, scene = self._model(patch), crop.matrix(size)
        if float(outputs["Identity_1"].ravel()[0]) < PRESENT:
            return None
        points = outputs["Identity"].reshape(21, 3)[:, :2].astype(np.float64)
        return points @ scene[:, :2].T + scene[:, 2], outputs["Identity_3"].reshape(21, 3)
