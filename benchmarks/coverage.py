"""Who stays visible: the plates against hand-checked boxes of people and faces on real clips.

    python -m benchmarks.coverage [--out FOLDER] [--workers 2] [--write]

Runs `m2m augment` on the clips and asks of every released one: of which labelled people is less than 30 % of the box
painted out, of which faces less than 70 %? Painted out is what differs from the source on the lossless plate, so a
pixel that was filled with its own colour counts against us. `--write` stores the figures that the report quotes.
"""

import argparse
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from scipy.stats import beta

from benchmarks.clips import SIZE, frames_of, names, shared
from m2m import params, video
from m2m.augment.dataset import augment
from m2m.augment.verify import covered_share
from m2m.clips import slug

MIN_HEIGHT = 40.0
PERSON, FACE = 0.3, 0.7
MEASURED = Path(__file__).parents[1] / "m2m" / "report" / "measured.yaml"


def _texts(folder: Path) -> Iterator[str]:
    return (path.read_text() for path in sorted(folder.iterdir()))


def upper95(bad: int, n: int) -> float:
    """One-sided 95 % upper bound of a share (Clopper-Pearson)."""
    return float(beta.ppf(0.95, bad + 1, n - bad)) if n > bad else 1.0


def gather(folder: Path) -> None:
    """The clips, and the tennis frames as a lossless video."""
    for name in names():
        if name == "tennis":
            with video.Writer(folder / "tennis.mkv", SIZE, Fraction(25), lossless=True) as writer:
                for frame in frames_of(name):
                    writer.write(frame)
        else:
            (folder / name).symlink_to(shared() / "clips" / name)


def score(clip: str, labels: dict[str, Any], plate: Path) -> dict[str, list[float]]:
    """Painted shares of the labelled people and faces of one released clip, and of its labelled frames."""
    scale = np.array([SIZE[0] / labels["size"][0], SIZE[1] / labels["size"][1]] * 2)
    out: dict[str, list[float]] = {"people": [], "small": [], "faces": [], "area": []}
    for i, (source, painted) in enumerate(zip(frames_of(clip), video.read(plate), strict=True)):
        if str(i) not in labels["frames"]:
            continue
        region = (source != painted.image).any(-1)
        out["area"].append(float(region.mean()))
        for person in labels["frames"][str(i)]:
            box = np.array(person["box"]) * scale
            if person["sure"]:
                out["people" if box[3] - box[1] >= MIN_HEIGHT else "small"].append(covered_share(region, box))
            if person["face"] is not None and person["face_sure"]:
                out["faces"].append(covered_share(region, np.array(person["face"]) * scale))
    return out


LEAST = {"people": PERSON, "faces": FACE, "small": PERSON}


def line(record: dict[str, Any], shares: dict[str, list[float]]) -> str:
    """One clip as a row of the table."""
    counts = " ".join(f"{sum(c < least for c in shares[k])}/{len(shares[k])}".rjust(6) for k, least in LEAST.items())
    if record["status"] != "ok":
        return f"{record['name'][:24]:24s} {counts}  {record['reason']}: {record['what']}"
    s = record["result"]["summary"]
    body = s["frames_with_bodies"] / max(s["frames_with_people"], 1)
    speed = s["frames"] / sum(v for k, v in s["seconds"].items() if k != "look")
    facts = f"{np.mean(shares['area']):5.2f} {speed:5.1f} {s['people']:3d} {body:5.2f}"
    return f"{record['name'][:24]:24s} {counts} {facts}  ok {s['doubts'] or ''}"


def main() -> None:
    """Prints the table and its sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store the sums for the report")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="keep the data set here, with people and bodies")
    args = parser.parse_args()
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())
    with TemporaryDirectory() as folder:
        gather(Path(folder))
        out = args.out or Path(folder) / "out"
        keep = ["people", "plates", "bodies"] if args.out else ["plates"]
        kept = params.load("augment", "laptop", overrides={"keep": keep})
        summary = augment(folder, out, kept, workers=args.workers, with_originals=True)
        records = {r["name"]: r for r in map(json.loads, _texts(out / ".m2m" / "records"))}
        rows = []
        print(
            "clip; uncovered people, faces, small people; painted; frames/s; ids; frames with people that have a body"
        )
        for name in names():
            record = records[slug(Path(name).stem)]
            empty: dict[str, list[float]] = {"people": [], "faces": [], "small": [], "area": []}
            ok = record["status"] == "ok"
            shares = score(name, labels[name], out / record["result"]["outputs"]["plates"]) if ok else empty
            rows.append(shares | {"reason": record["reason"], "clip": name})
            print(line(record, shares), flush=True)
        print(summary)
    released = [r for r in rows if not r["reason"]]
    sums: dict[str, Any] = {"clips": len(rows), "min_height_px": int(MIN_HEIGHT)}
    for key, least in LEAST.items():
        shares = [c for r in released for c in r[key]]
        bad = sum(c < least for c in shares)
        sums[key] = {"n": len(shares), "uncovered": bad, "upper95": round(upper95(bad, len(shares)), 4)}
    held = [f"{Path(r['clip']).stem} ({r['reason']})" for r in rows if r["reason"]]
    sums["quarantined"] = f"{len(held)} of {len(rows)} clips were quarantined" + (
        f": {', '.join(held)}" if held else ""
    )
    print(yaml.safe_dump(sums, sort_keys=False))
    if args.write:
        MEASURED.write_text(
            "# Written by `python -m benchmarks.coverage --write`; the report quotes it.\n" + yaml.safe_dump(sums)
        )


if __name__ == "__main__":
    main()
