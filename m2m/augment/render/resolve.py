"""From several samples a pixel to one picture with anti-aliased edges."""

import numpy as np

from m2m.augment.render.jit import jit


@jit
def resolve(
    inverse_depth: np.ndarray,
    light: np.ndarray,
    samples: int,
    colour: np.ndarray,
    left: int,
    top: int,
    rgba: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Averages the samples of each pixel into a picture.

    Args:
        inverse_depth: (h * samples, w * samples) one over metres, 0 where nothing was hit.
        light: The same shape, brightness in [0, 1] of what was hit.
        samples: Samples along each side of a pixel.
        colour: (3,) RGB, 0 to 255.
        left: First column of the picture that is written.
        top: First row of the picture that is written.
        rgba: (H, W, 4) uint8, written in place: straight alpha, the share of samples that hit.
        depth: (H, W) float32, written in place: metres to the nearest of the samples.
    """
    for y in range(inverse_depth.shape[0] // samples):
        for x in range(inverse_depth.shape[1] // samples):
            hits, total, nearest = 0, 0.0, 0.0
            for v in range(y * samples, (y + 1) * samples):
                for u in range(x * samples, (x + 1) * samples):
                    if inverse_depth[v, u] > 0:
                        hits += 1
                        total += light[v, u]
                        nearest = max(nearest, inverse_depth[v, u])
            if hits:
                for k in range(3):
                    rgba[top + y, left + x, k] = int(colour[k] * total / hits + 0.5)
                rgba[top + y, left + x, 3] = int(255 * hits / samples**2 + 0.5)
                depth[top + y, left + x] = 1 / nearest
