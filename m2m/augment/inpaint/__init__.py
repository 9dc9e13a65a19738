"""Backends of the inpaint stage behind one interface."""

from m2m.augment.inpaint.navier_stokes import NavierStokesInpainter
from m2m.augment.inpaint.params import InpaintParams
from m2m.augment.inpaint.temporal import TemporalInpainter
from m2m.augment.plate import Inpainter

__all__ = ["InpaintParams", "make_inpainter"]


def make_inpainter(params: InpaintParams) -> Inpainter:
    """The backend that the parameters name, with its model loaded.

    Raises:
        InfrastructureError: A package, a checkout or a checkpoint is missing.
        InputError: A checkpoint or a checkout is another.
    """
    if params.backend in ("e2fgvi", "e2fgvi-hq"):
        from m2m.augment.inpaint.e2fgvi import E2FGVI, SIZE
        from m2m.augment.inpaint.neural import NeuralInpainter

        network = E2FGVI(params.backend, params.e2fgvi)
        size = SIZE if params.backend == "e2fgvi" else None
        return NeuralInpainter(network, params, size, "set inpaint.backend to e2fgvi-hq, or size to 432x240")
    if params.backend == "navier-stokes":
        return NavierStokesInpainter()
    return TemporalInpainter(params)
