"""Frames a second of the whole chain and of each stage, one person at 432x240.

python -m benchmarks.speed [--clip tai_chi.mp4]
"""

import argparse
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.clips import SIZE, frames_of
from m2m import params, video
from m2m.augment.build import make_chain
from m2m.augment.tally import Tally


def main() -> None:
    """Prints a table; the first window warms up and is counted too, loading the models is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", nargs="*", default=["tai_chi.mp4", "yoga.mp4", "v_SoccerJuggling_g24_c01.avi"])
    args = parser.parse_args()
    chain = make_chain(params.load("augment", "laptop"))
    for clip in args.clip:
        tally = Tally()
        frames = list(frames_of(clip))
        begin = time.perf_counter()
        with TemporaryDirectory() as folder, video.Writer(Path(folder) / "o.mp4", SIZE, Fraction(30)) as writer:
            for frame in chain.run(iter(frames), tally):
                with tally.timed("encode"):
                    writer.write(frame.image)
        seconds = time.perf_counter() - begin
        print(f"{clip}: {len(frames)} frames, {len(frames) / seconds:.1f} frames/s")
        for stage, spent in sorted(tally.seconds.items(), key=lambda kv: -kv[1]):
            print(f"  {stage:8s} {1000 * spent / len(frames):7.1f} ms a frame {len(frames) / spent:8.1f} frames/s")


if __name__ == "__main__":
    main()
