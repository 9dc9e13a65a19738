"""detectron2 itself, where it is: M2M_DETECTRON2 names its checkout and its package is installed."""

import os
import sys

import numpy as np
import pytest

pytest.importorskip("torchvision")

from m2m.augment.detect.detectron2 import Detectron2Segmenter
from m2m.augment.detect.maskrcnn import TorchvisionSegmenter, resized, size_of_test
from m2m.augment.detect.params import MaskRCNNParams
from m2m.errors import InfrastructureError, InputError
from tests.augment.detect.random_zoo import pictures

needs_detectron2 = pytest.mark.skipif(
    not os.environ.get("M2M_DETECTRON2"), reason="M2M_DETECTRON2 names no checkout of detectron2"
)


def params(zoo_file, side=96, batch=2):
    return MaskRCNNParams(weights=str(zoo_file), short_side=side, batch=batch, device="cpu")


def same(ours, theirs):
    """Equal classes, boxes within a thousandth of a pixel, masks that overlap by .999.

    Of a small mask one pixel is more than that: it may differ where a probability is .5 but for the last digits.
    """
    assert np.array_equal(ours.labels, theirs.labels)
    assert np.abs(ours.boxes - theirs.boxes).max() < 1e-3
    differ, either = (ours.masks ^ theirs.masks).sum((1, 2)), (ours.masks | theirs.masks).sum((1, 2))
    assert ((differ <= 1) | (differ <= 0.001 * either)).all()
    assert differ.sum() <= 0.001 * either.sum() and either.sum() > 1000


@needs_detectron2
@pytest.mark.parametrize(("side", "height", "width"), [(96, 60, 100), (160, 180, 100), (240, 240, 432)])
def test_torchvision_equals_detectron2(zoo_file, side, height, width):
    frames = pictures(2, height, width, side)
    theirs = list(Detectron2Segmenter(params(zoo_file, side), 0.05).look(frames, people=False))
    ours = list(TorchvisionSegmenter(params(zoo_file, side), 0.05).look(frames, people=False))
    for a, b in zip(ours, theirs, strict=True):
        assert len(b.boxes) == 100 and (b.labels == 0).sum() >= 10
        assert b.masks.dtype == bool and b.boxes.dtype == np.float32
        same(a, b)


@needs_detectron2
def test_a_batch_gives_what_frames_give_alone_and_people_alone_are_the_people(zoo_file):
    model, frames = Detectron2Segmenter(params(zoo_file), 0.05), pictures(2, 60, 100)
    together = list(model.look(frames, people=False))
    (alone,) = model.look(frames[1:])
    people = together[1].labels == 0
    assert len(alone.boxes) == people.sum() > 0
    assert np.abs(alone.boxes - together[1].boxes[people]).max() < 1e-3
    assert (alone.masks == together[1].masks[people]).mean() > 0.999


@needs_detectron2
def test_the_size_is_detectron2s():
    from detectron2.data.transforms import ResizeShortestEdge

    rng = np.random.default_rng(0)
    for _ in range(500):
        height, width, short = (int(v) for v in rng.integers(16, 2000, 3))
        theirs = ResizeShortestEdge.get_output_shape(height, width, short, max(short, 1333))
        assert size_of_test(height, width, short, max(short, 1333)) == theirs
    frame = pictures(1, 61, 103)[0]
    enlarged = ResizeShortestEdge(96, 1333).get_transform(frame).apply_image(frame)
    assert np.array_equal(resized(frame, enlarged.shape[:2]), enlarged)


@needs_detectron2
def test_what_is_recorded_is_what_it_gives(zoo_file):
    """`M2M_RECORD=1` writes the file anew."""
    from tests.augment.detect.test_maskrcnn import LEAST, RECORDED, SIDE

    seen = list(Detectron2Segmenter(params(zoo_file, SIDE), LEAST).look(pictures(2, 60, 100), people=False))
    if os.environ.get("M2M_RECORD"):
        kept = {f"{k}{t}": getattr(s, k) for t, s in enumerate(seen) for k in ("boxes", "labels")}
        kept |= {f"masks{t}": np.packbits(s.masks, axis=-1) for t, s in enumerate(seen)}
        np.savez_compressed(RECORDED, **kept)
    recorded = np.load(RECORDED)
    for t, s in enumerate(seen):
        assert np.array_equal(recorded[f"labels{t}"], s.labels)
        assert np.abs(recorded[f"boxes{t}"] - s.boxes).max() < 1e-3


@needs_detectron2
def test_other_weights_are_refused(tmp_path):
    import torch

    torch.save({"model": {"backbone.fpn_lateral2.bias": torch.zeros(3)}}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth is no checkpoint of this model: it lacks"):
        Detectron2Segmenter(params(tmp_path / "x.pth"), 0.5)


@needs_detectron2
def test_a_package_that_is_not_installed_is_told(monkeypatch, zoo_file):
    monkeypatch.setitem(sys.modules, "detectron2.data.transforms", None)
    with pytest.raises(InfrastructureError, match=r"package detectron2 cannot be imported.*pip install"):
        Detectron2Segmenter(params(zoo_file), 0.5)


def test_a_checkout_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("M2M_DETECTRON2", raising=False)
    with pytest.raises(InfrastructureError, match="M2M_DETECTRON2"):
        Detectron2Segmenter(MaskRCNNParams(weights="random", device="cpu"), 0.5)
    monkeypatch.setenv("M2M_DETECTRON2", str(tmp_path))
    with pytest.raises(InfrastructureError, match="git clone"):
        Detectron2Segmenter(MaskRCNNParams(weights="random", device="cpu"), 0.5)
