"""Elementwise kernels of many steps, computed a piece of the array at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
# Larger arrays are computed in pieces of so many numbers, whose intermediate results stay in the cache.
BLOCK = 32768


def by_blocks(function: Callable[[Array], Array]) -> Callable[[Any], Any]:
    """The elementwise kernel that calls `function` with 1-D arrays, of float32 in place of float16."""

    def kernel(x: Any) -> Any:
        if x.dtype.char == "e":
            return np.asarray(kernel(x.astype(np.float32)), np.float16)
        flat = x.reshape(-1)
        if flat.size <= BLOCK:
            return function(flat).reshape(x.shape)
        y = np.empty(flat.shape, flat.dtype)
        for start in range(0, flat.size, BLOCK):
            y[start : start + BLOCK] = function(flat[start : start + BLOCK])
        return y.reshape(x.shape)

    return kernel
