"""A chain of toy models that know a person in red, so that every pixel of the person can be told."""

from dataclasses import replace

import cv2
import numpy as np

from m2m.augment.chain import Models
from m2m.augment.verify import Verifier, VerifyParams
from tests.augment.red_people import BlueBox, Model, Painter, Recoverer, Watcher, red, red_face


class Careful(Watcher):
    """Its cover is wider than the person, as that of real detectors."""

    def detect(self, frames, stretch=1.0):
        kernel = np.ones((11, 11), np.uint8)
        return [
            replace(there, cover=cv2.dilate(there.cover.view(np.uint8), kernel).view(bool))
            for there in super().detect(frames, stretch)
        ]


def models() -> Models:
    """All of them."""
    pixels = {"pixels": lambda frame: red(frame).astype(np.float32)}
    verifier = Verifier({"face": red_face}, {}, VerifyParams(), pixels)
    return Models(Careful(), Painter(), Recoverer(), Model(), BlueBox(), verifier)
