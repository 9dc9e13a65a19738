"""On drawn classes with a planted scene bias: is it measured, and which selections have less of it than chance?

python -m benchmarks.scene_bias [--clips 20] [--seeds 0 1 2] [--select 6]
"""

import argparse

import numpy as np
from scipy.stats import spearmanr

from m2m.curate.encoder import EmbeddedEncoder
from m2m.curate.params import CurateParams
from m2m.curate.select import select
from m2m.studio.clip import draw_clip
from m2m.studio.plan import planted_bias, specs
from m2m.studio.recipe import StudioParams

WAYS = (
    ("bias-aug", "most-videos"),
    ("bias-aug", "min-bias"),
    ("kmeans", "most-videos"),
    ("bias-1d", "most-videos"),
    ("resound-swap", "most-videos"),
)
SUBSETS = 2000


def main() -> None:
    """Prints the table of docs/curation.md: mean planted bias a method and seed, and the random selections below it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20, help="of each of the 13 classes (default: 20)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the drawing (default: 0 1 2)")
    parser.add_argument("--select", type=int, default=6, help="classes to select (default: 6)")
    args = parser.parse_args()
    ranks, cells = [], []
    for seed in args.seeds:
        rank, column = measured(seed, args.clips, args.select)
        ranks.append(f"{rank:.2f}".lstrip("0"))
        cells.append(column)
    print(f"Spearman of measured and planted bias, 13 classes x {args.clips} clips: {', '.join(ranks)}\n")
    print(f"| method, representative | {' | '.join(f'seed {seed}' for seed in args.seeds)} |")
    print(f"|---|{'---|' * len(args.seeds)}")
    for way, row in zip(WAYS, zip(*cells, strict=True), strict=True):
        print(f"| {way[0]}{'' if way[0] == 'resound-swap' else f', {way[1]}'} | {' | '.join(row)} |")


def measured(seed: int, clips: int, k: int) -> tuple[float, list[str]]:
    """Spearman of measured and planted bias, and for each way the selection's mean planted bias, beside chance."""
    params = StudioParams(13, clips, seed=seed, fps=8, seconds=0.125, plain=True, scene_bias=True)
    planted, made = planted_bias(params), list(specs(params).values())
    labels = [spec.label for spec in made]
    vectors = EmbeddedEncoder()([draw_clip(spec).frames[0] for spec in made], labels)
    rng, names = np.random.default_rng(0), sorted(planted)
    chance = np.array([np.mean([planted[c] for c in rng.choice(names, k, replace=False)]) for _ in range(SUBSETS)])
    found = [
        select(vectors, labels, CurateParams(classes=k, method=method, representative=representative))
        for method, representative in WAYS
    ]
    rows = found[0].classes
    rank = spearmanr([r.bias for r in rows], [planted[r.label] for r in rows]).statistic
    means = [float(np.mean([planted[c] for c in selection.selected])) for selection in found]
    return float(rank), [f"{mean:.2f} ({100 * np.mean(chance < mean):.0f} %)".lstrip("0") for mean in means]


if __name__ == "__main__":
    main()
