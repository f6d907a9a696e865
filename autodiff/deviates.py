"""The arithmetic by which PyTorch makes uniform numbers into normal ones, bit for bit, on plain arrays.

It is that of PyTorch 2.13 on an x86-64 CPU with AVX2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def each(function: Callable[[float], float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A function of C's library on every element: NumPy's own float64 log and cos differ in the last bit."""
    return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def box_muller(units: NDArray[Any]) -> NDArray[Any]:
    """Turn blocks of 16 reals in [0, 1) into 16 normal deviates each: eight radii and eight angles, both used twice."""
    blocks = units.reshape(-1, 2, 8)
    first, second = 1 - blocks[:, 0], blocks[:, 1]
    if units.dtype == np.float32:
        radius = np.sqrt(np.float32(-2) * _log32(first))
        sine, cosine = _sine_and_cosine32(np.float32(2 * math.pi) * second)
    else:
        radius, angle = np.sqrt(-2 * each(math.log, first)), 2 * math.pi * second
        sine, cosine = each(math.sin, angle), each(math.cos, angle)
    return np.stack([radius * cosine, radius * sine], axis=1).ravel()


def multiply_add(x: NDArray[Any], factor: Any, offset: Any) -> NDArray[Any]:
    """x * factor + offset rounded once, as the fused instruction does that PyTorch is compiled to.

    Rounding twice changes half of all float32 numbers drawn from [-0.1, 0.1), and a sixth of the float64 ones.
    """
    product: NDArray[Any] = x * factor
    if np.isscalar(offset) and offset == 0:
        return product + offset
    if x.dtype == np.float32:
        exact: NDArray[Any] = np.multiply(x, factor, dtype=np.float64) + offset
        return exact.astype(np.float32)
    if max(abs(factor), abs(offset)) > 2.0**900:
        scaled: NDArray[Any] = multiply_add(x, factor * 2.0**-200, offset * 2.0**-200) * 2.0**200
        return scaled  # where the products below would overflow
    total: NDArray[Any] = product + offset
    # What the product and the sum have lost in rounding (Dekker, "A floating-point technique for extending the
    # available precision", 1971; Knuth, "Seminumerical Algorithms", 4.2.2).
    (x_high, x_low), (high, low) = _halves(x), _halves(factor)
    lost = ((x_high * high - product) + x_high * low + x_low * high) + x_low * low
    added = total - product
    rounded: NDArray[Any] = total + (((product - (total - added)) + (offset - added)) + lost)
    return rounded


def _halves(x: Any) -> tuple[Any, Any]:
    """A float64 number as the sum of two whose products with others of the kind are exact."""
    scaled = x * 134217729.0  # 2**27 + 1
    high = scaled - (scaled - x)
    return high, x - high


# The two functions below are the float32 polynomials of Cephes (S. Moshier, "Methods and Programs for Mathematical
# Functions", 1989), which PyTorch evaluates in vectors of eight. They differ from NumPy's log and cos in the last
# digits, and with NumPy's own a seventh of all float32 normal deviates would not be PyTorch's.
_LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)  # fmt: skip
_LOG_2 = (np.float32(0.693359375), np.float32(-2.12194440e-4))
_QUARTER_PI = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)
_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


def _polynomial32(x: NDArray[Any], coefficients: Sequence[float]) -> NDArray[Any]:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = multiply_add(value, x, np.float32(coefficient))
    return value


def _log32(x: NDArray[Any]) -> NDArray[Any]:
    """The natural logarithm of float32 numbers in (0, 1]."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < np.float32(math.sqrt(0.5))
    exponent = (exponent - small).astype(np.float32)
    x = np.where(small, mantissa - 1 + mantissa, mantissa - 1)
    square = x * x
    tail = multiply_add(_polynomial32(x, _LOG) * x, square, exponent * _LOG_2[1])
    return multiply_add(exponent, _LOG_2[0], x + multiply_add(square, np.float32(-0.5), tail))


def _sine_and_cosine32(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sine and cosine of float32 angles in [0, 2π]."""
    octant = (x * np.float32(4 / math.pi)).astype(np.int32) + 1 & ~1  # in eighths of the circle, made even
    for part in _QUARTER_PI:  # in three parts, so that no digits are lost
        x = multiply_add(octant.astype(np.float32), np.float32(-part), x)
    square = x * x
    cosine = multiply_add(_polynomial32(square, _COSINE) * square, square, square * np.float32(-0.5)) + 1
    sine = multiply_add(_polynomial32(square, _SINE) * square, x, x)
    swapped = octant & 2 != 0
    sine, cosine = np.where(swapped, cosine, sine), np.where(swapped, sine, cosine)
    return np.where(octant & 4, -sine, sine), np.where(octant + 2 & 4, -cosine, cosine)
