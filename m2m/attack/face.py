"""Faces: found by the house's CenterFace, described by dlib's released network (file CC0, code Boost)."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m2m.attack.material import Material, cut_squares, read_frames, read_track, squares
from m2m.augment.body.mannequin import Mannequin
from m2m.augment.detect.faces import CenterFace
from m2m.errors import InfrastructureError

PACKAGES = "dlib-bin and face-recognition-models"
LOOKS = 2
"""Frames of a clip that are looked at."""
SCORE = 0.3
"""Least score of CenterFace: an attacker tries everything."""
SIDE = 384
"""Side in pixels of the picture of the person that is looked at: faces of 15 pixels become 30."""
CHIP = 150
"""Side in pixels of a face as the network takes it."""


@dataclass(frozen=True)
class Faces:
    """What was found.

    Attributes:
        descriptors: (N, 128) float64 means over a clip's faces; NaN where none was found.
        found: Share of clips with a face.
    """

    descriptors: np.ndarray
    found: float


def available() -> bool:
    """Whether the packages are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("dlib", "face_recognition_models"))


class Describer:
    """dlib's face network.

    Raises:
        InfrastructureError: A package is missing.
    """

    def __init__(self) -> None:
        if not available():
            raise InfrastructureError(f"{PACKAGES} are not installed", "pip install 'm2m[attack]'")
        import dlib

        # The package's own module needs pkg_resources, which setuptools no longer has; its files suffice.
        spec = importlib.util.find_spec("face_recognition_models")
        folder = Path(str(spec.submodule_search_locations[0])) / "models"  # type: ignore[union-attr,index]
        self._dlib: Any = dlib
        self._shape = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))

    def __call__(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """(128,) float64 of the face in a box x0, y0, x1, y1 of an image (H, W, 3) uint8 RGB."""
        image = np.ascontiguousarray(image)
        x0, y0, x1, y1 = (round(float(v)) for v in box[:4])
        shape = self._shape(image, self._dlib.rectangle(x0, y0, x1, y1))
        chip = self._dlib.get_face_chip(image, shape, CHIP)
        return np.array(self._network.compute_face_descriptor(chip))


def describe(material: Material, variant: str) -> Faces:
    """The faces of a variant's main persons, where their drawn bodies are.

    Raises:
        InfrastructureError: A package is missing.
    """
    look, finder, body, folder = Describer(), CenterFace(), Mannequin(), material.bodies
    rows = []
    for name in material.clip_ids:
        track = read_track(folder / f"{name}.npz") if folder is not None else None
        size = (track.camera.width, track.camera.height) if track else None
        at, images = read_frames(Path(material.variants[variant].clips[name].path), LOOKS, size)
        if track is not None:
            images = list(cut_squares(images, squares(track, body, at), SIDE))
        hits = [(image, finder.faces(image, SCORE, 1.0)) for image in images]
        found = [look(image, boxes[0]) for image, boxes in hits if len(boxes)]
        rows.append(np.mean(found, 0) if found else np.full(128, np.nan))
    descriptors = np.stack(rows)
    return Faces(descriptors, float((~np.isnan(descriptors[:, 0])).mean()))


def alike(descriptors: np.ndarray) -> np.ndarray:
    """(N, N) float64, less distant is more alike; a clip without a face is like every other as two strangers are."""
    gaps = -np.linalg.norm(descriptors[:, None] - descriptors[None], axis=-1)
    known = ~np.isnan(gaps)
    typical = float(np.median(gaps[known & ~np.eye(len(gaps), dtype=bool)])) if known.sum() > len(gaps) else 0.0
    return np.where(known, gaps, typical)
