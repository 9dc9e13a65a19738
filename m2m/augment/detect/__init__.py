"""Backends of the detect stage behind one interface."""

from typing import TYPE_CHECKING

from m2m.augment.detect.params import DetectParams, MaskRCNNParams
from m2m.augment.people import Detector
from m2m.errors import InfrastructureError

if TYPE_CHECKING:
    from m2m.augment.detect.segmenter import Segmenter

__all__ = ["DetectParams", "MaskRCNNParams", "make_detector", "make_segmenter"]


def make_detector(params: DetectParams) -> Detector:
    """Loads the detector that the parameters name.

    Raises:
        InputError: Mask R-CNN's weights are not the model's, or detectron2's checkout is another.
        InfrastructureError: A model package is missing; or Mask R-CNN's weights, device or checkout.
    """
    from m2m.augment.detect.detector import WindowDetector  # loads models: only when asked for

    return WindowDetector(params, make_segmenter(params) if params.segments else None)


def make_segmenter(params: DetectParams) -> "Segmenter":
    """Loads Mask R-CNN alone; raises as `make_detector`."""
    least = min(params.box_score, params.mask_rcnn.score)
    try:
        if params.backend == "detectron2":
            from m2m.augment.detect.detectron2 import Detectron2Segmenter

            return Detectron2Segmenter(params.mask_rcnn, least, params.threads)
        from m2m.augment.detect.maskrcnn import TorchvisionSegmenter
    except ImportError as error:
        raise InfrastructureError(
            f"the detector {params.backend} needs PyTorch and torchvision: {error}",
            "Install them with `pip install 'm2m[paper]'`",
        ) from error
    return TorchvisionSegmenter(params.mask_rcnn, least, params.threads)
