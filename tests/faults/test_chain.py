"""Models that break behind the chain's interfaces: nothing of the person is released, whatever they do.

With models that know a person in red, so that every pixel of the person can be told; benchmarks/faults.py does the same
with the real ones.
"""

import cv2
import numpy as np
import pytest

from m2m.augment.chain import Chain, Models
from m2m.augment.compose import ComposeParams
from m2m.augment.inpaint.region import RegionParams
from m2m.augment.missed import RIM
from m2m.augment.steps import ChainParams
from m2m.augment.tally import Tally
from m2m.augment.verify import VerifyParams
from m2m.augment.window import WindowParams
from m2m.errors import QuarantineError
from tests.augment.red_people import clip, red, walking
from tests.faults.catalogue import FAULTS, inject
from tests.faults.toy_chain import models

CLIPS = {"still": clip(30), "walking": walking(30)}


def outcome(broken: Models, frames: np.ndarray, variant: str):
    """The frames that are released, or the reason why none are."""
    params = ChainParams(
        WindowParams(25, 12), RegionParams(outline="dilate"), ComposeParams(variant), VerifyParams(), False
    )
    try:
        return [f.image for f in Chain(broken, params).run(iter(frames), Tally())]
    except QuarantineError as error:
        return error.reason
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("shown", CLIPS)
@pytest.mark.parametrize("name", [n for n, f in FAULTS.items() if not f.deadly])
def test_nothing_of_the_person_is_released(name, shown):
    noise = VerifyParams().part * CLIPS[shown][0, ..., 0].size  # pixels of which no look makes a doubt
    for variant, seed in (("m2m", 0), ("blackout", 1)):
        result = outcome(inject(models(), name, seed), CLIPS[shown], variant)
        if isinstance(result, str):
            assert name != "none", result
        else:
            assert len(result) == len(CLIPS[shown])
            # A rim that is thinner than three pixels is within what any model of pixels is wrong by.
            left = [int(cv2.morphologyEx(red(f).view(np.uint8), cv2.MORPH_OPEN, RIM).sum()) for f in result]
            assert max(left) < noise, f"{variant}, seed {seed}: red pixels by frame {left}"
            needed = variant == "m2m" or FAULTS[name].part in ("detector", "verifier")
            assert not (FAULTS[name].refused and needed), "it was released"
