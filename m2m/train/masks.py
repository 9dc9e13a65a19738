"""Which tokens the encoder sees."""

import numpy as np


def split_tokens(
    grid: tuple[int, int, int], ratio: float, kind: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a mask; its counts depend on the arguments alone, so shapes are static.

    Args:
        grid: Tokens in time, rows and columns.
        ratio: Share that is hidden, rounded down as VideoMAE does: 176 of 196 places for .9.
        kind: `tube` hides the same places at all times, `random` any tokens.
        rng: Where chance comes from.

    Returns:
        Indices of visible and of hidden tokens, int64, ascending, in order of time, row, column.

    Raises:
        ValueError: Fewer than two tokens to choose from.
    """
    times, places = grid[0], grid[1] * grid[2]
    n = places if kind == "tube" else times * places
    if n < 2:
        raise ValueError(f"a mask needs two or more places, not {n}")
    hidden = min(max(int(ratio * n + 1e-9), 1), n - 1)
    mask = np.zeros(n, bool)
    mask[rng.permutation(n)[:hidden]] = True
    if kind == "tube":
        mask = np.tile(mask, times)
    return np.flatnonzero(~mask), np.flatnonzero(mask)
