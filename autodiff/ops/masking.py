"""Choosing between the elements of arrays without a branch an element.

NumPy's `where` and its assignment through a mask branch on each element: a million float32 with a random mask take
4 ms, nearly all of it for branches that the processor guessed wrong. Here the bits of a number are multiplied by the
mask instead, in 0.2 ms, which is exact for any number: NaN, infinities and -0 are bits like all others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

BITS = {size: np.dtype(f"i{size}") for size in (1, 2, 4, 8)}
# Below this many elements a mask is soon known by heart, and the number of calls decides.
LARGE = 4096


def keep(mask: Any, g: Any) -> Any:
    """`g` where the bools of `mask` hold, else 0; their shapes broadcast."""
    bits = BITS[g.dtype.itemsize]
    if g.shape != mask.shape or not type(g) is type(mask) is np.ndarray:
        return (g.view(bits) * mask).view(g.dtype)
    # An array of its own, no view of its bits: backward need not copy it.
    out = np.empty(g.shape, g.dtype)
    np.multiply(g.view(bits), mask, out=out.view(bits))
    return out


def with_sign_of(a: Any, y: Any) -> Any:
    """np.copysign(y, a) for arrays, of one dtype, of which `y` has no sign yet and is overwritten.

    On a million float32 np.copysign takes 0.9 ms, the two steps here 0.2.
    """
    bits = BITS[y.dtype.itemsize]
    out = y.view(bits)
    # The lowest integer is the sign bit alone.
    out |= a.view(bits) & (-1 << 8 * y.dtype.itemsize - 1)
    return y


def sign(x: Any) -> Any:
    """np.sign(x), of a million float32 in 0.15 ms in place of 0.36; with zeros among them in 0.3."""
    if x.size < LARGE or x.dtype.char not in "fd":
        return np.sign(x)
    try:
        # Of zeros that is invalid, all other numbers it makes infinite.
        with np.errstate(invalid="raise"):
            y = x * math.inf
            return np.clip(y, -1, 1, out=y)
    except FloatingPointError:
        # The least number is nan if there is one.
        if math.isnan(np.minimum.reduce(x, None)):
            return np.sign(x)
        return np.subtract((x > 0).view(np.int8), (x < 0).view(np.int8), out=np.empty_like(x), casting="unsafe")


def choose(mask: Any, a: Any, b: Any, out: Any = None) -> Any:
    """np.where(mask, a, b) for arrays of one dtype, in `out`, which may be `b`, if the arrays are large."""
    if mask.size < LARGE or a.dtype.kind == "c":
        return np.where(mask, a, b)
    bits = BITS[a.dtype.itemsize]
    b_bits = b.view(bits)
    # NumPy reuses the memory of the intermediate results.
    chosen = (a.view(bits) ^ b_bits) * mask
    if out is None:
        return (chosen ^ b_bits).view(a.dtype)
    np.bitwise_xor(chosen, b_bits, out.view(bits))
    return out


def limit(x: Any, low: Any, high: Any, out: Any = None) -> Any:
    """`x` no less than `low` and no more than `high`, numbers or None; in `out`, if `x` is large."""
    if x.size >= LARGE and x.dtype.kind == "f":
        # On a million np.clip takes 0.09 ms with two limits, and 0.3 with one, as np.maximum does with a number.
        return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high, out)
    if low is not None:
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high)
