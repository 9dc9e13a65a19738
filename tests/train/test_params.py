"""Defaults are the paper's; values that make no sense are refused by name; reading parameters needs no torch."""

import dataclasses
import subprocess
import sys

import pytest

from m2m.params import build, load, section_class
from m2m.train.params import (
    RUNNING,
    AlignParams,
    EvaluateParams,
    InputParams,
    ModelParams,
    PretrainParams,
    ProtocolParams,
)


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
        (InputParams, {"cache": "tape"}, "cache"),
        (InputParams, {"cache_gib": -1.0}, "cache_gib"),
        (InputParams, {"stride": -1}, "stride"),
        (InputParams, {"scales": (1.0, 0.0)}, "scales"),
        (InputParams, {"erase": 1.5}, "erase"),
        (InputParams, {"randaugment": "augmix-m3"}, "randaugment"),
        (InputParams, {"randaugment": "rand-m7"}, "randaugment"),
        (InputParams, {"workers": -1}, "workers"),
        (PretrainParams, {"mask_ratio": 1.0}, "mask_ratio"),
        (PretrainParams, {"mask": "cube"}, "mask"),
        (PretrainParams, {"batch": 6}, "batch"),
        (PretrainParams, {"warmup": 201}, "warmup"),
        (PretrainParams, {"device": "tpu"}, "device"),
        (PretrainParams, {"keep_every": -1}, "keep_every"),
        (PretrainParams, {"betas": (0.9, 1.0)}, "betas"),
        (PretrainParams, {"clip_grad": -1.0}, "clip_grad"),
        (PretrainParams, {"precision": "fp16"}, "precision"),
        (PretrainParams, {"checkpoint_minutes": -1.0}, "checkpoint_minutes"),
        (AlignParams, {"ema": 1.0}, "ema"),
        (AlignParams, {"keep_best": True, "validate_every": 0}, "keep_best"),
        (EvaluateParams, {"checkpoint_minutes": -1.0}, "checkpoint_minutes"),
        (EvaluateParams, {"keep_best": True, "validate_every": 0}, "keep_best"),
        (AlignParams, {"lr": 0.0}, "lr"),
        (AlignParams, {"drop_path": 1.0}, "drop_path"),
        (AlignParams, {"cutmix": -0.1}, "cutmix"),
        (AlignParams, {"samples": 0}, "samples"),
        (AlignParams, {"samples": 3}, "batch"),
        (AlignParams, {"samples": 2, "micro_batch": 3}, "micro_batch"),
        (EvaluateParams, {"micro_batch": 1}, "micro_batch"),
        (PretrainParams, {"samples": 4, "micro_batch": 3}, "micro_batch"),
        (AlignParams, {"mixup": 0.0, "samples": 2, "micro_batch": 1}, "micro_batch"),
        (AlignParams, {"layer_decay": 0.0}, "layer_decay"),
        (ProtocolParams, {"epochs": 0}, "epochs"),
        (ProtocolParams, {"features": -1, "mixup": 0.0}, "features"),
        (ProtocolParams, {"features": 31, "mixup": 0.0}, "features"),
        (ProtocolParams, {"features": 1}, "features"),
        (ProtocolParams, {"features": 1, "mixup": 0.0, "cutmix": 1.0}, "features"),
        (EvaluateParams, {"ft": ProtocolParams(features=1, mixup=0.0)}, "features"),
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


def test_small_chunks_are_fine_where_nothing_is_mixed():
    assert AlignParams(mixup=0.0, micro_batch=1).micro_batch == 1


def test_words_for_randaugment_are_timms():
    for words in ("rand-m7-n4-mstd0.5-inc1", "rand-m9-n2", "rand-m9-n3-p0.8-mmax20"):
        assert InputParams(randaugment=words).randaugment == words


@pytest.mark.parametrize("section", ["pretrain", "align", "evaluate"])
def test_the_recipe_of_the_paper_states_the_defaults(section):
    assert load(section, "paper") == section_class(section)()
    assert what(load(section, ["laptop", "paper"])) == what(section_class(section)())


def what(params) -> dict:
    """All but how to run."""
    fields = {f.name: getattr(params, f.name) for f in dataclasses.fields(params) if f.name not in RUNNING}
    return {name: what(value) if dataclasses.is_dataclass(value) else value for name, value in fields.items()}


def test_videomaes_recipe_scales_the_rate_with_the_clips_of_a_batch():
    p, a, e = (load(name, "videomae") for name in ("pretrain", "align", "evaluate"))
    assert p.lr == pytest.approx(1.5e-4 * p.batch / 256) and (p.epochs, p.warmup, p.weight_decay) == (800, 40, 0.05)
    assert p.input.stride == a.input.stride == 4 and p.input.scales == (1, 0.875, 0.75, 0.66)
    assert a.lr == pytest.approx(5e-4 * a.batch / a.samples / 256) and a.samples == 2
    assert (a.mixup, a.cutmix, a.smoothing, a.drop_path, a.layer_decay) == (0.8, 1.0, 0.1, 0.1, 0.75)
    assert (a.input.randaugment, a.input.erase) == ("rand-m7-n4-mstd0.5-inc1", 0.25)
    assert e.ft == ProtocolParams(
        **{f.name: getattr(a, f.name) for f in dataclasses.fields(ProtocolParams) if hasattr(a, f.name)}
    )
    assert e.lp == EvaluateParams().lp and e.views == (5, 3)


def test_a_recipe_is_laid_over_a_profile_or_under_it():
    over, under = load("align", ["laptop", "videomae"]), load("align", ["videomae", "laptop"])
    assert (over.batch, over.cutmix, over.input.cache) == (512, 1.0, "memory")
    assert (under.batch, under.cutmix, under.mixup) == (8, 1.0, 0.0)


def test_parameters_are_read_without_torch():
    code = "import sys, m2m.train.params; sys.exit('torch' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
