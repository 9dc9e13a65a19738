"""Whom the default masks cover, by groups: hand-checked people of real clips, and drawn people of five skin tones.

    python -m benchmarks.recall [--people 40] [--write]

Asked is of every person: is 30 % or more of the box covered (of a face: 70 %), as `benchmarks.coverage` asks of what
was painted out? Real people are grouped by height, by whether the frame cuts them or they show their backs, and by
face. Their labels say nothing of skin, so tones are asked of drawn people: each clip is drawn five times, and only the
skin differs. That finds a detector which fails on a tone of the studio's bodies; it says nothing of real skin, hair or
light, and a tone that does well here may do badly on a camera. `--write` stores the figures for the certificate.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml

from benchmarks.clips import SIZE, frames_of, names, shared, stretch_of
from benchmarks.masks import FACE, MIN_HEIGHT, PERSON, detect_clip
from m2m.audit.bound import interval
from m2m.augment import versions
from m2m.augment.detect import DetectParams, make_detector
from m2m.augment.people import Detector
from m2m.augment.verify import covered_share
from m2m.studio import person
from m2m.studio.actions import ACTIONS
from m2m.studio.clip import ClipSpec, draw_clip

RECALL = Path(__file__).parents[1] / "m2m" / "audit" / "recall.yaml"
BANDS = (0, 20, 40, 80, 160, 10**6)
TONES = ("lightest", "light", "medium", "dark", "darkest")
MOST = 0.9
"""Share of a drawn person's own pixels that must be covered, in the stricter question."""

Answers = list[tuple[str, str, bool]]
"""Group, value, and whether the person was covered."""


def band(height: float) -> str:
    """The band of a height in pixels."""
    i = int(np.searchsorted(BANDS, height, "right"))
    return f"{BANDS[i - 1]}-{BANDS[i]} px" if i < len(BANDS) - 1 else f"{BANDS[-2]} px or more"


def of_labels(covers: list[np.ndarray], label: dict[str, Any]) -> Answers:
    """What holds for the labelled people and faces of one clip; who is not sure is left out.

    Args:
        covers: (H, W) bool of every frame.
        label: The clip's entry in the labels.
    """
    scale = np.tile(np.array(SIZE) / label["size"], 2)
    answers: Answers = []
    for index, people in label["frames"].items():
        for one in people:
            box = np.array(one["box"]) * scale
            height = box[3] - box[1]
            if one["sure"]:
                seen = covered_share(covers[int(index)], box) >= PERSON
                answers.append(("height", band(height), seen))
                if height >= MIN_HEIGHT:  # small people are missed for their size, whatever else they are
                    answers.append(("cut by the frame", "yes" if one["truncated"] else "no", seen))
                    answers.append(("from behind", "yes" if one["from_behind"] else "no", seen))
            if one["face"] is not None and one["face_sure"]:
                face = np.array(one["face"]) * scale
                answers.append(("face", band(face[3] - face[1]), covered_share(covers[int(index)], face) >= FACE))
    return answers


def of_tone(tone: int, seed: int, detector: Detector) -> Answers:
    """What holds for the people of a drawn clip, in its middle frame."""
    label = list(ACTIONS)[seed % len(ACTIONS)]
    spec = ClipSpec(label, seed, SIZE, Fraction(12), 0.25, persons=2, height=float(60 + 40 * (seed % 3)))
    with mock.patch.object(person, "SKIN", person.SKIN[tone : tone + 1]):
        clip = draw_clip(spec)
    middle = len(clip.frames) // 2
    cover = detect_clip(clip.frames, detector, 1.0)[middle].cover
    answers: Answers = []
    for mask in clip.person_masks[middle]:
        rows, columns = np.nonzero(mask)
        if len(rows) < 100:  # hardly in the picture, or behind the other
            continue
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        answers.append(("skin tone (drawn)", TONES[tone], covered_share(cover, box) >= PERSON))
        most = float(cover[mask].mean()) >= MOST
        answers.append((f"skin tone (drawn), {MOST:.0%} of the person", TONES[tone], most))
    return answers


def table(answers: Answers) -> list[dict[str, Any]]:
    """The answers counted, in the order in which groups appear."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    found: Counter[tuple[str, str]] = Counter()
    for group, value, seen in answers:
        counts[group][value] += 1
        found[group, value] += seen
    order = [*map(band, BANDS[:-1]), *TONES, "no", "yes"]
    return [
        {"group": group, "value": value, "n": values[value], "found": found[group, value]}
        for group, values in counts.items()
        for value in sorted(values, key=order.index)
    ]


def real(labels: dict[str, Any], detector: Detector) -> Iterator[Answers]:
    """What holds in each clip in which somebody is labelled."""
    for name in names():
        if not any(labels[name]["frames"].values()):
            continue
        last = max(map(int, labels[name]["frames"]))
        frames = np.stack([frame for i, frame in enumerate(frames_of(name)) if i <= last])
        covers = [people.cover for people in detect_clip(frames, detector, stretch_of(name))]
        print(f"{name[:40]:40s} {len(frames)} frames", flush=True)
        yield of_labels(covers, labels[name])


def drawn(people: int, detector: Detector) -> Iterator[Answers]:
    """What holds in drawn clips, each in all tones, until there are enough people in each."""
    n: Counter[int] = Counter()
    seed = 0
    while min(n[tone] for tone in range(len(TONES))) < people:
        for tone in range(len(TONES)):
            made = of_tone(tone, seed, detector)
            n[tone] += len(made) // 2
            yield made
        seed += 1
        print(f"drawn people a tone: {sorted(n.values())}", flush=True)


def conditions(labels: dict[str, Any]) -> str:
    """Under what the figures hold, in one sentence for the certificate."""
    clips = sum(any(label["frames"].values()) for label in labels.values())
    return (
        f"default detector (embedded, {versions.DETECT}; mediapipe {version('mediapipe')}) at {SIZE[0]}x{SIZE[1]}; "
        f"covered is {PERSON:.0%} of a person's box and {FACE:.0%} of a face's; heights in pixels at that size; real "
        f"people and faces: {clips} clips with hand-checked boxes, one annotator, people of {MIN_HEIGHT} px or more "
        f"where it says cut by the frame or from behind, several looks at the same people; skin tones: drawn people "
        f"of 60 to 140 px, the same clips in each tone, which say nothing of real skin; {datetime.now(UTC):%Y-%m-%d}"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=40, help="drawn people a tone, at least (default: 40)")
    parser.add_argument("--write", action="store_true", help="store the figures for the certificate")
    args = parser.parse_args()
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())
    detector = make_detector(DetectParams())
    parts = (*real(labels, detector), *drawn(args.people, detector))
    rows = table([answer for part in parts for answer in part])
    for row in rows:
        low, high = interval(row["found"], row["n"])
        print(f"{row['group']:44s} {row['value']:16s} {row['found']:4d} of {row['n']:4d}  {low:.1%} to {high:.1%}")
    print(conditions(labels))
    if args.write:
        said = "# Written by `python -m benchmarks.recall --write`; the certificate quotes it.\n"
        RECALL.write_text(said + yaml.safe_dump({"conditions": conditions(labels), "groups": rows}, sort_keys=False))


if __name__ == "__main__":
    main()
