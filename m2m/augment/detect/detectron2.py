"""Mask R-CNN R101-FPN of detectron2 itself (Wu et al. 2019, Apache-2.0): the paper's own.

Its package must be installed; its configurations are read from a checkout, since its `model_zoo` cannot be imported
beside setuptools 82 and later. Nothing of it is copied here. The released scripts of the paper give the predictor RGB
where it wants BGR; here it gets BGR.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from m2m.augment.detect.params import MaskRCNNParams
from m2m.augment.detect.segmenter import PERSON, Instances, in_batches, pyramid, steady
from m2m.augment.devices import pick_device
from m2m.errors import InfrastructureError
from m2m.upstream import find_upstream
from m2m.weights import find_weight

if TYPE_CHECKING:
    import torch

CONFIG = "configs/COCO-InstanceSegmentation/mask_rcnn_R_101_FPN_3x.yaml"


class Detectron2Segmenter:
    """Mask R-CNN in detectron2.

    Args:
        params: Which weights, where and at which size.
        least: Lowest score of an instance.
        threads: Threads on a CPU.

    Raises:
        InputError: The checkout is another, or the weights are not the model's.
        InfrastructureError: The package, the checkout, the weights or the device are missing.
    """

    def __init__(self, params: MaskRCNNParams, least: float, threads: int = 1) -> None:
        self._params, self._threads = params, threads
        self._device = pick_device(params.device)
        checkout = find_upstream("detectron2")
        try:
            from detectron2.data.transforms import ResizeShortestEdge
        except ImportError as error:
            raise InfrastructureError(
                f"the package detectron2 cannot be imported: {error}",
                f"pip install --no-build-isolation {checkout}",
            ) from error
        self._model = _loaded(params, least, checkout, self._device)
        self._resize = ResizeShortestEdge(params.short_side, params.long_side)

    def look(self, frames: np.ndarray, people: bool = True) -> Iterator[Instances]:
        """Looks at frames, see `Segmenter.look`."""
        return in_batches(lambda part: self._look(part, people), frames, self._params.batch)

    def _look(self, frames: list[np.ndarray], people: bool) -> list[Instances]:
        model, half = self._model, self._params.half and self._device.type == "cuda"
        with steady(self._device, self._threads):
            images = model.preprocess_image([{"image": self._image(frame)} for frame in frames])
            features = pyramid(model.backbone, images.tensor, half)
            proposals, _ = model.proposal_generator(images, features, None)
            found, _ = model.roi_heads(images, features, proposals, None)
            return [
                _instances(seen, frame.shape[0], frame.shape[1], people)
                for seen, frame in zip(found, frames, strict=True)
            ]

    def _image(self, frame: np.ndarray) -> "torch.Tensor":
        """(3, h, w) float32 BGR at the size of the test."""
        import torch

        bgr = np.ascontiguousarray(frame[..., ::-1])
        small = self._resize.get_transform(bgr).apply_image(bgr)
        return torch.as_tensor(small.astype(np.float32).transpose(2, 0, 1))


def _instances(found: Any, height: int, width: int, people: bool) -> Instances:
    from detectron2.modeling.postprocessing import detector_postprocess

    seen = detector_postprocess(found[found.pred_classes == PERSON] if people else found, height, width)
    boxes = np.concatenate([seen.pred_boxes.tensor.cpu().numpy(), seen.scores.cpu().numpy()[:, None]], 1)
    return Instances(boxes, seen.pred_classes.cpu().numpy(), seen.pred_masks.cpu().numpy().astype(bool))


def _loaded(params: MaskRCNNParams, least: float, checkout: Path, device: "torch.device") -> Any:
    import torch
    from detectron2.config import get_cfg
    from detectron2.modeling import build_model

    from m2m.augment.checkpoint import load_strict
    from m2m.augment.detect.zoo import RANDOM, SEED, read_checkpoint, warn_of_random, without_constants

    path = None if params.weights == RANDOM else find_weight(params.model, params.weights)
    config = get_cfg()
    config.merge_from_file(str(checkout / CONFIG))
    config.MODEL.DEVICE, config.MODEL.WEIGHTS = str(device), ""
    config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = least
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = build_model(config).eval()
    if path is None:
        warn_of_random(model, params.model)
    else:
        load_strict(model, without_constants(read_checkpoint(path)), path)
    return model
