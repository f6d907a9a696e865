"""The ops behind the losses of class scores: what they read of each row of scores is one element."""

import math
from typing import Any

import numpy as np

from autodiff.compiled import loop_named, share_evenly, usable
from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.blocks import BLOCK, over_rows
from autodiff.ops.reduction import total
from autodiff.ops.softmax import _softmax as softmax
from autodiff.ops.softmax import exponentials as exponentials_into
from autodiff.ops.softmax import softmax_kernel
from autodiff.recorders import multilinear, operation
from autodiff.tensor import Array, contiguous_array, zeros_beside

SCORES = Interval(-10, 10)
# From so many scores on they are computed in blocks: forward and backward over 1024 rows of 1024 in 1.5 ms, not 2.3.
LARGE = 1 << 16

# The index `at` counts in row-major order through all scores; reading 32 of them takes 0.2 µs, with an index an axis
# 0.7. It names no place twice, since it holds one class for each place on the other axes.


def _spread_kernel(x: Array, at: Array, weights: Any, shape: tuple[int, ...]) -> Array:
    out = zeros_beside(x, shape)
    out.reshape(-1)[at] = x * weights
    return out


weighted_sum_at: Recorder = multilinear(
    "nll_loss",
    lambda x, at, weights: (x.take(at) * weights).sum(),
    vjp=lambda g, y, x, at, weights: _spread.rule(g, at=at, weights=weights, shape=x.shape),
    doc="The weighted sum of the elements at an index.",
)
_spread: Recorder = multilinear(
    "nll_loss_slope",
    _spread_kernel,
    vjp=lambda g, y, x, at, weights, shape: weighted_sum_at.rule(g, at=at, weights=weights),
    doc="Zeros, with a number times weights at an index.",
)


def _along(weights: Any, axis: int) -> Any:
    return weights if isinstance(weights, float | int) or not weights.ndim else np.expand_dims(weights, axis)


def _cross_entropy_kernel(x: Array, axis: int, at: Array, weights: Any) -> Any:
    if x.size >= LARGE and axis == x.ndim - 1 and x.flags.c_contiguous:
        exponentials, sums, chosen = _large(x, at)
    else:
        shifted = x - np.maximum.reduce(x, axis, keepdims=True)
        exponentials = np.exp(shifted)
        sums = np.add.reduce(exponentials, axis, keepdims=True)
        chosen = shifted.take(at)
    return np.add.reduce((chosen - np.log(sums).reshape(chosen.shape)) * weights, None), (exponentials, sums)


def _large(x: Array, at: Array) -> tuple[Array, Array, Array]:
    """The same some rows at a time, so that what one step writes is in the cache for the next."""
    exponentials = np.empty_like(x)
    sums, top = np.empty((len(x), 1), x.dtype), np.empty((len(x), 1), x.dtype)
    chosen = x.take(at)
    if usable(x):
        loop = loop_named("autodiff.ops.loops.exponentials")

        def by_loop(part: slice) -> None:
            peaks = np.maximum.reduce(x[part], -1, out=top[part, 0])
            loop(x[part], peaks, exponentials[part], sums[part, 0])

        share_evenly(by_loop, len(x), x.size)
        return exponentials, sums, chosen - top.reshape(at.shape)

    def work(part: Any) -> None:
        peaks = exponentials_into(x[part], 1, math.log(x.shape[1]), exponentials[part])
        top[part] = 0 if peaks is None else peaks
        sums[part] = total(exponentials[part], (1,), True)

    over_rows(work, x, 1)
    return exponentials, sums, chosen - top.reshape(at.shape)


def _scaled_rows(x: Array, factors: Array, axis: int) -> Array:
    out = np.empty_like(x)

    def work(part: Any) -> None:
        np.multiply(x[part], factors[part], out=out[part])

    over_rows(work, x, axis)
    return out


def _cross_entropy_fast(g: Array, y: Any, x: Any, memo: Any, axis: int, at: Array, weights: Any) -> Array:
    """The slope from the exponentials of the kernel: on 32 rows of 2 scores 2 µs, where the rule takes 8."""
    exponentials, sums = memo
    factor = g * weights
    factors = -_along(factor, axis) / sums
    # 32 rows of 2 scores take 3 µs more by the function for large arrays.
    large = exponentials.size > BLOCK and type(factors) is np.ndarray
    out: Array = _scaled_rows(exponentials, factors, axis) if large else exponentials * factors
    if not out.flags.c_contiguous:
        out = out.copy()
    out.reshape(-1)[at] += factor
    return out


def _slope_kernel(a: Array, b: Array, axis: int, at: Array, weights: Any) -> Array:
    factor = a * weights
    out: Array = softmax_kernel(contiguous_array(b), axis)
    out *= -_along(factor, axis)
    out.reshape(-1)[at] += factor
    return out


def _curvature(g: Any, y: Any, a: Any, b: Any, axis: int, at: Array, weights: Any) -> Any:
    probabilities = softmax.rule(b, axis=axis)
    moved = g * (-a * _along(weights, axis)) * probabilities
    return moved - probabilities * np.sum(moved, axis=axis, keepdims=True)


# One node for what would be two: with small batches the time goes into the graph, not into the arithmetic.
cross_entropy_at: Recorder = operation(
    "cross_entropy",
    _cross_entropy_kernel,
    vjp=lambda g, y, x, axis, at, weights: _slope.rule(g, x, axis=axis, at=at, weights=weights),
    fast=_cross_entropy_fast,
    memo=True,
    saves="x",
    domain=SCORES,
    doc="The weighted sum of the log-softmax along an axis at an index.",
)
_slope: Recorder = operation(
    "cross_entropy_slope",
    _slope_kernel,
    vjp=(lambda g, y, a, b, **params: np.sum(g * _slope.rule(np.ones(a.shape, a.dtype), b, **params)), _curvature),
    saves=("b", "a b"),
    domain=SCORES,
    analytic=False,
    doc="The gradient of cross_entropy: a times the weights times (one-hot - softmax of b).",
)
