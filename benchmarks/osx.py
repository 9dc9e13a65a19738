"""Bodies a second of OSX, many people at a time and one at a time as its released scripts do, in one run.

    M2M_OSX=... python -m benchmarks.osx [--people 8] [--device cpu]

Random weights: the time does not depend on them. The crops are of the studio's people; making them and placing bodies
counts. The released scripts take one person at a time through the same network (and through SMPL-X's vertices, which
are not asked for here). The two ways take turns; the best of the rounds is printed, with the slowest.
"""

import argparse
import os
import platform
import time

import numpy as np

from m2m.augment.body import BodyParams, make_body
from m2m.augment.people import FramePeople, Person
from m2m.augment.recover import OSXParams, RecoverParams, make_recoverer
from m2m.augment.recover.osx.recoverer import OSXRecoverer
from m2m.studio import ClipSpec, StudioClip, draw_clip


def people_of(clip: StudioClip, frames: int) -> list[FramePeople]:
    """The studio's people by the boxes of their bodies."""
    body, out = make_body(BodyParams()), []
    for there in clip.bodies[:frames]:
        persons = []
        for b in there.bodies:
            at = clip.camera.project(body.vertices(b.pose, b.transl))
            box = np.concatenate([at.min(0), at.max(0)]).astype(np.float32)
            persons.append(Person(b.track, box, 0.9, clip.person_masks[0], frozenset({"pose", "ssdlite"})))
        out.append(FramePeople(tuple(persons), clip.person_masks[0]))
    return out


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    clip = draw_clip(ClipSpec("wave", seconds=1.0, persons=2))
    people = people_of(clip, -(-args.people // 2))
    frames, count = clip.frames[: len(people)], sum(len(p.persons) for p in people)
    params = RecoverParams(backend="osx", osx=OSXParams(weights="random", batch=args.people, device=args.device))
    batched = make_recoverer(params, make_body(BodyParams()))
    assert isinstance(batched, OSXRecoverer)
    network = batched._network
    print(f"# {platform.machine()}, {os.cpu_count()} CPUs, device {args.device}, {count} people, {args.rounds} rounds")
    print("| people at a time | bodies/s, best round | slowest round |")
    print("|---|---|---|")
    times: dict[int, list[float]] = {1: [], count: []}
    for _ in range(args.rounds):
        for size, taken in times.items():
            network._batch = size  # type: ignore[attr-defined]
            begin = time.perf_counter()
            batched.recover(people, clip.camera, frames)
            taken.append(time.perf_counter() - begin)
    for size, taken in times.items():
        print(f"| {size} | {count / min(taken):.3f} | {count / max(taken):.3f} |")


if __name__ == "__main__":
    main()
