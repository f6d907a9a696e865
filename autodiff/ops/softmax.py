"""Softmax and its logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.compiled import loop_named, share_evenly, usable
from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.blocks import over_rows
from autodiff.ops.conversion import astype, floating
from autodiff.ops.reduction import maximum_reduce, total
from autodiff.ops.shape import positive_axis
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, empty_beside

LOGITS = Interval(-10, 10)


def softmax_kernel(x: Array, axis: int) -> Array:
    if not x.size:
        return x.copy()
    if axis == x.ndim - 1 and usable(x):
        return _by_rows("softmax", x)
    out = empty_beside(x, x.shape)

    def work(at: Any) -> None:
        part, y = x[at], out[at]
        np.subtract(part, maximum_reduce(part, axis, None, None, True), out=y)
        np.exp(y, out=y)
        y /= total(y, (axis,), True)

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
    if axis == g.ndim - 1 and usable(g, y):
        return _by_rows("softmax_slope", g, y)
    out = np.empty(g.shape, g.dtype)

    def work(at: Any) -> None:
        part, part_y, slope = g[at], y[at], out[at]
        np.multiply(part, part_y, out=slope)
        np.subtract(part, total(slope, (axis,), True), out=slope)
        slope *= part_y

    over_rows(work, g, axis)
    return out


def _log_softmax_kernel(x: Array, axis: int) -> Any:
    if not x.size:
        return x.copy(), (x, np.ones_like(x))
    if axis == x.ndim - 1 and usable(x):
        return _by_rows("log_softmax", x), None
    out, exponentials = empty_beside(x, x.shape), empty_beside(x, x.shape)
    all_sums = empty_beside(x, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))

    def work(at: Any) -> None:
        part, y = x[at], out[at]
        np.subtract(part, maximum_reduce(part, axis, None, None, True), out=y)
        sums = total(np.exp(y, out=exponentials[at]), (axis,), True)
        y -= np.log(sums)
        all_sums[at] = sums

    over_rows(work, x, axis)
    return out, (exponentials, all_sums)


def _log_softmax_on_arrays(g: Array, y: Any, x: Any, memo: Any, axis: int) -> Array:
    """The softmax from the exponentials of the kernel: computing them takes half of the time of both."""
    if memo is None:
        return _by_rows("log_softmax_slope", np.ascontiguousarray(g), y)
    exponentials, sums = memo
    out = np.empty(g.shape, g.dtype)

    def work(at: Any) -> None:
        part, slope = g[at], out[at]
        np.multiply(exponentials[at], total(part, (axis,), True) / sums[at], out=slope)
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
