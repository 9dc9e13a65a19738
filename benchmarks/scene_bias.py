"""On drawn classes with a planted scene bias: is it measured, and which selections have less of it than chance?

python -m benchmarks.scene_bias [--clips 20] [--seeds 3] [--select 6]
"""

import argparse

import numpy as np
from scipy.stats import spearmanr

from m2m.curate.encoder import EmbeddedEncoder
from m2m.curate.params import CurateParams
from m2m.curate.select import select
from m2m.studio.clip import draw_clip
from m2m.studio.dataset import StudioParams, planted_bias, specs

WAYS = (
    ("bias-aug", "most-videos"),
    ("bias-aug", "min-bias"),
    ("kmeans", "most-videos"),
    ("bias-1d", "most-videos"),
    ("resound-swap", "most-videos"),
)
SUBSETS = 2000


def main() -> None:
    """Prints a line a method and seed: mean planted bias, and the share of random selections below it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("clips", 20), ("seeds", 3), ("select", 6)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    for seed in range(args.seeds):
        params = StudioParams(13, args.clips, seed=seed, fps=8, seconds=0.125, plain=True, scene_bias=True)
        planted, made = planted_bias(params), list(specs(params).values())
        labels = [spec.label for spec in made]
        vectors = EmbeddedEncoder()([draw_clip(spec).frames[0] for spec in made], labels)
        rng, names = np.random.default_rng(0), sorted(planted)
        chance = [np.mean([planted[c] for c in rng.choice(names, args.select, replace=False)]) for _ in range(SUBSETS)]
        for index, (method, representative) in enumerate(WAYS):
            how = CurateParams(classes=args.select, method=method, representative=representative)
            found = select(vectors, labels, how)
            if index == 0:
                rank = spearmanr([r.bias for r in found.classes], [planted[r.label] for r in found.classes]).statistic
                print(
                    f"seed {seed}: Spearman of measured and planted bias {rank:.2f} (13 classes x {args.clips} clips)"
                )
            mean = float(np.mean([planted[c] for c in found.selected]))
            below = np.mean(np.array(chance) < mean)
            print(
                f"  {method}, {representative}: {mean:.2f}, {below:.0%} of {SUBSETS} random selections below",
                flush=True,
            )


if __name__ == "__main__":
    main()
