"""Compose: what a released frame shows, variant by variant."""

from dataclasses import dataclass

import cv2
import numpy as np

VARIANTS = ("m2m", "mesh_on_real", "no_human", "blur", "pixelate", "blackout")
MESHED = frozenset({"m2m", "mesh_on_real"})
"""Variants that draw bodies."""
PAINTED = frozenset({"m2m", "no_human"})
"""Variants on the plate."""
NOT_PRIVATE = frozenset({"mesh_on_real"})
"""Variants that show the original people."""

SPECK = 30 / (432 * 240)
"""Share of the frame below which a part of a body that something hides is drawn nevertheless."""
SCRAP = 0.05
"""Share of everything drawn below which what is left beside a hidden part goes as well."""


@dataclass(frozen=True)
class ComposeParams:
    """What is composed.

    Attributes:
        variant: `m2m` (bodies on the plate), `mesh_on_real` (bodies on the original), `no_human` (the plate), or the
            classical `blur`, `pixelate`, `blackout` of the people.
        blur: Standard deviation of the blur as a share of the frame's height.
        cell: Side of a pixelation cell as a share of the frame's height.
        occlude: No body is drawn over what stands before people, or over what they handle.
    """

    variant: str = "m2m"
    blur: float = 0.06
    cell: float = 0.07
    occlude: bool = True

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant is one of {', '.join(VARIANTS)}, not {self.variant!r}")


def over(background: np.ndarray, rgba: np.ndarray) -> np.ndarray:
    """Draws an image with straight alpha over a background.

    Args:
        background: (H, W, 3) uint8.
        rgba: (H, W, 4) uint8.

    Returns:
        (H, W, 3) uint8.
    """
    ys, xs = np.nonzero(rgba[..., 3])
    if not len(ys):
        return background
    out = background.copy()
    box = slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1)
    alpha = rgba[box][..., 3:].astype(np.uint16)
    mixed = rgba[box][..., :3] * alpha + background[box] * (255 - alpha)
    out[box] = (mixed + 127) // 255
    return out


def behind(rgba: np.ndarray, front: np.ndarray) -> np.ndarray:
    """A drawn image without what is hidden by things in front of it.

    Args:
        rgba: (H, W, 4) uint8.
        front: (H, W) bool, what stands in front; slivers and specks of it are the body's own rim and hide nothing. What
            it leaves of a body in scraps is not drawn either.

    Returns:
        (H, W, 4) uint8.
    """
    hidden = (front & (rgba[..., 3] > 0)).view(np.uint8)
    if not hidden.any():
        return rgba
    solid = cv2.morphologyEx(hidden, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    large = stats[:, cv2.CC_STAT_AREA] >= SPECK * hidden.size
    large[0] = False
    hides = large[labels]
    drawn = rgba[..., 3] > 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats((drawn & ~hides).view(np.uint8))
    scraps = stats[:, cv2.CC_STAT_AREA] < SCRAP * drawn.sum()
    scraps[0] = False
    touched = np.unique(labels[cv2.dilate(hides.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)])
    scraps[np.setdiff1d(np.arange(len(scraps)), touched)] = False
    out = rgba.copy()
    out[..., 3][hides | scraps[labels]] = 0
    return out


def obscure(frame: np.ndarray, cover: np.ndarray, params: ComposeParams) -> np.ndarray:
    """The classical ways to hide people, inside the cover only.

    Args:
        frame: (H, W, 3) uint8.
        cover: (H, W) bool.
        params: Variant and strengths.

    Returns:
        (H, W, 3) uint8, equal to `frame` outside the cover.
    """
    height, width = cover.shape
    if params.variant == "blackout":
        hidden = np.zeros_like(frame)
    elif params.variant == "blur":
        hidden = cv2.GaussianBlur(frame, (0, 0), params.blur * height)
    else:
        cell = max(2, round(params.cell * height))
        small = cv2.resize(frame, (-(-width // cell), -(-height // cell)), interpolation=cv2.INTER_AREA)
        hidden = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(cover[..., None], hidden, frame)
