"""What the detect stage covers, against masks and hand-checked boxes of real clips.

    python -m benchmarks.masks [--clip NAME] [--sheets FOLDER]

`--sheets` writes a contact sheet a clip: cover in red, people's masks in their own colours, confirmed people boxed.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from benchmarks.clips import SIZE, frames_of, names, shared, stretch_of
from m2m.augment.detect import DetectParams, make_detector
from m2m.augment.detect.link import link
from m2m.augment.detect.shots import ShotDetector
from m2m.augment.people import Detector, FramePeople
from m2m.augment.verify import covered_share
from m2m.augment.window import WindowParams, windows

MIN_HEIGHT = 40
PERSON, FACE = 0.3, 0.7


def detect_clip(frames: np.ndarray, detector: Detector, stretch: float) -> list[FramePeople]:
    """People of a clip, window by window as the chain does."""
    out: list[FramePeople] = []
    previous: list[FramePeople] = []
    next_id = 0
    for window in windows(frames, ShotDetector(), WindowParams()):
        previous, next_id = link(previous, detector.detect(window.frames, stretch), window.overlap, next_id)
        out += previous[window.start : window.stop]
    return out


class Covered(Protocol):
    """What of a frame is covered, (H, W) bool."""

    @property
    def cover(self) -> np.ndarray: ...


def labelled(people: Sequence[Covered], label: dict[str, Any]) -> dict[str, list[tuple[float, int, list[float]]]]:
    """Covered share, frame and box of every sure person (tall and small) and face."""
    scale = np.tile(np.array(SIZE) / label["size"], 2)
    shares: dict[str, list[tuple[float, int, list[float]]]] = {"people": [], "small": [], "faces": []}
    for index, persons in label["frames"].items():
        seen = people[int(index)].cover
        for person in persons:
            box = np.array(person["box"]) * scale
            if person["sure"]:
                kind = "people" if box[3] - box[1] >= MIN_HEIGHT else "small"
                shares[kind].append((covered_share(seen, box), int(index), box.round().tolist()))
            if person["face"] and person["face_sure"]:
                face = np.array(person["face"]) * scale
                shares["faces"].append((covered_share(seen, face), int(index), face.round().tolist()))
    return shares


def schoolgirls(people: list[FramePeople]) -> str:
    """Recall and precision of the cover, and each girl's mask, against the true masks (palette ids)."""
    from PIL import Image

    folder = shared() / "fixtures" / "schoolgirls_masks"
    ids = np.stack([np.array(Image.open(p)) for p in sorted(folder.glob("*.png"))])
    ids = np.stack([cv2.resize(i, SIZE, interpolation=cv2.INTER_NEAREST) for i in ids])
    covers = np.stack([p.cover for p in people])
    both = (covers & (ids > 0)).sum((1, 2))
    recall, precision = both / (ids > 0).sum((1, 2)), both / covers.sum((1, 2))
    best = []
    for true, frame in zip(ids, people, strict=True):
        for girl in (1, 3, 5, 7):
            own = true == girl
            overlaps = [(own & p.mask).sum() / (own | p.mask).sum() for p in frame.persons if p.landmarks is not None]
            best.append(max(overlaps, default=0.0) if own.any() else np.nan)
    return (
        f"schoolgirls, {len(ids)} frames: recall {recall.mean():.4f}, worst {recall.min():.3f}, precision "
        f"{precision.mean():.3f}; masks of the {np.isfinite(best).sum()} girls: median IoU {np.nanmedian(best):.3f}"
    )


def sheet(frames: np.ndarray, people: list[FramePeople], path: Path) -> None:
    """Eight frames with what was found."""
    tiles = []
    for t in np.linspace(0, len(frames) - 1, 8).astype(int):
        picture = frames[t].astype(np.float32)
        picture[people[t].cover] = picture[people[t].cover] * 0.6 + np.array([100, 0, 0])
        for person in people[t].persons:
            colour = np.array([[0, 255, 0], [0, 128, 255], [255, 255, 0], [255, 0, 255], [0, 255, 255]])[
                person.track % 5
            ]
            picture[person.mask] = picture[person.mask] * 0.6 + colour * 0.4
        tile = np.ascontiguousarray(picture.clip(0, 255).astype(np.uint8))
        for person in people[t].persons:
            x0, y0, x1, y1 = (round(float(v)) for v in person.box)
            cv2.rectangle(tile, (x0, y0), (x1, y1), (255, 255, 255) if person.confirmed else (90, 90, 90), 1)
            text = f"{person.track} " + "".join(sorted(f[0] for f in person.families))
            cv2.putText(tile, text, (x0 + 2, y0 + 10), 0, 0.35, (255, 255, 255), 1)
        cv2.putText(tile, f"{t}", (3, 235), 0, 0.4, (255, 255, 0), 1)
        tiles.append(tile)
    rows = [np.hstack(tiles[i : i + 3]) for i in (0, 3)] + [np.hstack([*tiles[6:], np.zeros_like(tiles[0])])]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def main() -> None:
    """Prints a line a clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", default="", help="only clips whose name contains this")
    parser.add_argument("--sheets", type=Path, help="write contact sheets into this folder")
    parser.add_argument("--verbose", action="store_true", help="print every uncovered box")
    args = parser.parse_args()
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())
    detector = make_detector(DetectParams())
    print("clip                        people   small   faces   area confirmed ids    ms  load")
    for name in (n for n in names() if args.clip in n):
        frames = np.stack(list(frames_of(name)))
        begin = time.perf_counter()
        people = detect_clip(frames, detector, stretch_of(name))
        ms = (time.perf_counter() - begin) / len(frames) * 1000
        shares = labelled(people, labels[name])
        bad = {k: [s for s in v if s[0] < (FACE if k == "faces" else PERSON)] for k, v in shares.items()}
        counts = [f"{len(bad[k])}/{len(shares[k])}" for k in ("people", "small", "faces")]
        ids = {p.track for f in people for p in f.confirmed}
        area = float(np.mean([p.cover.mean() for p in people]))
        confirmed = sum(bool(p.confirmed) for p in people)
        load = os.getloadavg()[0]
        print(f"{name[:26]:26s} {counts[0]:>7s} {counts[1]:>7s} {counts[2]:>7s} {area:6.3f} {confirmed:4d}/"
              f"{len(people):4d} {len(ids):3d} {ms:5.0f} {load:5.1f}", flush=True)  # fmt: skip
        if args.verbose:
            for kind, found in bad.items():
                for share, index, box in found:
                    print(f"    {kind} frame {index} box {box} covered {share:.2f}")
        if name.startswith("schoolgirls"):
            print(schoolgirls(people))
        if args.sheets:
            sheet(frames, people, args.sheets / f"{Path(name).stem}.png")


if __name__ == "__main__":
    main()
