"""What it costs to run the stages as tasks of their own: seconds and bytes against the chain in memory.

python -m benchmarks.stages [--clips 3] [--seconds 3]
"""

import argparse
import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from m2m.augment.stages import augment_shard, compose_shard, detect_shard, inpaint_shard, recover_shard
from m2m.datasets.ingest import ingest
from m2m.datasets.params import IngestParams
from m2m.params import load
from m2m.results import read_results
from m2m.store import blob_key, open_store
from m2m.studio import StudioParams, draw_dataset


def timed(name: str, run: Callable[[], object]) -> tuple[float, float]:
    """Prints and returns seconds on the clock and on the processors, model loading included."""

    def spent() -> float:
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (-1, 0)))  # children, self

    clock, cpu = time.perf_counter(), spent()
    run()
    took = time.perf_counter() - clock, spent() - cpu
    print(f"{name:18s} {took[0]:7.1f} s {took[1]:7.1f} s of processor")
    return took


def main() -> None:
    """Prints a line a stage, then bytes by kind of output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    params = load("augment", "laptop")
    with TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["M2M_STORE"] = str(root / "store")
        draw_dataset(root / "drawn", StudioParams(args.clips, 1, seconds=args.seconds))
        manifest = root / "manifest"
        print(ingest(str(root / "drawn"), manifest, IngestParams(shards=1), packed=True, progress=False))
        os.environ["M2M_WORK"] = str(root / "whole")
        whole = timed("in memory", lambda: augment_shard(manifest, 0, root / "augmented", params))
        os.environ["M2M_WORK"] = str(root / "work")
        people, plates, bodies = root / "people", root / "plates", root / "bodies"
        stages = [
            timed("detect", lambda: detect_shard(manifest, 0, people, params)),
            timed("inpaint", lambda: inpaint_shard(manifest, people, 0, plates, params)),
            timed("recover", lambda: recover_shard(manifest, people, 0, bodies, params)),
            timed("compose", lambda: compose_shard(manifest, plates, bodies, 0, root / "composed", params)),
        ]
        clock, cpu = (sum(s[k] for s in stages) / whole[k] for k in (0, 1))
        print(f"staged, in memory = 1: {clock:.2f} {cpu:13.2f}")
        timed("detect again", lambda: detect_shard(manifest, 0, people, params))
        store, frames, sizes = open_store(root / "work"), 0, Counter[str]()
        for stage, at in (("detect", people), ("inpaint", plates), ("recover", bodies), ("compose", root / "composed")):
            for record in read_results(at, stage).records:
                frames += record.result["n_frames"] * (stage == "compose" and record.status == "ok")
                for word, path in record.result.get("outputs", {}).items():
                    sizes[word] += store.size(blob_key(record.outputs[path]))
        for word, size in sizes.most_common():
            print(f"{word:8s} {size / 2**20:8.2f} MiB {size / max(frames, 1) / 1000:8.2f} kB a frame")
        same = [[r.outputs for r in read_results(root / at, "compose").records] for at in ("augmented", "composed")]
        print("the same bytes" if same[0] == same[1] else "OTHER BYTES")


if __name__ == "__main__":
    main()
