"""`python -m benchmarks [NAME ...]`: all of them, or those named."""

import runpy
import sys

BY_NAME = ("ingest", "kill", "load", "memory", "osx", "painters", "plants", "soak")
ALL = (
    *(
        "speed",
        "detectors",
        "render",
        "studio",
        "drawing",
        "masks",
        "coverage",
        "recall",
        "plates",
        "bodies",
        "stillness",
    ),
    *("curate", "scene_bias", "loader", "step", "train"),
)
"""In order of time; those of `BY_NAME` take longer, or need a checkout of others' code."""


def main() -> None:
    """Runs the benchmarks one after the other."""
    named = sys.argv[1:]
    unknown = set(named) - {*ALL, *BY_NAME}
    if unknown:
        sys.exit(f"unknown benchmark: {', '.join(sorted(unknown))}; known: {', '.join((*ALL, *BY_NAME))}")
    for name in named or ALL:
        print(f"== {name}", flush=True)
        sys.argv = [f"benchmarks/{name}.py"]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
