"""The audit's verdict on each of the real clips, beside hand-checked labels of people and faces.

    m2m augment CLIPS MADE --keep plates,people,bodies
    python -m benchmarks.verdicts MADE --originals CLIPS [--sheets FOLDER]

A labelled frame is right where every sure person of 40 pixels or more and every sure face lies inside of what was
painted out (30 % of a person's box, 70 % of a face's, as everywhere here). `--sheets` writes the frames behind each
verdict.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from benchmarks.clips import SIZE, shared
from benchmarks.masks import FACE, PERSON, labelled
from m2m import video
from m2m.audit import audit
from m2m.audit.coverage import read_masks
from m2m.audit.params import AuditParams
from m2m.audit.rows import Row, read_audit
from m2m.clips import read_manifest


def uncovered(people: Path, label: dict) -> tuple[int, list[str]]:
    """How many labelled people and faces there are, and those that are not covered, in words."""
    shares = labelled(list(read_masks(people)), label)
    kinds = (("person", shares["people"], PERSON), ("face", shares["faces"], FACE))
    bare = [
        f"{kind} at frame {index}, {share:.0%} covered"
        for kind, found, enough in kinds
        for share, index, _ in found
        if share < enough
    ]
    return sum(len(found) for _, found, _ in kinds), bare


def evidence(row: Row) -> list[dict]:
    """What is behind a verdict: sightings, copies and flags of all checks."""
    found = []
    for name, check in row.checks.items():
        for key in ("sightings", "copies", "flags"):
            found += [{**seen, "check": name} for seen in check.figures.get(key, ())]
    return found


def sheet(path: Path, clip: Path, original: Path, seen: list[dict]) -> None:
    """Original and output side by side, a row a sighting, its box drawn."""
    frames = [f.image for f in video.read(clip, SIZE)]
    sources = [f.image for f in video.read(original, SIZE)]
    rows = []
    for one in seen[:6]:
        pair = [sources[one["frame"]].copy(), frames[one["frame"]].copy()]
        x0, y0, x1, y1 = map(round, one["box"])
        for picture in pair:
            cv2.rectangle(picture, (x0, y0), (x1, y1), (255, 0, 0), 1)
        words = f"{one['check']} {one['kind']} {one['frame']} {one.get('score', one.get('share'))}"
        cv2.putText(pair[1], words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1, cv2.LINE_AA)
        rows.append(np.hstack(pair))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def main() -> None:
    """Prints a row a clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("made", type=Path)
    parser.add_argument("--originals", type=Path, required=True)
    parser.add_argument("--sheets", type=Path)
    args = parser.parse_args()
    print(audit(args.made, args.originals, args.made, AuditParams()))
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())
    rows = {row.clip_id: row for row in read_audit(args.made)[0]}
    sources = {path.stem: path for path in args.originals.iterdir()}
    for clip in read_manifest(args.made / "clips.parquet"):
        name = clip.clip_id
        if name not in rows:
            print(f"{name[:24]:24s} quarantined before: {clip.reason}")
            continue
        row = rows[name]
        label = next((label for key, label in labels.items() if Path(key).stem == name), None)
        count, bare = uncovered(args.made / "people" / f"{name}.jsonl.gz", label) if label else (0, [])
        print(f"{name[:24]:24s} {row.verdict}; labelled {count}, not covered {len(bare)} {'; '.join(bare)}")
        for word, check in row.checks.items():
            if check.ok is not True or "flags" in check.figures:
                state = {True: "flagged", False: "FAILED", None: "not done"}[check.ok]
                print(f"    {word}: {state}: {check.figures.get('why')}")
        if args.sheets and evidence(row):
            sheet(args.sheets / f"{name}.png", args.made / clip.path, sources[name], evidence(row))


if __name__ == "__main__":
    main()
