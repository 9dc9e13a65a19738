"""Backends of the inpaint stage behind one interface."""

from m2m.augment.inpaint.navier_stokes import NavierStokesInpainter
from m2m.augment.inpaint.params import InpaintParams
from m2m.augment.inpaint.temporal import TemporalInpainter
from m2m.augment.plate import Inpainter

__all__ = ["InpaintParams", "make_inpainter"]


def make_inpainter(params: InpaintParams) -> Inpainter:
    """The backend that the parameters name."""
    if params.backend == "navier-stokes":
        return NavierStokesInpainter()
    return TemporalInpainter(params)
