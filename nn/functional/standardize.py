"""The ops behind the normalisations: to mean 0 and variance 1 over some axes, and then a factor and a shift each.

The `view` of an input is (samples, channels, inner), with a factor and a shift for each channel. The statistics are
those of each channel over the batch if `groups` is None, else those of each group of channels of each sample: layer
norm of rows of 8 numbers has the view (rows, 8, 1) and one group, batch norm of images (N, C, H · W).
"""

import math
from typing import Any

import numpy as np

from autodiff.compiled import loop_named, usable
from autodiff.domain import Interval
from autodiff.op import OpError, Recorder
from autodiff.ops.reduction import wide
from autodiff.recorders import operation
from autodiff.tensor import Array
from autodiff.threads import share
from nn.functional.standardize_arrays import PART, View, layout, slopes, standardized, sums, sums_of_products


def _kernel(
    x: Array, weight: Any, bias: Any, view: View, groups: int | None, eps: float, centred: bool, moments: Any
) -> Any:
    if x.dtype.kind not in "fc":
        raise OpError(f"normalisation expected numbers of a floating-point dtype, got {x.dtype}: call .float() first")
    if any(a is not None and (type(a) is not np.ndarray or a.dtype.kind == "c") for a in (x, weight, bias)):
        return _formula(x, weight, bias, view, groups, eps, centred, moments), None
    if centred and (view[2] > 1 or groups in (None, 1)) and usable(x, weight, bias):
        y, memo, found = _by_loop(x, weight, bias, view, groups, eps)
    else:
        y, memo, found = standardized(x, weight, bias, view, groups, eps, centred)
    if moments is not None:
        moments[:] = found
    return y, memo


