"""Renderers: bodies to pictures, behind one interface."""

from dataclasses import dataclass
from typing import Literal

from m2m.augment.bodies import Renderer


@dataclass(frozen=True)
class RenderParams:
    """How bodies are drawn.

    Attributes:
        backend: `zbuffer` (needs nothing else) or `pyrender` (the paper's; needs OpenGL: EGL or OSMesa).
        supersample: Samples along each side of a pixel, 1 to 4; 1 draws hard edges.
        colour: The bodies' colour in full light, RGB, 0 to 255.
        device: What OpenGL draws on: `auto` (what it finds), `gpu` or `cpu` (refused where it finds the other).
    """

    backend: Literal["zbuffer", "pyrender"] = "zbuffer"
    supersample: int = 2
    colour: tuple[int, int, int] = (158, 171, 194)
    device: Literal["auto", "gpu", "cpu"] = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.supersample <= 4:
            raise ValueError(f"supersample is 1 to 4, not {self.supersample}")
        if not all(0 <= c <= 255 for c in self.colour):
            raise ValueError(f"colour is three numbers from 0 to 255, not {self.colour}")
        if self.device == "gpu" and self.backend == "zbuffer":
            raise ValueError("zbuffer draws on the CPU: device gpu needs the backend pyrender")


def make_renderer(params: RenderParams) -> Renderer:
    """The renderer the parameters ask for.

    Raises:
        InfrastructureError: `pyrender` is asked for, and the package, OpenGL or the device is missing.
    """
    if params.backend == "pyrender":
        from m2m.augment.render.pyrender import PyrenderRenderer

        return PyrenderRenderer(params.supersample, params.colour, params.device)
    from m2m.augment.render.zbuffer import ZBufferRenderer

    return ZBufferRenderer(params.supersample, params.colour)
