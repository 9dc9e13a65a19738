"""Mask R-CNN in torchvision against what detectron2 gave on the same random weights (see test_detectron2)."""

import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from m2m.augment.detect.maskrcnn import (  # noqa: E402
    MEAN,
    AlignedPool,
    CellAnchors,
    Proposals,
    TorchvisionSegmenter,
    paste,
    resized,
    size_of_test,
)
from m2m.augment.detect.params import MaskRCNNParams  # noqa: E402
from m2m.errors import InfrastructureError, InputError  # noqa: E402
from tests.augment.detect.random_zoo import pictures  # noqa: E402

RECORDED = Path(__file__).with_name("recorded_detectron2.npz")
SIDE, LEAST = 96, 0.05


@pytest.fixture(scope="module")
def segmenter(zoo_file):
    return TorchvisionSegmenter(MaskRCNNParams(weights=str(zoo_file), short_side=SIDE, batch=2, device="cpu"), LEAST)


@pytest.fixture(scope="module")
def found(segmenter):
    return list(segmenter.look(pictures(2, 60, 100), people=False))


def test_it_finds_what_detectron2_found(found):
    recorded = np.load(RECORDED)
    for t, seen in enumerate(found):
        boxes, labels = recorded[f"boxes{t}"], recorded[f"labels{t}"]
        masks = np.unpackbits(recorded[f"masks{t}"], axis=-1, count=100).astype(bool)
        assert len(labels) == 100 and (labels == 0).sum() >= 20
        assert np.array_equal(seen.labels, labels)
        assert np.abs(seen.boxes[:, :4] - boxes[:, :4]).max() < 1e-3
        assert np.abs(seen.boxes[:, 4] - boxes[:, 4]).max() < 1e-5
        assert (seen.masks & masks).sum() / (seen.masks | masks).sum() > 0.999


def test_a_frame_alone_gives_what_it_gives_in_a_batch_and_people_alone_are_the_people(segmenter, found):
    (alone,) = segmenter.look(pictures(2, 60, 100)[1:])
    people = found[1].labels == 0
    assert len(alone.boxes) == people.sum() and not alone.labels.any()
    assert np.abs(alone.boxes - found[1].boxes[people]).max() < 1e-3
    assert (alone.masks == found[1].masks[people]).mean() > 0.999
    assert alone.boxes.dtype == np.float32 and alone.masks.dtype == bool and alone.masks.shape[1:] == (60, 100)


def test_nothing_below_the_score_is_given(segmenter, found, monkeypatch):
    monkeypatch.setattr(segmenter._model.roi_heads, "score_thresh", 0.15)
    (seen,) = segmenter.look(pictures(2, 60, 100)[:1], people=False)
    higher = found[0].boxes[found[0].boxes[:, 4] > 0.15]
    assert 0 < len(higher) < 100 and np.allclose(seen.boxes, higher, atol=1e-3)


def test_blue_comes_first_and_the_mean_is_taken_off(segmenter):
    frame = np.zeros((60, 100, 3), np.uint8)
    frame[..., 0] = 200
    images = segmenter._images([frame])
    assert images.image_sizes == [(96, 160)] and images.tensors.shape == (1, 3, 96, 160)
    assert torch.allclose(images.tensors[0, :, 5, 5], torch.tensor([0.0, 0.0, 200.0]) - torch.tensor(MEAN))


@pytest.mark.parametrize(
    ("frame", "sides", "expected"),
    [
        ((240, 432), (800, 1333), (741, 1333)),  # detectron2's own, by its ResizeShortestEdge
        ((240, 432), (480, 1333), (480, 864)),
        ((432, 240), (240, 1333), (432, 240)),
        ((1080, 1920), (800, 1333), (750, 1333)),
        ((101, 77), (99, 1333), (130, 99)),
        ((50, 50), (800, 1333), (800, 800)),
    ],
)
def test_sizes_are_detectron2s(frame, sides, expected):
    assert size_of_test(*frame, *sides) == expected


def test_a_larger_frame_is_between_its_pixels():
    frame = np.zeros((2, 2, 3), np.uint8)
    frame[:, 1] = 100
    assert resized(frame, (2, 4))[0, :, 0].tolist() == [0, 25, 75, 100]


