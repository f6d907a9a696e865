"""Loops for `autodiff.compiled`: activations, and the normalisation of groups of channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.compiled import compiled, summing
from autodiff.ops.error_function import ERFCX
from autodiff.ops.loops import ONE, ZERO, exp_of_sum, logistic, single

Array = Any
HALF, THREE, SIX = single(0.5), single(3), single(6)
ROOT, DENSITY = single(math.sqrt(0.5)), single(1 / math.sqrt(2 * math.pi))
SIXTEEN, LARGEST = single(16), single(40)
A, B = (tuple(single(c) for c in part) for part in ERFCX["f"])


@compiled
def silu(x: Array, y: Array, gate: Array) -> None:
    for i in range(x.size):
        gate[i] = logistic(x[i])
        y[i] = x[i] * gate[i]


@compiled
def silu_slope(g: Array, y: Array, x: Array, gate: Array, out: Array) -> None:
    for i in range(g.size):
        out[i] = g[i] * (gate[i] + y[i] * (ONE - gate[i]))


@compiled
def exp_of_half_square(x: Any) -> Any:
    """exp(-x² / 2) for |x| up to 40: the square of x rounded to sixteenths is exact, and the rest is small."""
    c = np.rint(x * SIXTEEN) / SIXTEEN
    return exp_of_sum(c * c * -HALF, (x - c) * (x + c) * -HALF)


@compiled
def normal(x: Any) -> Any:
    """Φ(x), by the quotient of `autodiff.ops.error_function`."""
    size = min(abs(x), LARGEST)
    t = ONE / (size * ROOT + ONE)
    over = ((((A[0] * t + A[1]) * t + A[2]) * t + A[3]) * t + A[4]) * t + A[5]
    under = ((((B[0] * t + B[1]) * t + B[2]) * t + B[3]) * t + B[4]) * t + B[5]
    tail = HALF * over / under * t * exp_of_half_square(size)
    return ONE - tail if x > ZERO else tail


@compiled
def gelu(x: Array, y: Array, share: Array) -> None:
    for i in range(x.size):
        share[i] = normal(x[i])
        y[i] = x[i] * share[i]


@compiled
def gelu_slope(g: Array, x: Array, share: Array, out: Array) -> None:
    for i in range(g.size):
        out[i] = g[i] * (share[i] + x[i] * (DENSITY * exp_of_sum(x[i] * x[i] * -HALF, ZERO)))


@compiled
def hardswish(x: Array, y: Array) -> None:
    for i in range(x.size):
        y[i] = x[i] * min(max(x[i] + THREE, ZERO), SIX) / SIX


@compiled
def hardswish_slope(g: Array, x: Array, out: Array) -> None:
    for i in range(g.size):
        inside = g[i] * (x[i] / THREE + HALF)
        out[i] = ZERO if x[i] <= -THREE else (inside if x[i] < THREE else g[i])


@summing
def layer_norm(x: Array, y: Array, means: Array, factors: Array, weight: Array, bias: Array, eps: Any) -> None:
    """The rows of `x` (rows, n) by their statistics, which are put into `means` and `factors` (rows)."""
    rows, n = x.shape
    scale = ONE / single(n)
    for row in range(rows):
        total = ZERO
        for i in range(n):
            total += x[row, i]
        mean, total = total * scale, ZERO
        for i in range(n):
            d = x[row, i] - mean
            total += d * d
        factor = ONE / single(math.sqrt(total * scale + eps))
        means[row], factors[row] = mean, factor
        for i in range(n):
            y[row, i] = (x[row, i] - mean) * factor * weight[i] + bias[i]


@summing
def layer_norm_slope(
    g: Array, x: Array, out: Array, means: Array, factors: Array, weight: Array, of_weight: Array, of_bias: Array
) -> None:
    """The gradients of `layer_norm`; those of weight and bias are added to `of_weight` and `of_bias`."""
    rows, n = g.shape
    scale = ONE / single(n)
    for row in range(rows):
        mean, factor = means[row], factors[row]
        one, two = ZERO, ZERO
        for i in range(n):
            d, slope = (x[row, i] - mean) * factor, g[row, i] * weight[i]
            one += slope
            two += slope * d
            of_weight[i] += g[row, i] * d
            of_bias[i] += g[row, i]
        one, two = one * scale, two * scale
        for i in range(n):
            d = (x[row, i] - mean) * factor
            out[row, i] = (g[row, i] * weight[i] - one - d * two) * factor
