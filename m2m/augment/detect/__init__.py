"""Backends of the detect stage behind one interface."""

from m2m.augment.detect.params import DetectParams
from m2m.augment.people import Detector

__all__ = ["DetectParams", "make_detector"]


def make_detector(params: DetectParams) -> Detector:
    """Loads the detector that the parameters name.

    Raises:
        InfrastructureError: A model package is missing.
    """
    from m2m.augment.detect.embedded import EmbeddedDetector  # loads models: only when asked for

    return EmbeddedDetector(params)
