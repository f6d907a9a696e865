"""Loops for `autodiff.compiled`: the exponential of float32 numbers, and what the engine's activations make of it.

A loop over elements gets flat arrays, those of its results last, and then the params of the op.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.compiled import compiled, summing

Array = Any
single, integer = np.float32, np.int32
ZERO, ONE = single(0), single(1)
BY_LOG_2 = single(1 / math.log(2))
# The logarithm of 2 as a sum, of which any integer below 2¹⁵ times the first number is exact.
HIGH, LOW = single(0.693359375), single(math.log(2) - 0.693359375)
LOWEST, HIGHEST = single(-104), single(89)
# (eʳ - 1 - r) / r² for |r| up to log(2) / 2, in falling powers. Source: Cephes, expf.
C0, C1, C2 = single(1.9875691500e-4), single(1.3981999507e-3), single(8.3334519073e-3)
C3, C4, C5 = single(4.1665795894e-2), single(1.6666665459e-1), single(5.0000001201e-1)
BIAS, MANTISSA, HALF = integer(127), integer(23), integer(1)


@compiled
def exp_of_sum(x: Any, rest: Any) -> Any:
    """exp(x + rest), without rounding the sum of a number and a small one; within one place of float32."""
    x = min(max(x, LOWEST), HIGHEST)
    n = np.rint((x + rest) * BY_LOG_2)
    r = ((x - n * HIGH) - n * LOW) + rest
    p = ((((C0 * r + C1) * r + C2) * r + C3) * r + C4) * r + C5
    p = p * (r * r) + r + ONE
    # 2ⁿ as two factors: the least numbers and infinity need more than the exponent of one.
    k = integer(n)
    half = k >> HALF
    one = integer((half + BIAS) << MANTISSA).view(single)
    two = integer((k - half + BIAS) << MANTISSA).view(single)
    return p * one * two


@compiled
def exp(x: Any) -> Any:
    """eˣ."""
    return exp_of_sum(x, ZERO)


@compiled
def logistic(x: Any) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return ONE / (ONE + exp(-x))


@compiled
def sigmoid(x: Array, y: Array) -> None:
    for i in range(x.size):
        y[i] = logistic(x[i])


@compiled
def sigmoid_slope(g: Array, y: Array, out: Array) -> None:
    for i in range(g.size):
        out[i] = (ONE - y[i]) * y[i] * g[i]


@compiled
def relu(x: Array, y: Array) -> None:
    for i in range(x.size):
        # Not max(x, 0), which for NaN is 0.
        y[i] = ZERO if x[i] <= ZERO else x[i]


@compiled
def relu_slope(g: Array, y: Array, out: Array) -> None:
    for i in range(g.size):
        out[i] = ZERO if y[i] == ZERO else g[i]


@compiled
def leaky(x: Array, y: Array, negative_slope: Any) -> None:
    for i in range(x.size):
        y[i] = x[i] if x[i] > ZERO else x[i] * negative_slope


@compiled
def leaky_slope(g: Array, x: Array, out: Array, negative_slope: Any) -> None:
    for i in range(g.size):
        out[i] = g[i] if x[i] > ZERO else g[i] * negative_slope


@summing
def softmax(x: Array, peaks: Array, y: Array) -> None:
    """Of the rows of `x` (rows, n), whose largest numbers are `peaks`: NumPy finds them in a quarter of the time."""
    for row in range(len(x)):
        peak, total = peaks[row], ZERO
        for i in range(x.shape[1]):
            e = exp(x[row, i] - peak)
            y[row, i] = e
            total += e
        factor = ONE / total
        for i in range(x.shape[1]):
            y[row, i] *= factor


@summing
def softmax_slope(g: Array, y: Array, out: Array) -> None:
    for row in range(len(g)):
        total = ZERO
        for i in range(g.shape[1]):
            total += g[row, i] * y[row, i]
        for i in range(g.shape[1]):
            out[row, i] = (g[row, i] - total) * y[row, i]


@summing
def log_softmax(x: Array, peaks: Array, y: Array) -> None:
    for row in range(len(x)):
        peak, total = peaks[row], ZERO
        for i in range(x.shape[1]):
            total += exp(x[row, i] - peak)
        logarithm = single(math.log(total))
        for i in range(x.shape[1]):
            y[row, i] = (x[row, i] - peak) - logarithm


@summing
def log_softmax_slope(g: Array, y: Array, out: Array) -> None:
    for row in range(len(g)):
        total = ZERO
        for i in range(g.shape[1]):
            total += g[row, i]
        for i in range(g.shape[1]):
            out[row, i] = g[row, i] - exp(y[row, i]) * total


@summing
def exponentials(x: Array, peaks: Array, y: Array, sums: Array) -> None:
    for row in range(len(x)):
        peak, total = peaks[row], ZERO
        for i in range(x.shape[1]):
            e = exp(x[row, i] - peak)
            y[row, i] = e
            total += e
        sums[row] = total
