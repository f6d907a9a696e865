"""Loops for `autodiff.compiled`: activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.compiled import compiled
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
