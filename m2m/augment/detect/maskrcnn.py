"""Mask R-CNN in torchvision: with detectron2's official weights, as the paper's masks, or with torchvision's own.

He et al., Mask R-CNN, ICCV 2017. torchvision's modules compute what detectron2's do (github.com/facebookresearch/
detectron2, Apache-2.0) where the differences between the two are taken out: here they are, one by one. No compiled
extension is needed.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import AnchorGenerator, RegionProposalNetwork
from torchvision.ops import FrozenBatchNorm2d, batched_nms, clip_boxes_to_image, roi_align

from m2m.augment.checkpoint import load_strict
from m2m.augment.detect.params import OFFICIAL, MaskRCNNParams
from m2m.augment.detect.segmenter import PERSON, Instances, in_batches, pyramid, steady
from m2m.augment.detect.zoo import RANDOM, SEED, read_checkpoint, to_torchvision, warn_of_random
from m2m.augment.devices import pick_device
from m2m.weights import find_weight

MEAN = [103.53, 116.28, 123.675]
"""Of the colours blue, green, red; detectron2 divides by nothing."""
MASK = 0.5
PER_LEVEL = PROPOSALS = 1000
LARGEST, LOWEST, COMMON, STRIDE = 224, 2, 4, 4
"""A box of 224 pixels is looked at on level 4 of the pyramid; the lowest, 2, has one cell for 4 pixels."""


class CellAnchors(AnchorGenerator):
    """Anchors of a cell with the sides that they have: torchvision rounds them to pixels."""

    def generate_anchors(
        self,
        scales: list[int],
        aspect_ratios: list[float],
        dtype: torch.dtype = torch.float32,
        device: torch.device = torch.device("cpu"),  # noqa: B008
    ) -> Tensor:
        """(N, 4) around the origin."""
        sides = torch.as_tensor(scales, dtype=dtype, device=device)
        tall = torch.as_tensor(aspect_ratios, dtype=dtype, device=device).sqrt()[:, None]
        half = torch.stack([(sides / tall).flatten(), (sides * tall).flatten()], 1) / 2
        return torch.cat([-half, half], 1)


class Proposals(RegionProposalNetwork):
    """Proposals ranked by logit: as probabilities, as torchvision ranks them, sure ones are equal in float32."""

    def filter_proposals(
        self,
        proposals: Tensor,
        objectness: Tensor,
        image_shapes: list[tuple[int, int]],
        num_anchors_per_level: list[int],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The best proposals (N, 4) of each image and their logits, best first."""
        logits = objectness.reshape(len(proposals), -1)
        rows, levels, start = [], [], 0
        for level, count in enumerate(num_anchors_per_level):
            best = logits[:, start : start + count].topk(min(PER_LEVEL, count), 1).indices + start
            rows.append(best)
            levels.append(torch.full_like(best[0], level))
            start += count
        kept, level_of = torch.cat(rows, 1), torch.cat(levels)
        boxes, scores = [], []
        for image, shape in enumerate(image_shapes):
            box, score = clip_boxes_to_image(proposals[image, kept[image]], shape), logits[image, kept[image]]
            there = (box[:, 2:] > box[:, :2]).all(1)
            box, score = box[there], score[there]
            best = batched_nms(box, score, level_of[there], self.nms_thresh)[:PROPOSALS]
            boxes.append(box[best])
            scores.append(score[best])
        return boxes, scores


class AlignedPool(nn.Module):
    """Features of boxes: pixels' centres aligned, as many samples a cell as the box is large.

    Args:
        side: Cells on each side.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def forward(self, features: Mapping[str, Tensor], boxes: list[Tensor], _: Sequence[tuple[int, int]]) -> Tensor:
        """(N, C, side, side) features of the boxes (n, 4) of each image."""
        maps = [features[str(i)] for i in range(4)]
        every = torch.cat(boxes)
        image = torch.cat([box.new_full((len(box), 1), i) for i, box in enumerate(boxes)])
        area = (every[:, 2] - every[:, 0]) * (every[:, 3] - every[:, 1])
        level = (COMMON + torch.log2(area.sqrt() / LARGEST + 1e-8)).floor() - LOWEST
        level = level.clamp(0, len(maps) - 1).long()
        out = maps[0].new_zeros(len(every), maps[0].shape[1], self._side, self._side)
        for i, seen in enumerate(maps):
            (rows,) = (level == i).nonzero(as_tuple=True)
            regions = torch.cat([image, every], 1)[rows]
            out[rows] = roi_align(seen, regions, self._side, 1 / (STRIDE << i), 0, True)
        return out


def official(least: float) -> MaskRCNN:
    """Mask R-CNN R101-FPN as detectron2 has it, without weights.

    Args:
        least: Lowest score of an instance.
    """
    backbone = resnet_fpn_backbone(
        backbone_name="resnet101", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=0
    )
    for stage in (backbone.body.layer2, backbone.body.layer3, backbone.body.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)  # MSRA's ResNet: the 1x1 strides
    anchors = CellAnchors(tuple((32 << i,) for i in range(5)), ((0.5, 1.0, 2.0),) * 5)
    model = MaskRCNN(
        backbone, 81, rpn_anchor_generator=anchors, image_mean=MEAN, image_std=[1.0] * 3,
        box_score_thresh=least, box_nms_thresh=0.5, box_detections_per_img=100,
    )  # fmt: skip
    unused = {"training": 0, "testing": PROPOSALS}
    model.rpn = Proposals(anchors, model.rpn.head, 0.7, 0.3, 256, 0.5, unused, unused, 0.7)
    model.roi_heads.box_roi_pool, model.roi_heads.mask_roi_pool = AlignedPool(7), AlignedPool(14)
    return model


def size_of_test(height: int, width: int, short: int, long: int) -> tuple[int, int]:
    """Height and width at which a frame is looked at, as detectron2 rounds them.

    Args:
        height: Of the frame.
        width: Of the frame.
        short: What the shorter side becomes,
        long: unless the longer one became longer than this.
    """
    scale = short / min(height, width)
    sides = (float(short), scale * width) if height < width else (scale * height, float(short))
    if max(sides) > long:
        shrink = long / max(sides)
        sides = sides[0] * shrink, sides[1] * shrink
    return int(sides[0] + 0.5), int(sides[1] + 0.5)


def resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A (H, W, 3) uint8 frame at another height and width, as Pillow's bilinear filter of uint8 makes it."""
    return np.array(Image.fromarray(frame).resize(size[::-1], Image.Resampling.BILINEAR))


