"""The README's moving picture: drawn clips beside their plates and M2M's result.

python scripts/side_by_side.py docs/images/side_by_side.webp
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from m2m import params
from m2m.augment.build import make_chain
from m2m.augment.tally import Tally
from m2m.studio import ClipSpec, draw_clip

SPECS = (
    ClipSpec("kick", seed=41, seconds=2.0, fps=12, height=150, camera="still", prop="ball"),
    ClipSpec("wave", seed=5, seconds=2.0, fps=12, persons=2, camera="still"),
)
SIZE = (300, 166)
"""Of each of the three pictures in a row, pixels."""


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    chain, rows = make_chain(params.load("augment", "laptop")), []
    for spec in SPECS:
        frames = draw_clip(spec).frames
        made = list(chain.run(iter(frames), Tally()))
        rows.append([[f.source, f.plate, f.image] for f in made])
    pictures = []
    for at in zip(*rows, strict=True):
        small = [np.hstack([cv2.resize(p, SIZE, interpolation=cv2.INTER_AREA) for p in row]) for row in at]
        pictures.append(Image.fromarray(np.vstack(small)))
    pictures[0].save(out, save_all=True, append_images=pictures[1:], duration=1000 // 12, loop=0, quality=60, method=6)


if __name__ == "__main__":
    main()
