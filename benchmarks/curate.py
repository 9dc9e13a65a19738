"""K-NEXUS at the size of Kinetics-400, beside explicit loops; and how far each weight goes towards bias alone.

    python -m benchmarks.curate [--classes 400] [--clips 1000] [--dim 1024] [--select 150]

The vectors are generated, with groups of classes that resemble each other, and lie in a file. The released code of the
paper has, for each pair of classes, a cosine in a Python loop, and k-means with one start; both are written anew here.
"""

import argparse
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from m2m.curate.bias import centres, class_bias, pair_recall, units
from m2m.curate.cluster import augmented, cluster, explained, look, standardised

PEER_CLIPS = 400
"""Clips that the loop over clips and classes is timed on; all of them would take an hour."""


def main() -> None:
    """Prints seconds, ratios and how alike the clusters of several weights are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("classes", 400), ("clips", 1000), ("dim", 1024), ("select", 150)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        vectors = generate(Path(folder) / "vectors.npy", args.classes, args.clips, args.dim)
        own = np.repeat(np.arange(args.classes), args.clips)
        with Memory() as memory:
            known, seconds = timed(lambda: centres(vectors, own))
            found, bias_seconds = timed(lambda: class_bias(vectors, own, known))
        print(f"class means of {len(own)} x {args.dim}: {seconds:.2f} s")
        print(f"bias, held out: {bias_seconds:.2f} s; {memory.most:.0f} MB of memory at most for both, all told")
        points = augmented(known.sums, found.bias, 1.0)
        ours, cluster_seconds = timed(lambda: cluster(points, args.select, seed=0, starts=10))
        print(f"clusters, K = {args.select}, 10 starts: {cluster_seconds:.2f} s, objective {ours.objective:.4f}")
        print(f"bias and clusters together: {bias_seconds + cluster_seconds:.2f} s")
        one = [
            float(KMeans(args.select, init="random", n_init=1, random_state=s).fit(points).inertia_) for s in range(20)
        ]
        print(f"Lloyd, one random start: objective {np.mean(one):.4f} on average, {min(one):.4f} at best of {len(one)}")
        _, seconds = timed(lambda: pair_recall(vectors, own, known))
        print(f"recall of all pairs of classes: {seconds:.2f} s")

        sample = np.random.default_rng(0).choice(len(own), min(PEER_CLIPS, len(own)), replace=False)
        _, peer = timed(lambda: loop_over_clips(vectors[sample], own[sample], known.sums))
        peer *= len(own) / len(sample)
        print(f"the same bias by a loop over clips and classes, from {len(sample)} clips: {peer:.0f} s, "
              f"{peer / bias_seconds:.0f} times ours")  # fmt: skip
        theirs, slow = timed(lambda: released_bias(known.directions))
        quick, fast = timed(lambda: matrix_bias(known.directions))
        assert np.allclose(theirs, quick)
        print(f"the released measure (log of C times the mean cosine to the others): loop over pairs {slow:.2f} s, "
              f"one product {fast * 1e3:.1f} ms, {slow / fast:.0f} times")  # fmt: skip
        print("weight  look explained  bias explained  like kmeans  like bias-1d  (adjusted Rand index)")
        plain = cluster(augmented(known.sums, found.bias, 0.0), args.select, 0).members
        alone = cluster(standardised(found.bias), args.select, 0).members
        for weight in (0.0, 0.01, 0.1, 1.0, 10.0, 100.0):
            members = cluster(augmented(known.sums, found.bias, weight), args.select, 0).members
            shares = explained(look(known.sums), members), explained(found.bias[:, None], members)
            likes = adjusted_rand_score(plain, members), adjusted_rand_score(alone, members)
            print(f"{weight:6g}  {shares[0]:14.2f}  {shares[1]:14.2f}  {likes[0]:11.2f}  {likes[1]:12.2f}")


def generate(path: Path, classes: int, clips: int, dim: int) -> np.ndarray:
    """Vectors with a direction that all share, as those of one network do, groups of classes, classes and clips."""
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(classes // 8 or 1, dim))
    centre = 3 * rng.normal(size=dim) + groups[rng.integers(len(groups), size=classes)]
    centre += rng.uniform(0.1, 0.6, (classes, 1)) * rng.normal(size=(classes, dim))
    out = np.lib.format.open_memmap(path, "w+", np.float32, (classes * clips, dim))
    for index in range(classes):
        noise = rng.standard_normal((clips, dim), np.float32)
        out[index * clips : (index + 1) * clips] = centre[index] + rng.uniform(2, 8) * noise
    out.flush()
    return np.load(path, mmap_mode="r", allow_pickle=False)


def loop_over_clips(vectors: np.ndarray, own: np.ndarray, sums: np.ndarray) -> list[bool]:
    """Every clip against every class, one cosine at a time."""
    hits = []
    for vector, label in zip(vectors.astype(np.float64), own, strict=True):
        unit = vector / np.linalg.norm(vector)
        best, score = -1, -np.inf
        for index, total in enumerate(sums):
            mean = total - unit if index == label else total
            cosine = float(unit @ mean / np.linalg.norm(mean))
            if cosine > score:
                best, score = index, cosine
        hits.append(best == label)
    return hits


def released_bias(means: np.ndarray) -> np.ndarray:
    """The released code's measure the way it takes it: a loop over all pairs of classes."""
    out = []
    for i in range(len(means)):
        total = 0.0
        for j in range(len(means)):
            if i != j:
                total += float(means[i] @ means[j] / (np.linalg.norm(means[i]) * np.linalg.norm(means[j])))
        out.append(np.log(len(means) * total / (len(means) - 1)))
    return np.array(out)


def matrix_bias(means: np.ndarray) -> np.ndarray:
    """The same in one product."""
    unit = units(means)
    others = (unit @ unit.sum(axis=0) - 1) / (len(means) - 1)
    return np.log(len(means) * others)


class Memory(threading.Thread):
    """The most memory of this process that is not pages of a file, while the block lasts, in megabytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.over = 0.0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            self.most = max(self.most, next(int(n.split()[1]) / 1024 for n in lines if n.startswith("RssAnon")))

    def __enter__(self) -> "Memory":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    out = work()
    return out, time.perf_counter() - begin


if __name__ == "__main__":
    main()
