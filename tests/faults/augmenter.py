"""`m2m augment` with a fault in every clip: a clip named `wave_a--drop_3--7` meets the fault `drop_3` with seed 7."""

import hashlib
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from m2m.augment.chain import Chain
from m2m.augment.dataset import ClipAugmenter
from tests.faults.catalogue import inject

KEPT = 3


class Remembering:
    """A model that answers the same frames from memory: its answer is the same, bit for bit."""

    def __init__(self, inner, method):
        self._inner, self._method, self._answers = inner, method, OrderedDict()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def _ask(self, frames, *args):
        key = hashlib.sha256(np.ascontiguousarray(frames)).hexdigest(), repr(args)
        if key not in self._answers:
            self._answers[key] = getattr(self._inner, self._method)(frames, *args)
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        return self._answers[key]


class RememberingDetector(Remembering):
    def detect(self, frames, stretch=1.0):
        return list(self._ask(frames, stretch))


class RememberingVerifier(Remembering):
    """Remembers what was seen on the originals; plates are looked at anew."""

    def look(self, frames, times):
        return self._ask(frames, times)


class Recording(Chain):
    """A chain that notes where bodies were drawn, and where the result is the original to the last level."""

    def run(self, frames, tally, stretch=1.0):
        self.drawn, self.same = [], []
        for frame in super().run(frames, tally, stretch):
            self.drawn.append(np.packbits((frame.image != frame.plate).any(-1)))
            self.same.append(np.packbits(cv2.absdiff(frame.image, frame.source).max(-1) <= 1))
            yield frame


class FaultyAugmenter(ClipAugmenter):
    """Augments clips with the faults that their names ask for."""

    def __init__(self, params, out, with_originals=False):
        super().__init__(params, out, with_originals)
        models = self.chain.models
        self._models = replace(
            models,
            detector=RememberingDetector(models.detector, "detect"),
            verifier=RememberingVerifier(models.verifier, "look"),
        )

    def __call__(self, job):
        _, name, seed = job.clip.clip_id.split("--")
        models = inject(self._models, name, int(seed))
        self.chain = Recording(models, self.chain.params)
        result = super().__call__(job)
        noted = self.out / ".m2m/noted"
        noted.mkdir(exist_ok=True)
        np.save(noted / f"{job.clip.clip_id}.npy", np.stack([self.chain.drawn, self.chain.same]))
        return result


def noted_of(out: Path, clip_id: str, shape: tuple[int, int]) -> np.ndarray:
    """(2, T, H, W) bool, where a released clip shows bodies, and where it was the original before it was encoded."""
    packed = np.load(out / f".m2m/noted/{clip_id}.npy")
    return np.unpackbits(packed, axis=-1, count=shape[0] * shape[1]).view(bool).reshape(2, -1, *shape)
