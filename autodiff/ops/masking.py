"""Choosing between the elements of arrays without a branch an element.

NumPy's `where` and its assignment through a mask branch on each element: a million float32 with a random mask take
4 ms, nearly all of it for branches that the processor guessed wrong. Here the bits of a number are multiplied by the
mask instead, in 0.2 ms, which is exact for any number: NaN, infinities and -0 are bits like all others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BITS = {size: np.dtype(f"i{size}") for size in (1, 2, 4, 8)}
# Below this many elements a mask is soon known by heart, and the number of calls decides.
LARGE = 4096


def keep(mask: Any, g: Any) -> Any:
    """`g` where the bools of `mask` hold, else 0; their shapes broadcast."""
    return (g.view(BITS[g.dtype.itemsize]) * mask).view(g.dtype)


def choose(mask: Any, a: Any, b: Any) -> Any:
    """np.where(mask, a, b) for arrays of one dtype."""
    if mask.size < LARGE or a.dtype.kind == "c":
        return np.where(mask, a, b)
    bits = BITS[a.dtype.itemsize]
    b_bits = b.view(bits)
    # NumPy reuses the memory of the intermediate results.
    return (((a.view(bits) ^ b_bits) * mask) ^ b_bits).view(a.dtype)


def limit(x: Any, low: Any, high: Any) -> Any:
    """`x` no less than `low` and no more than `high`, numbers or None."""
    if x.size >= LARGE and x.dtype.kind == "f":
        # On a million np.clip takes 0.09 ms with two limits, and 0.3 with one, as np.maximum does with a number.
        return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high)
    if low is not None:
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high)
