"""Softmax and its logarithm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.compiled import loop_named, share_evenly, usable
from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.blocks import over_rows
from autodiff.ops.conversion import astype, floating
from autodiff.ops.reduction import LARGE, add_reduce, maximum_reduce, minimum_reduce, total
from autodiff.ops.shape import positive_axis
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, empty_beside

LOGITS = Interval(-10, 10)
# Exponentials of numbers in ±40, from 4e-18 to 2e17, and their sums fit in a float32.
SMALL = 40.0


def are_within(limit: float, x: Array) -> bool:
    """Whether all numbers of a large array are in ±limit; a third of the time of the peaks of its rows."""
    if x.size < LARGE or x.dtype.char not in "fd":
        return False
    return bool(maximum_reduce(x, None) <= limit and minimum_reduce(x, None) >= -limit)


def exponentials(x: Array, axis: int, limit: float, out: Array) -> Any:
    """Put into `out` the exponentials of `x` less its peaks along an axis, and return those.

    Where all numbers are in ±limit nothing is subtracted, and None returned.
    """
    if are_within(limit, x):
        np.exp(x, out=out)
        return None
    peaks = maximum_reduce(x, axis, None, None, True)
    np.subtract(x, peaks, out=out)
    np.exp(out, out=out)
    return peaks


def softmax_kernel(x: Array, axis: int) -> Array:
    if not x.size:
        return x.copy()
    if x.size < LARGE:
        y: Array = np.exp(x - maximum_reduce(x, axis, None, None, True))
        y /= add_reduce(y, axis, None, None, True)
        return y
    if axis == x.ndim - 1 and usable(x):
        return _by_rows("softmax", x)
    out = empty_beside(x, x.shape)

    def work(at: Any) -> None:
        y = out[at]
        exponentials(x[at], axis, SMALL, y)
        y *= 1 / total(y, (axis,), True)

    over_rows(work, x, axis)
    return out


def _by_rows(name: str, *inputs: Array) -> Array:
    """What the loop `name` gives for the rows of arrays of one shape, or of one array and their largest numbers."""
    shape, loop = inputs[0].shape, loop_named(f"autodiff.ops.loops.{name}")
    rows = [x.reshape(-1, shape[-1]) for x in inputs]
    out = np.empty(rows[0].shape, np.float32)

    def work(part: slice) -> None:
        parts = [x[part] for x in rows]
        if len(parts) == 1:
            parts.append(np.maximum.reduce(parts[0], 1))
        loop(*parts, out[part])

    share_evenly(work, len(out), out.size)
    return out.reshape(shape)


def _softmax_on_arrays(g: Array, y: Array, x: Any, axis: int) -> Array:
    if g.size < LARGE:
        slope: Array = g * y
        slope = g - add_reduce(slope, axis, None, None, True)
        slope *= y
        return slope
    if axis == g.ndim - 1 and usable(g, y):
        return _by_rows("softmax_slope", g, y)
    out = np.empty(g.shape, g.dtype)

    def work(at: Any) -> None:
        part, part_y, slope = g[at], y[at], out[at]
        if axis == g.ndim - 1:
            sums = np.vecdot(part, part_y)[..., None]
        else:
            sums = total(np.multiply(part, part_y, out=slope), (axis,), True)
        np.subtract(part, sums, out=slope)
        slope *= part_y

    over_rows(work, g, axis)
    return out


def _log_softmax_kernel(x: Array, axis: int) -> Any:
    if not x.size:
        return x.copy(), (x, np.ones_like(x))
    if x.size < LARGE:
        shifted = x - maximum_reduce(x, axis, None, None, True)
        powers = np.exp(shifted)
        sums = add_reduce(powers, axis, None, None, True)
        return shifted - np.log(sums), (powers, sums)
    if axis == x.ndim - 1 and usable(x):
        return _by_rows("log_softmax", x), None
    out, powers = empty_beside(x, x.shape), empty_beside(x, x.shape)
    all_sums = empty_beside(x, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))

    def work(at: Any) -> None:
        part, y, e = x[at], out[at], powers[at]
        # Logarithms of the sums then are at most twice that of the length, and round hardly more than those with peaks.
        peaks = exponentials(part, axis, math.log(x.shape[axis]), e)
        all_sums[at] = sums = total(e, (axis,), True)
        if peaks is not None:
            part = np.subtract(part, peaks, out=y)
        np.subtract(part, np.log(sums), out=y)

    over_rows(work, x, axis)
    return out, (powers, all_sums)


def _log_softmax_on_arrays(g: Array, y: Any, x: Any, memo: Any, axis: int) -> Array:
    """The softmax from the exponentials of the kernel: computing them takes half of the time of both."""
    if memo is None:
        return _by_rows("log_softmax_slope", np.ascontiguousarray(g), y)
    powers, sums = memo
    if g.size < LARGE:
        small: Array = powers * (add_reduce(g, axis, None, None, True) / sums)
        return np.subtract(g, small, out=small)
    out = np.empty(g.shape, g.dtype)

    def work(at: Any) -> None:
        part, slope = g[at], out[at]
        np.multiply(powers[at], total(part, (axis,), True) / sums[at], out=slope)
        np.subtract(part, slope, out=slope)

    over_rows(work, g, axis)
    return out


_softmax = operation(
    "softmax",
    softmax_kernel,
    vjp=lambda g, y, x, axis: y * (g - np.sum(g * y, axis=axis, keepdims=True)),
    fast=_softmax_on_arrays,
    saves="y",
    domain=LOGITS,
    analytic=False,
    doc="exp(x) / Σ exp(x) along an axis.",
)
_log_softmax = operation(
    "log_softmax",
    _log_softmax_kernel,
    vjp=lambda g, y, x, axis: g - np.exp(y) * np.sum(g, axis=axis, keepdims=True),
    fast=_log_softmax_on_arrays,
    memo=True,
    saves="y",
    domain=LOGITS,
    analytic=False,
    doc="x - log Σ exp(x) along an axis.",
)


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """exp(x) / Σ exp(x) along `dim`, without overflow; `dtype` converts first. RuntimeError for integers.

    >>> import autodiff as ad
    >>> ad.softmax(ad.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _along("softmax", _softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`, exact where that underflows. RuntimeError for integers.

    >>> import autodiff as ad
    >>> ad.log_softmax(ad.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return _along("log_softmax", _log_softmax, input, dim, dtype)


def _along(name: str, record: Recorder, x: Tensor, dim: int, dtype: Any) -> Tensor:
    x = floating(name, x if dtype is None else astype(x, dtype))
    axis = positive_axis(dim, x.ndim)
    return record(x, axis=axis) if x.ndim else record(x.reshape(1), axis=0).reshape(())
