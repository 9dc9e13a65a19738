"""On drawn classes whose backgrounds tell them, some more than others, the bias is measured as it was planted."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from m2m.curate.encoder import EmbeddedEncoder
from m2m.curate.params import CurateParams
from m2m.curate.select import select
from m2m.studio.clip import draw_clip
from m2m.studio.plan import planted_bias, specs
from m2m.studio.recipe import StudioParams


@pytest.fixture(scope="module")
def drawn():
    """One frame of 12 clips of each of 13 classes, and how biased each class was drawn."""
    params = StudioParams(classes=13, clips=12, seed=0, fps=8, seconds=0.125, plain=True, scene_bias=True)
    made = specs(params).values()
    vectors = EmbeddedEncoder()([draw_clip(spec).frames[0] for spec in made], [spec.label for spec in made])
    return vectors, [spec.label for spec in made], planted_bias(params)


def test_classes_are_ranked_as_planted(drawn):
    vectors, labels, planted = drawn
    rows = select(vectors, labels, CurateParams(classes=6)).classes
    assert spearmanr([r.bias for r in rows], [planted[r.label] for r in rows]).statistic >= 0.8


def test_swaps_select_less_biased_classes_than_chance_does(drawn):
    vectors, labels, planted = drawn
    chosen = select(vectors, labels, CurateParams(classes=6, method="resound-swap")).selected
    rng, names = np.random.default_rng(0), sorted(planted)
    drawn_at_random = [np.mean([planted[c] for c in rng.choice(names, 6, replace=False)]) for _ in range(200)]
    assert np.mean([planted[c] for c in chosen]) < np.quantile(drawn_at_random, 0.05)
