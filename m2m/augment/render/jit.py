"""Numba's compiler, with its cache on disk where there is a place for it."""

from collections.abc import Callable
from typing import Any

import numba


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function at its first call and keeps the result on disk if some folder can be written.

    In a container without a writable home, numba refuses the cache when the module is imported; compiling again in
    each process is better than not starting.
    """
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)