def bilinear(mask, u, v):
    """The probability at (u, v) cells, cells' centres at .5, zero beyond: written out."""
    total = 0.0
    for i in (int(np.floor(v - 0.5)), int(np.floor(v - 0.5)) + 1):
        for j in (int(np.floor(u - 0.5)), int(np.floor(u - 0.5)) + 1):
            if 0 <= i < mask.shape[0] and 0 <= j < mask.shape[1]:
                total += mask[i, j] * (1 - abs(v - 0.5 - i)) * (1 - abs(u - 0.5 - j))
    return total


def test_masks_are_pasted_where_their_boxes_are():
    rng = np.random.default_rng(0)
    masks = rng.random((3, 7, 7)).astype(np.float32)
    boxes = np.array([[2.3, 1.7, 15.2, 11.1], [0, 0, 20, 12], [14.6, -1.0, 24.0, 5.5]], np.float32)
    out = paste(torch.from_numpy(masks), torch.from_numpy(boxes), 12, 20).numpy()
    for mask, (x0, y0, x1, y1), got in zip(masks, boxes, out, strict=True):
        for y in range(12):
            for x in range(20):
                p = bilinear(mask, (x + 0.5 - x0) / (x1 - x0) * 7, (y + 0.5 - y0) / (y1 - y0) * 7)
                assert got[y, x] == (p >= 0.5) or abs(p - 0.5) < 1e-5
    assert out.any((1, 2)).all() and not out.all((1, 2)).any()


def test_anchors_are_not_rounded():
    (anchors,) = CellAnchors(((32,),), ((0.5, 1.0, 2.0),)).cell_anchors
    sides = anchors[:, 2:] - anchors[:, :2]
    assert torch.allclose(sides.prod(1), torch.full((3,), 1024.0))
    assert torch.allclose(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 1.0, 2.0]))


def test_sure_proposals_are_ranked_by_their_logits():
    """As probabilities 30 and 40 are both 1 in float32."""
    rpn = Proposals(None, None, 0.7, 0.3, 256, 0.5, {}, {}, 0.7)
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 9.5], [50, 50, 60, 60], [5, 5, 5, 9]]])
    kept, logits = rpn.filter_proposals(boxes, torch.tensor([[30.0, 40, 35, 99]]), [(100, 100)], [4])
    assert logits[0].tolist() == [40, 35] and torch.equal(kept[0], boxes[0, [1, 2]])


def test_pooling_averages_over_a_box_with_aligned_pixels():
    ramp = torch.arange(64.0).repeat(64, 1)[None, None]  # the feature of column i is i, its centre at 4 i + 2 pixels
    maps = {str(i): ramp if i == 0 else torch.zeros(1, 1, 64 >> i, 64 >> i) for i in range(4)}
    out = AlignedPool(7)(maps, [torch.tensor([[40.0, 40, 96, 96]])], [(256, 256)])
    centres = 40 + 8 * (torch.arange(7) + 0.5)
    assert torch.allclose(out[0, 0, 3], centres / 4 - 0.5, atol=1e-4)


def test_random_weights_say_so_and_others_weights_are_refused(caplog, tmp_path):
    tiny = MaskRCNNParams(weights="random", model="maskrcnn_resnet50_fpn_v2_coco", short_side=64, device="cpu")
    with caplog.at_level(logging.WARNING):
        segmenter = TorchvisionSegmenter(tiny, 0.001)
    assert "means nothing" in caplog.text
    (seen,) = segmenter.look(pictures(1, 64, 64), people=False)
    assert seen.masks.shape == (len(seen.boxes), 64, 64) and (seen.boxes[:, 4] > 0.001).all()
    torch.save(segmenter._model.state_dict(), tmp_path / "v2.pth")
    again = TorchvisionSegmenter(MaskRCNNParams(**{**vars(tiny), "weights": str(tmp_path / "v2.pth")}), 0.001)
    (same,) = again.look(pictures(1, 64, 64), people=False)
    assert np.array_equal(seen.boxes, same.boxes) and np.array_equal(seen.masks, same.masks)
    with pytest.raises(InputError, match=r"v2\.pth is no checkpoint of this model: it lacks .* and has unknown"):
        TorchvisionSegmenter(MaskRCNNParams(weights=str(tmp_path / "v2.pth"), device="cpu"), 0.5)


def test_weights_that_are_not_there_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("M2M_WEIGHTS", str(tmp_path))
    with pytest.raises(InfrastructureError, match="m2m weights fetch mask_rcnn_R_101_FPN_3x"):
        TorchvisionSegmenter(MaskRCNNParams(device="cpu"), 0.5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(InfrastructureError, match="cuda"):
        TorchvisionSegmenter(MaskRCNNParams(device="cuda", weights="random"), 0.5)
