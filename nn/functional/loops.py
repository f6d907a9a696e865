"""Loops for `autodiff.compiled`: activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.compiled import compiled
from autodiff.ops.error_function import ERFCX
from autodiff.ops.loops import C0, C1, C2, C3, C4, C5, ONE, ZERO, exp, exp_of_sum, logistic, single

Array = Any
HALF, TWO, THREE, SIX, TWENTY, NEAR = (single(c) for c in (0.5, 2, 3, 6, 20, 0.34))
ROOT, DENSITY = single(math.sqrt(0.5)), single(1 / math.sqrt(2 * math.pi))
SIXTEEN, LARGEST = single(16), single(40)
ODD = tuple(single(1 / k) for k in range(3, 17, 2))
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
def normal(x: Any, bell: Any) -> Any:
    """Φ(x), by the quotient of `autodiff.ops.error_function`, given exp(-x² / 2)."""
    t = ONE / (min(abs(x), LARGEST) * ROOT + ONE)
    over = ((((A[0] * t + A[1]) * t + A[2]) * t + A[3]) * t + A[4]) * t + A[5]
    under = ((((B[0] * t + B[1]) * t + B[2]) * t + B[3]) * t + B[4]) * t + B[5]
    tail = HALF * over / under * t * bell
    return ONE - tail if x > ZERO else tail


@compiled
def gelu(x: Array, y: Array, slope: Array) -> None:
    for i in range(x.size):
        size = min(abs(x[i]), LARGEST)
        bell = exp_of_half_square(size)
        share = normal(x[i], bell)
        y[i] = x[i] * share
        slope[i] = share + (size if x[i] > ZERO else -size) * bell * DENSITY


@compiled
def log_of_one_and(e: Any) -> Any:
    """log(1 + e) for e from 0 to 1: 2 artanh(z) = 2 (z + z³ / 3 + z⁵ / 5 + ...) with z = e / (2 + e), at most 1/3."""
    z = e / (TWO + e)
    s = z * z
    rest = (((((ODD[6] * s + ODD[5]) * s + ODD[4]) * s + ODD[3]) * s + ODD[2]) * s + ODD[1]) * s + ODD[0]
    return TWO * (z + z * s * rest)


@compiled
def less_one(x: Any) -> Any:
    """eˣ - 1, near 0 by the polynomial of `exp_of_sum`."""
    near = x + x * x * (((((C0 * x + C1) * x + C2) * x + C3) * x + C4) * x + C5)
    return near if abs(x) < NEAR else exp(x) - ONE


@compiled
def softplus(x: Array, y: Array, beta: Any, threshold: Any) -> None:
    for i in range(x.size):
        z = x[i] * beta
        bent = (max(z, ZERO) + log_of_one_and(exp(-abs(z)))) / beta
        y[i] = x[i] if z > threshold else bent


@compiled
def softplus_slope(g: Array, y: Array, x: Array, out: Array, beta: Any, threshold: Any) -> None:
    for i in range(g.size):
        z = x[i] * beta
        bent = g[i] * logistic(z)
        out[i] = g[i] if z > threshold else bent


@compiled
def elu(x: Array, y: Array, alpha: Any, scale: Any, input_scale: Any) -> None:
    factor = alpha * scale
    for i in range(x.size):
        below = less_one(min(x[i], ZERO) * input_scale) * factor
        y[i] = x[i] * scale if x[i] > ZERO else below


@compiled
def elu_slope(g: Array, x: Array, out: Array, alpha: Any, scale: Any, input_scale: Any) -> None:
    factor = alpha * scale * input_scale
    for i in range(g.size):
        below = exp(x[i] * input_scale) * factor
        out[i] = g[i] * (scale if x[i] > ZERO else below)


@compiled
def mish(x: Array, y: Array, e: Array) -> None:
    for i in range(x.size):
        e[i] = exp(min(x[i], TWENTY))
        n = e[i] * (e[i] + TWO)
        y[i] = x[i] * (n / (n + TWO))


@compiled
def mish_slope(g: Array, x: Array, e: Array, out: Array) -> None:
    for i in range(g.size):
        n = e[i] * (e[i] + TWO)
        gate, probability = n / (n + TWO), e[i] / (e[i] + ONE)
        out[i] = g[i] * (gate + x[i] * ((ONE - gate * gate) * probability))


@compiled
def hardswish(x: Array, y: Array) -> None:
    for i in range(x.size):
        y[i] = x[i] * min(max(x[i] + THREE, ZERO), SIX) / SIX


@compiled
def hardswish_slope(g: Array, x: Array, out: Array) -> None:
    for i in range(g.size):
        inside = g[i] * (x[i] / THREE + HALF)
        out[i] = ZERO if x[i] <= -THREE else (inside if x[i] < THREE else g[i])