def paste(masks: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """Masks of boxes as masks of the frame.

    Args:
        masks: (N, M, M) float32 probabilities over each box.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels of the frame.
        height: Of the frame.
        width: Of the frame.

    Returns:
        (N, H, W) bool: the probability, bilinear between the cells' centres and 0 beyond the box, is .5 or more.
    """
    out = torch.zeros(len(masks), height, width, dtype=torch.bool, device=masks.device)
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        columns = slice(max(int(np.floor(x0)) - 1, 0), min(int(np.ceil(x1)) + 1, width))
        rows = slice(max(int(np.floor(y0)) - 1, 0), min(int(np.ceil(y1)) + 1, height))
        x = torch.arange(columns.start, columns.stop, device=masks.device, dtype=torch.float32) + 0.5
        y = torch.arange(rows.start, rows.stop, device=masks.device, dtype=torch.float32) + 0.5
        left, top, right, bottom = boxes[i]
        x, y = (x - left) / (right - left) * 2 - 1, (y - top) / (bottom - top) * 2 - 1
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
        out[i, rows, columns] = functional.grid_sample(masks[i, None, None], grid, align_corners=False)[0, 0] >= MASK
    return out


class TorchvisionSegmenter:
    """Mask R-CNN in torchvision.

    Args:
        params: Which weights, where and at which size.
        least: Lowest score of an instance.
        threads: Threads on a CPU.

    Raises:
        InputError: The weights are not the model's.
        InfrastructureError: The weights are not there, or the device.
    """

    def __init__(self, params: MaskRCNNParams, least: float, threads: int = 1) -> None:
        self._params, self._threads = params, threads
        self._device = pick_device(params.device)
        self._model = _loaded(params, least).to(self._device).eval()

    def look(self, frames: np.ndarray, people: bool = True) -> Iterator[Instances]:
        """Looks at frames, see `Segmenter.look`."""
        return in_batches(lambda part: self._look(part, people), frames, self._params.batch)

    def _look(self, frames: list[np.ndarray], people: bool) -> list[Instances]:
        model, half = self._model, self._params.half and self._device.type == "cuda"
        with steady(self._device, self._threads):
            images = self._images(frames)
            features = pyramid(model.backbone, images.tensors, half)
            proposals, _ = model.rpn(images, features)
            found, _ = model.roi_heads(features, proposals, images.image_sizes)
            return [
                _instances(seen, size, (frame.shape[0], frame.shape[1]), people)
                for seen, size, frame in zip(found, images.image_sizes, frames, strict=True)
            ]

    def _images(self, frames: list[np.ndarray]) -> ImageList:
        """Frames as the model wants them: colours, size, and a border to whole cells."""
        p, transform = self._params, self._model.transform
        if p.model != OFFICIAL:
            return transform([torch.from_numpy(f).to(self._device).permute(2, 0, 1) / 255 for f in frames])[0]
        height, width = frames[0].shape[:2]
        size = size_of_test(height, width, p.short_side, p.long_side)
        stack = np.stack([resized(frame, size)[..., ::-1] for frame in frames])  # blue comes first
        tensors = torch.from_numpy(stack).to(self._device).permute(0, 3, 1, 2).float()
        return ImageList(
            transform.batch_images([transform.normalize(image) for image in tensors]), [size] * len(frames)
        )


def _instances(found: Mapping[str, Tensor], size: tuple[int, int], frame: tuple[int, int], people: bool) -> Instances:
    """A network's findings at one size as instances of a frame of another."""
    height, width = frame
    labels = found["labels"] - 1
    scale = found["boxes"].new_tensor([width / size[1], height / size[0]] * 2)
    boxes = clip_boxes_to_image(found["boxes"] * scale, (height, width))
    keep = (boxes[:, 2:] > boxes[:, :2]).all(1)
    if people:
        keep &= labels == PERSON
    boxes = boxes[keep]
    masks = paste(found["masks"][keep, 0], boxes, height, width)
    scored = torch.cat([boxes, found["scores"][keep, None]], 1)
    return Instances(scored.cpu().numpy(), labels[keep].cpu().numpy(), masks.cpu().numpy())


def _loaded(params: MaskRCNNParams, least: float) -> MaskRCNN:
    state: Mapping[str, Tensor] | None = None
    if params.weights != RANDOM:
        path = find_weight(params.model, params.weights)
        state = read_checkpoint(path)
        if params.model == OFFICIAL:
            state = to_torchvision(state, path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = official(least) if params.model == OFFICIAL else own(params, least)
    if state is None:
        warn_of_random(model, params.model)
    else:
        load_strict(model, state, path)
    return model


def own(params: MaskRCNNParams, least: float) -> MaskRCNN:
    """torchvision's Mask R-CNN R50-FPN v2, without weights (Li et al., arXiv 2111.11429)."""
    return maskrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, box_score_thresh=least,
        min_size=params.short_side, max_size=params.long_side,
    )  # fmt: skip
