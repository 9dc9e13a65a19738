"""Who stays visible: the painted region against hand-checked boxes of people and faces on real clips.

    python -m benchmarks.coverage [--write]

Runs the chain as `m2m augment` does and asks of every clip that would be released: which labelled people have less than
30 % of their box painted out, which faces less than 70 %? `--write` stores the figures that the report quotes.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.stats import beta

from benchmarks.clips import SIZE, frames_of, names, shared
from m2m import params
from m2m.augment.build import make_chain
from m2m.augment.chain import Tally
from m2m.augment.verify import covered_share
from m2m.errors import QuarantineError

MIN_HEIGHT = 40.0
PERSON, FACE = 0.3, 0.7
MEASURED = Path(__file__).parents[1] / "m2m" / "report" / "measured.yaml"


def upper95(bad: int, n: int) -> float:
    """One-sided 95 % upper bound of a share (Clopper-Pearson)."""
    return float(beta.ppf(0.95, bad + 1, n - bad)) if n > bad else 1.0


def score(clip: str, labels: dict[str, Any], chain: Any) -> dict[str, Any]:
    """Covered shares of the labelled people and faces of one clip."""
    sx, sy = SIZE[0] / labels["size"][0], SIZE[1] / labels["size"][1]
    scale = np.array([sx, sy, sx, sy])
    out: dict[str, Any] = {"clip": clip, "people": [], "small": [], "faces": [], "reason": ""}
    tally, begin, area = Tally(), time.perf_counter(), []
    try:
        for i, frame in enumerate(chain.run(frames_of(clip), tally)):
            area.append(frame.region.mean())
            for person in labels["frames"].get(str(i), []):
                box = np.array(person["box"]) * scale
                if person["sure"]:
                    size = "people" if box[3] - box[1] >= MIN_HEIGHT else "small"
                    out[size].append(covered_share(frame.region, box))
                if person["face"] is not None and person["face_sure"]:
                    out["faces"].append(covered_share(frame.region, np.array(person["face"]) * scale))
    except QuarantineError as error:
        out["reason"] = f"{error.reason}: {error.what}"
    out |= {"summary": tally.summary(), "seconds": time.perf_counter() - begin, "area": float(np.mean(area or [0]))}
    return out


def line(row: dict[str, Any]) -> str:
    """One clip as a row of the table."""
    least = (("people", PERSON), ("faces", FACE), ("small", PERSON))
    counts = " ".join(f"{sum(c < t for c in row[k])}/{len(row[k])}".rjust(6) for k, t in least)
    s = row["summary"]
    body = s["frames_with_bodies"] / max(s["frames_with_people"], 1)
    speed = s["frames"] / row["seconds"]
    verdict = f"{row['reason'] or 'ok'} {s['doubts'] or ''}"
    return f"{row['clip'][:24]:24s} {counts} {row['area']:5.2f} {speed:5.1f} {s['people']:3d} {body:5.2f}  {verdict}"


def main() -> None:
    """Prints the table and its sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="store the sums for the report")
    parser.add_argument("--clip", default="", help="only clips whose name contains this")
    args = parser.parse_args()
    labels = json.loads((shared() / "fixtures" / "people" / "labels.json").read_text())
    chain = make_chain(params.load("laptop"))
    rows = []
    print("clip; uncovered people, faces, small people; painted; frames/s; ids; frames with people that have a body")
    for clip in (n for n in names() if args.clip in n):
        rows.append(score(clip, labels[clip], chain))
        print(line(rows[-1]), flush=True)
    released = [r for r in rows if not r["reason"]]
    sums: dict[str, Any] = {"clips": len(rows), "min_height_px": int(MIN_HEIGHT)}
    for key, least in (("people", PERSON), ("faces", FACE), ("small", PERSON)):
        shares = [c for r in released for c in r[key]]
        bad = sum(c < least for c in shares)
        sums[key] = {"n": len(shares), "uncovered": bad, "upper95": round(upper95(bad, len(shares)), 4)}
    held = [f"{Path(r['clip']).stem} ({r['reason'].partition(':')[0]})" for r in rows if r["reason"]]
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
