"""The ops behind the normalisations: to mean 0 and variance 1 over some axes, and then a factor and a shift each.

What is normalised together is said by `view`, a shape (outer, channels, inner) of as many numbers as the input has: the
statistics are over the first and last axis of the input so reshaped. Layer norm over rows of 8 numbers has the view
(1, rows, 8), batch norm of images (N, C, H · W).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.reduction import total, wide
from autodiff.ops.shape import sum_rows
from autodiff.recorders import operation
from autodiff.tensor import Array

View = tuple[int, int, int]
# Below this many numbers what counts is the number of calls.
LARGE = 4096
# Larger arrays are computed in parts of so many numbers. Smaller parts would fit a nearer cache, but a million in rows
# of 1024 take 0.64 ms at once and 1.2 in parts of 32,768.
PART = 2**20


def sums(x: Array) -> Array:
    """The sums (1, channels, 1) over the first and last axis."""
    outer, channels, inner = x.shape
    if type(x) is not np.ndarray:
        each: Array = np.sum(x, axis=(0, 2), keepdims=True)
        return each
    if inner == 1 and x.dtype.char in "fd":
        return sum_rows(x.reshape(outer, channels)).reshape(1, channels, 1)
    out: Array = total(x, (2,), True)
    return total(out, (0,), True) if outer > 1 else out


def sums_of_products(a: Array, b: Array) -> Array:
    """The sums (1, channels, 1) of a · b over the first and last axis, without the products in memory."""
    outer, _, inner = a.shape
    if type(a) is not np.ndarray:
        return sums(a * b)
    if inner == 1 and a.size > LARGE:
        columns: Array = np.einsum("oc,oc->c", a[:, :, 0], b[:, :, 0])[:, None]
        return columns[None]
    if inner == 1 or a.dtype.kind == "c" or b.dtype.kind == "c":
        return sums(a * b)
    out: Array = np.vecdot(a, b)[:, :, None]
    return total(out, (0,), True) if outer > 1 else out


def moments(x: Array, view: View) -> tuple[Array, Array]:
    """The means and biased variances (1, channels, 1)."""
    x = wide(x).reshape(view)
    scale = 1 / max(view[0] * view[2], 1)
    mean = sums(x) * scale
    deviations = x - mean
    return mean, sums_of_products(deviations, deviations) * scale


def _parts(view: View) -> Iterator[slice]:
    """Parts of the channels, where each channel lies in one piece; else all of them."""
    outer, channels, inner = view
    step = max(PART // max(inner, 1), 1) if outer == 1 else max(channels, 1)
    return (slice(start, start + step) for start in range(0, channels, step))


def _kernel(x: Array, view: View, eps: float, centred: bool, known: tuple[Array, Array] | None) -> Any:
    given = wide(x).reshape(view)
    if type(given) is not np.ndarray:
        return _of_each_sample(given, x, view, eps, centred, known)
    y = np.empty(view, given.dtype)
    factors = np.empty((1, view[1], 1), given.dtype)
    scale = 1 / max(view[0] * view[2], 1)
    for part in _parts(view):
        out = y[:, part]
        if known is not None:
            np.subtract(given, known[0], out=out)
            squares = known[1]
        else:
            deviations = given[:, part]
            if centred:
                deviations = np.subtract(deviations, sums(deviations) * scale, out=out)
            squares = sums_of_products(deviations, deviations) * scale
        factor = 1 / np.sqrt(squares + eps)
        np.multiply(out if centred else deviations, factor, out=out)
        factors[:, part] = factor
    return y.reshape(x.shape).astype(x.dtype, copy=False), factors


def _of_each_sample(given: Any, x: Any, view: View, eps: float, centred: bool, known: Any) -> Any:
    """The kernel inside vmap, where no memory is written to."""
    scale = 1 / max(view[0] * view[2], 1)
    mean, squares = known or ((sums(given) * scale if centred else 0.0), None)
    y = given - mean
    if squares is None:
        squares = sums_of_products(y, y) * scale
    factors = 1 / np.sqrt(squares + eps)
    return (y * factors).reshape(x.shape).astype(x.dtype, copy=False), factors


def _fast(g: Array, y: Array, x: Any, memo: Array, view: View, eps: float, centred: bool, known: Any) -> Array:
    """The rule with the factors of the kernel."""
    if type(g) is not np.ndarray or type(y) is not np.ndarray:
        return np.asanyarray(_rule(g, y, x, view, eps, centred, known))
    g, y = wide(g).reshape(view), y.reshape(view)
    slope = np.empty(view, g.dtype)
    scale = 1 / max(view[0] * view[2], 1)
    for part in _parts(view):
        gp, yp, out = g[:, part], y[:, part], slope[:, part]
        np.multiply(yp, sums_of_products(gp, yp) * scale, out=out)
        np.subtract(gp, out, out=out)
        if centred:
            out -= sums(gp) * scale
        out *= memo[:, part]
    return slope.reshape(x.shape)


def _rule(g: Any, y: Any, x: Any, view: View, eps: float, centred: bool, known: Any) -> Any:
    g, y, x3 = np.reshape(g, view), np.reshape(y, view), np.reshape(x, view)
    slope = g - y * np.mean(g * y, axis=(0, 2), keepdims=True)
    if centred:
        x3 = x3 - np.mean(x3, axis=(0, 2), keepdims=True)
        slope = slope - np.mean(g, axis=(0, 2), keepdims=True)
    return np.reshape(slope / np.sqrt(np.mean(x3 * x3, axis=(0, 2), keepdims=True) + eps), x.shape)


# With `known`, the `moments` that the caller has computed for its own use, they are not computed again.
standardize: Recorder = operation(
    "standardize",
    _kernel,
    vjp=_rule,
    fast=_fast,
    memo=True,
    saves="x y",
    domain=Interval(-3, 3),
    doc="(x - mean) / √(var + eps) over all of a channel, or x / √(mean(x²) + eps) if not centred.",
)


def _along(parameter: Any) -> Any:
    """A parameter of any shape beside the view."""
    return np.reshape(parameter, (math.prod(parameter.shape), 1))


def _scale_kernel(x: Array, weight: Any, bias: Any, view: View) -> Any:
    y: Any = x.reshape(view)
    if weight is not None:
        y = y * weight.reshape(-1, 1)
    if bias is not None:
        # Into the product's own memory, but the complex step may widen it.
        y = np.add(y, bias.reshape(-1, 1), out=y if weight is not None and y.dtype is bias.dtype else None)
    return y.reshape(x.shape)


def _input_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any, view: View) -> Any:
    return g if weight is None else np.reshape(np.reshape(g, view) * _along(weight), x.shape)


scale_and_shift: Recorder = operation(
    "scale_and_shift",
    _scale_kernel,
    vjp=(
        _input_rule,
        lambda g, y, x, weight, bias, view: np.reshape(
            np.sum(np.reshape(g, view) * np.reshape(x, view), axis=(0, 2)), weight.shape
        ),
        lambda g, y, x, weight, bias, view: np.reshape(np.sum(np.reshape(g, view), axis=(0, 2)), bias.shape),
    ),
    fast=(
        _input_rule,
        lambda g, y, x, weight, bias, view: sums_of_products(g.reshape(view), x.reshape(view)).reshape(weight.shape),
        lambda g, y, x, weight, bias, view: sums(g.reshape(view)).reshape(bias.shape),
    ),
    saves=("weight", "x", ""),
    domain=Interval(-3, 3),
    doc="x · weight + bias, with one of both for each channel of the view; either may be None.",
)
