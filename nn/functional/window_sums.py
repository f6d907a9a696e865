"""Sums over windows that slide along axes, and their adjoint, as ops."""

from typing import Any

import numpy as np

from autodiff.op import Recorder
from autodiff.recorders import multilinear
from autodiff.tensor import Array

Shape = tuple[int, ...]


def taps(length: int, kernel: int, stride: int, padding: int, dilation: int, count: int) -> list[tuple[Any, Any]]:
    """For each entry of `count` windows along an axis, the slice where it stands, and that of the windows inside."""
    parts = []
    for entry in range(kernel):
        offset = entry * dilation - padding
        low, high = max(0, -(offset // stride)), min(count, (length - offset + stride - 1) // stride)
        if low < high:
            parts.append((slice(low * stride + offset, (high - 1) * stride + offset + 1, stride), slice(low, high)))
        else:
            parts.append((slice(0), slice(0)))
    return parts


def _sum_kernel(x: Array, kernel: Shape, stride: Shape, padding: Shape, count: Shape) -> Array:
    y = x
    for axis, (k, s, p, o) in enumerate(zip(kernel, stride, padding, count, strict=True), x.ndim - len(kernel)):
        if k > 1 or (s, p, o) != (1, 0, x.shape[axis]):
            y = _summed(y, axis, o, taps(x.shape[axis], k, s, p, 1, o))
    return x.copy() if y is x else y


def _spread_kernel(x: Array, kernel: Shape, stride: Shape, padding: Shape, size: Shape) -> Array:
    y = x
    for axis, (k, s, p, n) in enumerate(zip(kernel, stride, padding, size, strict=True), x.ndim - len(kernel)):
        if k > 1 or (s, p, n) != (1, 0, x.shape[axis]):
            parts = [(target, source) for source, target in taps(n, k, s, p, 1, x.shape[axis])]
            y = _summed(y, axis, n, parts, alone=s >= k)
    return x.copy() if y is x else y


def _summed(x: Array, axis: int, length: int, parts: list[tuple[Any, Any]], alone: bool = False) -> Array:
    """Slices of `x` along an axis added up at places on one of another length, none of them twice if `alone`."""
    out = np.zeros((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype)
    before: tuple[Any, ...] = (slice(None),) * axis
    for source, target in parts:
        if alone:
            out[(*before, target)] = x[(*before, source)]
        else:
            out[(*before, target)] += x[(*before, source)]
    return out


sum_pool: Recorder = multilinear(
    "sum_pool",
    _sum_kernel,
    vjp=lambda g, y, x, kernel, stride, padding, count: spread_pool.rule(
        g, kernel=kernel, stride=stride, padding=padding, size=x.shape[x.ndim - len(kernel) :]
    ),
    batched=_sum_kernel,
    doc="The sum of each window over the last axes.",
)
spread_pool: Recorder = multilinear(
    "spread_pool",
    _spread_kernel,
    vjp=lambda g, y, x, kernel, stride, padding, size: sum_pool.rule(
        g, kernel=kernel, stride=stride, padding=padding, count=x.shape[x.ndim - len(kernel) :]
    ),
    batched=_spread_kernel,
    doc="A number for each window added to all of its entries: the adjoint of `sum_pool`.",
)
