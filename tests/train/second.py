"""The second of two processes that align the toys together: `python -m tests.train.second DATASET OUT`."""

import sys
from dataclasses import replace
from pathlib import Path

from m2m.train.align import align
from tests.train.toysets import ALIGN, MODEL

if __name__ == "__main__":
    params = replace(ALIGN, epochs=2, drop_path=0.0, mixup=0.0, micro_batch=1)
    align(Path(sys.argv[1]), None, Path(sys.argv[2]), params, MODEL)
