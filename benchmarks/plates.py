"""How well the inpaint stage restores a known background, clip by clip, next to OpenCV's Navier-Stokes.

A walking or standing silhouette hides what is known; figures are PSNR inside it, over all frames with equal weight to
every hidden pixel. Two protocols:

- raw: nobody knows of the real people in the clip, and every hidden pixel counts, theirs too;
- background: as in a run, the detector's cover of the real people is never copied either, and only pixels that no cover
  holds in that frame count: elsewhere the truth is a person, not background.

Flicker is the mean absolute change of hidden pixels between frames, of the raw fill and of the truth. Covers are found
once and kept in a scratch folder.

    python -m benchmarks.plates [--clips tai_chi,yoga] [--walk standing] [--size 432x240]
"""

import argparse
import hashlib
import tempfile
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.clips import frames_of, named, shared, stretch_of
from m2m.augment.detect import make_detector
from m2m.augment.detect.params import DetectParams
from m2m.augment.inpaint import InpaintParams, make_inpainter
from m2m.augment.inpaint.motion import is_still
from m2m.augment.inpaint.region import RegionParams, paint_region

CLIPS = ("tai_chi", "yoga", "juggle", "schoolgirls", "v_SoccerJuggling", "SchoolRules", "apply_eye_makeup")
CLIPS += ("car-detection", "using_segway", "tennis")


def silhouette(height: int) -> np.ndarray:
    """The largest person of a fixture frame, (height, w) bool."""
    ids = cv2.imread(str(sorted((shared() / "fixtures/schoolgirls_masks").iterdir())[0]), cv2.IMREAD_UNCHANGED)
    if ids.ndim == 3:
        ids = (ids.astype(int) * [1, 256, 65536]).sum(-1)
    labels = [i for i in np.unique(ids) if i]
    mask = ids == max(labels, key=lambda i: int((ids == i).sum()))
    ys, xs = np.nonzero(mask)
    mask = mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].astype(np.float32)
    width = round(mask.shape[1] * height / mask.shape[0])
    return cv2.resize(mask, (width, height)) > 0.5


def masks(shape: tuple[int, int, int], person: np.ndarray, walk: str) -> np.ndarray:
    """The silhouette on its way, (T, H, W) bool: across the frame in 60 frames, or swaying on the spot."""
    length, height, width = shape
    ph, pw = person.shape
    out = np.zeros((length, height, width), bool)
    for t in range(length):
        x = (width + pw) * t / 60 - pw if walk == "walking" else width * 0.62 + 0.01 * width * np.sin(t / 5)
        x, y = round(x), (height - ph) * 2 // 3
        left, right = max(0, x), min(width, x + pw)
        if left < right:
            out[t, y : y + ph, left:right] = person[:, left - x : right - x]
    return out


def cover(frames: np.ndarray, stretch: float, scratch: Path) -> np.ndarray:
    """The embedded detector's cover of the real people, (T, H, W) bool; found once for the same frames."""
    params = DetectParams()
    key = hashlib.sha256(repr((params, stretch, frames.shape)).encode() + frames.tobytes()).hexdigest()[:24]
    file = scratch / f"{key}.npy"
    if not file.is_file():
        found = np.stack([p.cover for p in make_detector(params).detect(frames, stretch)])
        scratch.mkdir(parents=True, exist_ok=True)
        np.save(file, np.packbits(found, axis=-1))
    return np.unpackbits(np.load(file, allow_pickle=False), axis=-1, count=frames.shape[2]).astype(bool)


def psnr(filled: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """Decibels over the pixels of `where`."""
    error = np.square(filled[where].astype(np.float64) - truth[where]).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def flicker(frames: np.ndarray, where: np.ndarray) -> float:
    """Mean absolute change, in levels, of pixels hidden in two frames running."""
    both = where[1:] & where[:-1]
    return float(np.abs(frames[1:][both].astype(int) - frames[:-1][both]).mean()) if both.any() else 0.0


def main() -> None:
    """Prints a row a clip and a mask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", default=",".join(CLIPS))
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="432x240")
    parser.add_argument("--walk", choices=("walking", "standing", "both"), default="both")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "m2m-covers")
    args = parser.parse_args()
    cv2.setNumThreads(2)
    size = tuple(int(v) for v in args.size.split("x"))
    walks = ("walking", "standing") if args.walk == "both" else (args.walk,)
    print(f"{args.frames} frames at {args.size}; PSNR in dB; ms a frame; guard {InpaintParams().guard} px")
    head = ("clip", "mask", "camera", "NS", "ours", "raw", "backgr.", "counted", "borrowed", "flick", "NS's", "true")
    print("".join(f"{h:>9}" if i else f"{h:<18}" for i, h in enumerate((*head, "ms NS", "ms"))), "ms region")
    ours, peer = make_inpainter(InpaintParams()), make_inpainter(InpaintParams(backend="navier-stokes"))
    for name in args.clips.split(","):
        clip = named(name)
        frames = np.stack(list(islice(frames_of(clip, size), args.frames)))
        real = cover(frames, stretch_of(clip, size), args.scratch)
        person = silhouette(round(0.6 * size[1]))
        for walk in walks:
            mask = masks(frames.shape[:3], person, walk)
            begin = time.perf_counter()
            base = peer.fill(frames, mask, mask)
            middle = time.perf_counter()
            plate = ours.fill(frames, mask, mask)
            end = time.perf_counter()
            paint_region(frames, mask, RegionParams())
            ms = [1000 * s / len(frames) for s in (middle - begin, end - middle, time.perf_counter() - end)]
            aware, free = ours.fill(frames, mask, mask | real), mask & ~real
            before, after = psnr(base.frames, frames, mask), psnr(plate.frames, frames, mask)
            gain = psnr(aware.frames, frames, free) - psnr(base.frames, frames, free) if free.any() else float("nan")
            flick = [flicker(f, mask) for f in (plate.frames, base.frames, frames)]
            row = f"{name:<18}{walk:>9}{'still' if is_still(frames, mask) else 'moving':>9}"
            row += f"{before:9.1f}{after:9.1f}{after - before:+9.1f}{gain:+9.1f}{free.sum() / mask.sum():9.2f}"
            row += f"{plate.borrowed[mask.any((1, 2))].mean():9.2f}" + "".join(f"{f:9.2f}" for f in flick)
            print(row + "".join(f"{m:9.1f}" for m in ms), flush=True)


if __name__ == "__main__":
    main()