def _loop(view: View, groups: int | None, size: int) -> tuple[str, tuple[int, ...], int, list[tuple[int, int]]]:
    """The name of the loop, the shape of its data, how many statistics there are, and from which to which each part."""
    samples, channels, inner = view
    name, count = "rows" if groups else "columns", samples * groups if groups else channels
    shape: tuple[int, ...] = (samples, channels)
    if inner > 1:
        name = "middles"
        shape = (1, count, channels // groups, inner) if groups else (samples, channels, 1, inner)
    step = max(1, PART * count // size)
    return name, shape, count, [(start, min(start + step, count)) for start in range(0, count, step)]


def _by_loop(x: Array, weight: Any, bias: Any, view: View, groups: int | None, eps: float) -> tuple[Any, ...]:
    """`standardized` by a loop."""
    name, shape, count, parts = _loop(view, groups, x.size)
    given, y, statistics = x.reshape(shape), np.empty(shape, x.dtype), np.empty((3, count), x.dtype)
    weight = np.ones(view[1], x.dtype) if weight is None else weight.reshape(-1)
    bias = np.zeros(view[1], x.dtype) if bias is None else bias.reshape(-1)
    loop = loop_named(f"nn.functional.standardize_loops.{name}")
    share(lambda i: loop(given, y, statistics, weight, bias, x.dtype.type(eps), *parts[i]), len(parts))
    return y.reshape(x.shape), (statistics,), statistics[:2]


def _slopes_by_loop(
    g: Array, x: Array, weight: Any, statistics: Array, view: View, groups: int | None
) -> tuple[Array, Array, Array]:
    name, shape, _, parts = _loop(view, groups, x.size)
    gradient, given, out = np.ascontiguousarray(g).reshape(shape), x.reshape(shape), np.empty(shape, x.dtype)
    # One row of sums for each part: what is added up in one is short, and threads do not meet.
    sums = np.zeros((2, len(parts), view[1]), x.dtype)
    each = np.ones(view[1], x.dtype) if weight is None else weight.reshape(-1)
    loop = loop_named(f"nn.functional.standardize_loops.{name}_slope")
    share(lambda i: loop(gradient, given, out, statistics, each, sums[0, i], sums[1, i], *parts[i]), len(parts))
    of_weight, of_bias = np.add.reduce(sums, 1)
    return out.reshape(x.shape), of_weight, of_bias


def _fast(
    g: Array, y: Any, x: Any, weight: Any, bias: Any, memo: Any, needs: Any, view: View, groups: int | None,
    eps: float, centred: bool, moments: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """The rule with what the kernel has computed."""
    if len(memo) == 1:
        slope, of_weight, of_bias = _slopes_by_loop(g, x, weight, memo[0], view, groups)
    else:
        slope, of_weight, of_bias = slopes(g, x, memo, weight, view, groups, needs[0])
    return (
        slope,
        None if weight is None else of_weight.reshape(weight.shape),
        None if bias is None else of_bias.reshape(bias.shape),
    )


def _apart(view: View, groups: int | None) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The shapes of the input and of what each channel has, and the axes of the statistics, for NumPy's functions."""
    samples, channels, inner = view
    if groups is None:
        return (samples, channels, 1, inner), (channels, 1, 1), (0, 2, 3)
    return (samples, groups, channels // groups, inner), (groups, channels // groups, 1), (2, 3)


def _deviations(x: Any, view: View, groups: int | None, centred: bool) -> tuple[Any, Any, Any]:
    """x - mean, or x if not centred; the mean or None, and the mean of the squares."""
    shape, _, axes = _apart(view, groups)
    d, mean = np.reshape(x, shape), None
    if centred:
        mean = np.mean(d, axis=axes, keepdims=True)
        d = d - mean
    return d, mean, np.mean(d * d, axis=axes, keepdims=True)


def _formula(
    x: Any, weight: Any, bias: Any, view: View, groups: int | None, eps: float, centred: bool, moments: Any
) -> Any:
    """The kernel where no memory is written to: inside vmap, and with complex steps."""
    d, mean, var = _deviations(wide(x), view, groups, centred)
    if moments is not None:
        moments[:] = np.reshape(mean, (-1,)), np.reshape(var, (-1,))
    y, each = d / np.sqrt(var + eps), _apart(view, groups)[1]
    if weight is not None:
        y = y * np.reshape(weight, each)
    if bias is not None:
        y = y + np.reshape(bias, each)
    return np.reshape(y, x.shape).astype(y.dtype if y.dtype.kind == "c" else x.dtype, copy=False)


def _rule(
    g: Any, y: Any, x: Any, weight: Any, bias: Any, needs: Any, view: View, groups: int | None, eps: float,
    centred: bool, moments: Any,
) -> tuple[Any, ...]:  # fmt: skip
    shape, each, axes = _apart(view, groups)
    d, _, var = _deviations(x, view, groups, centred)
    f = 1 / np.sqrt(var + eps)
    g = np.reshape(g, shape)
    of_weight = np.reshape(np.sum(g * d * f, axis=(0, 3)), weight.shape) if needs[1] else None
    of_bias = np.reshape(np.sum(g, axis=(0, 3)), bias.shape) if needs[2] else None
    slope = g if weight is None else g * np.reshape(weight, each)
    bend = d * (f * f * np.mean(slope * d, axis=axes, keepdims=True))
    if centred:
        slope = slope - np.mean(slope, axis=axes, keepdims=True)
    return np.reshape((slope - bend) * f, x.shape), of_weight, of_bias


# The list `moments`, unless None, gets the means and the biased variances, which batch norm averages.
standardize: Recorder = operation(
    "standardize",
    _kernel,
    arity=3,
    joint=_rule,
    fast=_fast,
    memo=True,
    saves="x weight",
    domain=Interval(-3, 3),
    doc="(x - mean) / √(var + eps) · weight + bias, or without the mean if not centred; weight and bias may be None.",
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


def _factor_on_arrays(g: Array, y: Any, x: Array, weight: Any, bias: Any, view: View) -> Array:
    own = layout(view, None)
    return sums_of_products(g.reshape(own.shape), x.reshape(own.shape), own).reshape(weight.shape)


def _shift_on_arrays(g: Array, y: Any, x: Any, weight: Any, bias: Any, view: View) -> Array:
    own = layout(view, None)
    return sums(g.reshape(own.shape), own).reshape(bias.shape)


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
        _factor_on_arrays,
        _shift_on_arrays,
    ),
    saves=("weight", "x", ""),
    domain=Interval(-3, 3),
    doc="x · weight + bias, with one of both for each channel of the view; either may be None.",
)
