"""Defaults are the paper's; values that make no sense are refused by name; reading parameters needs no torch."""

import subprocess
import sys

import pytest

from m2m.params import build
from m2m.train.params import AlignParams, EvaluateParams, InputParams, ModelParams, PretrainParams, ProtocolParams


def test_the_defaults_are_the_papers_table_5():
    p, a, e, m = PretrainParams(), AlignParams(), EvaluateParams(), ModelParams()
    assert (p.epochs, p.warmup, p.batch, p.lr, p.betas, p.weight_decay) == (200, 10, 128, 8e-4, (0.9, 0.95), 0.05)
    assert (p.mask, p.mask_ratio, p.normalise) == ("tube", 0.9, True)
    assert (a.epochs, a.warmup, a.batch, a.lr, a.layer_decay, a.drop_path) == (50, 6, 128, 2e-3, 0.75, 0.1)
    assert (e.ft.epochs, e.ft.batch, e.ft.lr, e.lp.epochs, e.lp.batch, e.lp.lr) == (30, 32, 2e-3, 30, 32, 1.6e-2)
    assert e.views == (2, 3)
    assert (m.depth, m.width, m.decoder_depth, m.decoder_width) == (12, 768, 4, 384)
    assert (m.frames, m.tubelet, m.patch, m.size) == (16, 2, 16, (224, 224))


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        (ModelParams, {"size": (224, 220)}, "size"),
        (ModelParams, {"frames": 15}, "frames"),
        (ModelParams, {"width": 770}, "width"),
        (ModelParams, {"depth": 0}, "depth"),
        (ModelParams, {"kind": "slowfast"}, "kind"),
        (ModelParams, {"kind": "tsn"}, "depth"),
        (ModelParams, {"kind": "tsn", "depth": 50, "size": (31, 64)}, "size"),
        (ModelParams, {"kind": "i3d", "depth": 50, "frames": 1}, "frames"),
        (ModelParams, {"kind": "timesformer", "pixels": "residual"}, "pixels"),
        (InputParams, {"crop": 0.0}, "crop"),
        (InputParams, {"cache": "disk"}, "cache"),
        (InputParams, {"workers": -1}, "workers"),
        (PretrainParams, {"mask_ratio": 1.0}, "mask_ratio"),
        (PretrainParams, {"mask": "cube"}, "mask"),
        (PretrainParams, {"batch": 6}, "batch"),
        (PretrainParams, {"warmup": 201}, "warmup"),
        (PretrainParams, {"device": "tpu"}, "device"),
        (PretrainParams, {"keep_every": -1}, "keep_every"),
        (PretrainParams, {"betas": (0.9, 1.0)}, "betas"),
        (AlignParams, {"lr": 0.0}, "lr"),
        (AlignParams, {"drop_path": 1.0}, "drop_path"),
        (AlignParams, {"layer_decay": 0.0}, "layer_decay"),
        (ProtocolParams, {"epochs": 0}, "epochs"),
        (EvaluateParams, {"views": (0, 3)}, "views"),
        (EvaluateParams, {"seeds": ()}, "seeds"),
        (EvaluateParams, {"seeds": (1, 1)}, "seeds"),
    ],
)
def test_a_bad_value_is_refused_by_name(kind, values, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        kind(**values)


def test_sections_are_built_from_plain_values():
    built = build(EvaluateParams, {"ft": {"epochs": 5, "input": {"cache": "memory"}}, "seeds": [0, 1]}, "here")
    assert built.ft.epochs == 5 and built.ft.input.cache == "memory" and built.ft.input.seconds == 2.7
    assert built.lp == EvaluateParams().lp and built.seeds == (0, 1)


def test_parameters_are_read_without_torch():
    code = "import sys, m2m.train.params; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
