"""Variants from one detection are what the chain makes of each alone."""

from dataclasses import replace

import numpy as np
import pytest

from m2m.augment.compose import ComposeParams
from m2m.augment.inpaint.region import RegionParams
from m2m.augment.tally import Tally
from m2m.augment.variants import REAL, VariantsChain, augment_variants
from m2m.augment.window import WindowParams
from m2m.errors import InputError, QuarantineError
from m2m.params import AugmentParams
from tests.augment.red_people import LazyPainter, Seer, clip
from tests.augment.test_chain import chain, run

SEVERAL = ("real", "blur", "pixelate", "blackout", "mesh_on_real", "m2m", "no_human")
PARAMS = replace(AugmentParams(), window=WindowParams(30, 12), region=RegionParams(outline="dilate"))


@pytest.mark.parametrize("misses", [(), range(10, 16)])
def test_every_variant_is_what_it_is_alone(misses: range) -> None:
    frames = clip(40)
    made = VariantsChain(chain(Seer(misses=misses)), PARAMS, SEVERAL)
    shown = list(made.run(iter(frames), Tally()))
    for variant in SEVERAL:
        images = np.stack([s.images[variant] for s in shown])
        if variant == REAL:
            assert np.array_equal(images, frames)
            continue
        alone, _ = run(chain(Seer(misses=misses), variant=variant, compose=ComposeParams(variant)), frames)
        assert np.array_equal(images, [f.image for f in alone]), variant
    assert all(len(s.bodies.bodies) == len(s.people.confirmed) for s in shown)


def test_a_clip_that_m2m_refuses_has_no_variant() -> None:
    made = VariantsChain(chain(painter=LazyPainter()), PARAMS, ("real", "blur"))
    with pytest.raises(QuarantineError):
        list(made.run(iter(clip(20)), Tally()))


def test_unknown_and_repeated_variants_are_refused(tmp_path) -> None:
    for wrong in (("real", "mosaic"), ("m2m", "m2m"), ()):
        with pytest.raises(InputError, match="variants are different"):
            augment_variants(tmp_path, tmp_path / "out", wrong)
