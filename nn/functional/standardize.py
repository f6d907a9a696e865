"""The ops behind the normalisations: to mean 0 and variance 1 over some axes, and then a factor and a shift each.

The `view` of an input is (samples, channels, inner), with a factor and a shift for each channel. The statistics are
those of each channel over the batch if `groups` is None, else those of each group of channels of each sample: layer
norm of rows of 8 numbers has the view (rows, 8, 1) and one group, batch norm of images (N, C, H · W).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.compiled import loop_named, usable
from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.reduction import total, wide
from autodiff.ops.shape import sum_rows
from autodiff.recorders import operation
from autodiff.tensor import Array
from autodiff.threads import share

View = tuple[int, int, int]
# Below this many numbers what counts is the number of calls.
LARGE = 4096
# Larger arrays are computed in parts of so many numbers, which threads share. Smaller ones cost more in calls than the
# nearer cache gives back: layer norm of a million numbers in one thread takes 0.75 ms at once, 0.9 in eight parts.
PART = 2**19


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


def moments(x: Array, view: View, groups: int | None = None) -> tuple[Array, Array]:
    """The means and biased variances (1, n, 1) of all n that is taken together: channels, or groups of samples."""
    x = wide(x).reshape(_together(view, groups))
    scale = 1 / max(x.shape[0] * x.shape[2], 1)
    mean = sums(x) * scale
    deviations = x - mean
    return mean, sums_of_products(deviations, deviations) * scale


def _together(view: View, groups: int | None) -> View:
    """The shape in which a statistic is over the first and last axis."""
    samples, channels, inner = view
    return view if groups is None else (1, samples * groups, channels // groups * inner)


def _share(work: Callable[[slice], Any], view: View, groups: int | None) -> list[Any]:
    """What `work` gives for parts of the middle axis of `_together`, channels or whole samples, in their order."""
    size, length = math.prod(view), view[1 if groups is None else 0]
    # Columns of a matrix lie too far apart for the cache.
    if size <= PART or (groups is None and view[2] == 1):
        return [work(slice(None))]
    step = max(1, PART * length // size)
    found: list[Any] = [None] * -(-length // step)

    def take(i: int) -> None:
        start = i * step * (groups or 1)
        found[i] = work(slice(start, start + step * (groups or 1)))

    share(take, len(found))
    return found


def _scaled(x: Array, factor: Array, weight: Any, view: View, groups: int | None, out: Array) -> None:
    """x · factor · weight into `out`, for parts in the shape of `_together` and a weight (channels, 1)."""
    if weight is None or groups is None:
        np.multiply(x, factor if weight is None else factor * weight, out=out)
        return
    if groups == view[2] == 1 and x.size > LARGE:
        # As a product of matrices these take 0.13 ms a million, by broadcasting 0.2.
        both = factor.reshape(-1, 1).dot(weight.reshape(1, -1))
    else:
        both = factor.reshape(-1, groups, 1) * weight.reshape(groups, -1)
    beside = (-1, view[1], view[2])
    np.multiply(x.reshape(beside), both.reshape(-1, view[1], 1), out=out.reshape(beside))


def _kernel(
    x: Array, weight: Any, bias: Any, view: View, groups: int | None, eps: float, centred: bool, known: Any
) -> Any:
    if any(a is not None and (type(a) is not np.ndarray or a.dtype.kind == "c") for a in (x, weight, bias)):
        return _formula(x, weight, bias, view, groups, eps, centred), None
    if groups == view[2] == 1 and centred and usable(x, weight, bias):
        return _rows_by_loop(x, weight, bias, view, eps)
    shape = _together(view, groups)
    given = wide(x).reshape(shape)
    y = np.empty(shape, given.dtype)
    deviations = np.empty(shape, given.dtype) if centred else given
    factors = np.empty((1, shape[1], 1), given.dtype)
    scale = 1 / max(shape[0] * shape[2], 1)
    weight, bias = (a if a is None else wide(a).reshape(-1, 1) for a in (weight, bias))

    def work(part: slice) -> None:
        own, d, out = given[:, part], deviations[:, part], y[:, part]
        if centred:
            np.subtract(own, sums(own) * scale if known is None else known[0][:, part], out=d)
        var = sums_of_products(d, d) * scale if known is None else known[1][:, part]
        f = np.divide(1, np.sqrt(var + eps), out=factors[:, part])
        _scaled(d, f, weight if weight is None or groups else weight[part], view, groups, out)
        if bias is not None and groups is None:
            out += bias[part]
        elif bias is not None:
            out = out.reshape(-1, view[1], view[2])
            out += bias

    _share(work, view, groups)
    return y.reshape(x.shape).astype(x.dtype, copy=False), (deviations, factors)


def _rows_at_a_time(view: View) -> int:
    return max(1, PART // view[1])


def _by_rows(work: Callable[[slice, int], None], view: View) -> None:
    """Call `work` with some rows at a time and the number of calls before."""
    step = _rows_at_a_time(view)
    share(lambda i: work(slice(i * step, (i + 1) * step), i), -(-view[0] // step))


def _rows_by_loop(x: Array, weight: Any, bias: Any, view: View, eps: float) -> Any:
    """The kernel of layer norm; in place of deviations the backward pass gets the means, with the factors."""
    given, y, statistics = x.reshape(view[:2]), np.empty(view[:2], x.dtype), np.empty((2, view[0]), x.dtype)
    weight = np.ones(view[1], x.dtype) if weight is None else weight.reshape(-1)
    bias = np.zeros(view[1], x.dtype) if bias is None else bias.reshape(-1)
    loop = loop_named("nn.functional.loops.layer_norm")

    def work(rows: slice, i: int) -> None:
        loop(given[rows], y[rows], statistics[0, rows], statistics[1, rows], weight, bias, x.dtype.type(eps))

    _by_rows(work, view)
    return y.reshape(x.shape), (None, statistics)


def _slopes_by_loop(g: Array, x: Array, weight: Any, bias: Any, statistics: Array, view: View) -> tuple[Any, ...]:
    gradient, given = np.ascontiguousarray(g).reshape(view[:2]), x.reshape(view[:2])
    out = np.empty(view[:2], x.dtype)
    # One row of sums for each block of rows: what is added up in one is short, and threads do not meet.
    sums = np.zeros((2, -(-view[0] // _rows_at_a_time(view)), view[1]), x.dtype)
    each = np.ones(view[1], x.dtype) if weight is None else weight.reshape(-1)
    loop = loop_named("nn.functional.loops.layer_norm_slope")

    def work(rows: slice, i: int) -> None:
        means, factors = statistics[:, rows]
        loop(gradient[rows], given[rows], out[rows], means, factors, each, sums[0, i], sums[1, i])

    _by_rows(work, view)
    of_weight, of_bias = np.add.reduce(sums, 1)
    return (
        out.reshape(x.shape),
        None if weight is None else of_weight.reshape(weight.shape),
        None if bias is None else of_bias.reshape(bias.shape),
    )


def _sums_by_group(g: Array, d: Array, f: Array, weight: Any, groups: int) -> tuple[Array, ...]:
    """The gradients of weight and bias, and the sums over each group of g · weight and of g · weight · d."""
    samples, channels, inner = g.shape
    size = channels // groups
    if inner == 1:
        each, products = g[:, :, 0], g[:, :, 0] * d[:, :, 0]
    else:
        each, products = np.vecdot(g, np.ones(inner, g.dtype)), np.vecdot(g, d)
    w = np.ones(channels, g.dtype) if weight is None else weight
    one, two = (
        np.vecdot(a.reshape(samples, groups, size), w.reshape(groups, size)).reshape(1, -1, 1) for a in (each, products)
    )
    if groups == 1:
        of_weight = f.reshape(-1).dot(products)
    else:
        of_weight = np.add.reduce(products.reshape(samples, groups, size) * f.reshape(samples, groups, 1), 0)
    return of_weight, sum_rows(each), one, two


def _fast(
    g: Array, y: Any, x: Any, weight: Any, bias: Any, memo: Any, needs: Any, view: View, groups: int | None,
    eps: float, centred: bool, known: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """The rule with the deviations and factors of the kernel."""
    deviations, factors = memo
    if deviations is None:
        return _slopes_by_loop(g, x, weight, bias, factors, view)
    gradient = wide(g).reshape(deviations.shape)
    slope = np.empty(gradient.shape, gradient.dtype)
    scale = 1 / max(gradient.shape[0] * gradient.shape[2], 1)
    weights = None if weight is None else wide(weight).reshape(-1, 1)

    def work(part: slice) -> tuple[Array, Array]:
        g, d, f, out = gradient[:, part], deviations[:, part], factors[:, part], slope[:, part]
        w = weights if weights is None or groups else weights[part]
        if groups is None:
            of_bias, dots = sums(g), sums_of_products(g, d)
            of_weight = dots * f
            one, two = (of_bias, dots) if w is None else (of_bias * w, dots * w)
        else:
            beside = (-1, view[1], view[2])
            of_weight, of_bias, one, two = _sums_by_group(g.reshape(beside), d.reshape(beside), f, w, groups)
        if needs[0]:
            _scaled(g, f, w, view, groups, out)
            mean = f * scale
            out -= d * (two * mean * f * f)
            if centred:
                out -= one * mean
        return of_weight, of_bias

    found = _share(work, view, groups)
    of_weight, of_bias = found[0]
    if len(found) > 1:
        totals = zip(*found, strict=True)
        of_weight, of_bias = (np.concatenate(each, 1) if groups is None else sum(each[1:], each[0]) for each in totals)
    return (
        slope.reshape(g.shape),
        None if weight is None else of_weight.reshape(weight.shape),
        None if bias is None else of_bias.reshape(bias.shape),
    )


def _apart(view: View, groups: int | None) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The shapes of the input and of what each channel has, and the axes of the statistics, for NumPy's functions."""
    samples, channels, inner = view
    if groups is None:
        return (samples, channels, 1, inner), (channels, 1, 1), (0, 2, 3)
    return (samples, groups, channels // groups, inner), (groups, channels // groups, 1), (2, 3)


def _deviations(x: Any, view: View, groups: int | None, eps: float, centred: bool) -> tuple[Any, Any]:
    """x - mean, or x if not centred, and 1 / √(mean of its squares + eps)."""
    shape, _, axes = _apart(view, groups)
    d = np.reshape(x, shape)
    if centred:
        d = d - np.mean(d, axis=axes, keepdims=True)
    return d, 1 / np.sqrt(np.mean(d * d, axis=axes, keepdims=True) + eps)


def _formula(x: Any, weight: Any, bias: Any, view: View, groups: int | None, eps: float, centred: bool) -> Any:
    """The kernel where no memory is written to: inside vmap, and with complex steps."""
    d, f = _deviations(wide(x), view, groups, eps, centred)
    y, each = d * f, _apart(view, groups)[1]
    if weight is not None:
        y = y * np.reshape(weight, each)
    if bias is not None:
        y = y + np.reshape(bias, each)
    return np.reshape(y, x.shape).astype(y.dtype if y.dtype.kind == "c" else x.dtype, copy=False)


def _rule(
    g: Any, y: Any, x: Any, weight: Any, bias: Any, needs: Any, view: View, groups: int | None, eps: float,
    centred: bool, known: Any,
) -> tuple[Any, ...]:  # fmt: skip
    shape, each, axes = _apart(view, groups)
    d, f = _deviations(x, view, groups, eps, centred)
    g = np.reshape(g, shape)
    of_weight = np.reshape(np.sum(g * d * f, axis=(0, 3)), weight.shape) if needs[1] else None
    of_bias = np.reshape(np.sum(g, axis=(0, 3)), bias.shape) if needs[2] else None
    slope = g if weight is None else g * np.reshape(weight, each)
    bend = d * (f * f * np.mean(slope * d, axis=axes, keepdims=True))
    if centred:
        slope = slope - np.mean(slope, axis=axes, keepdims=True)
    return np.reshape((slope - bend) * f, x.shape), of_weight, of_bias


# With `known`, the `moments` that the caller has computed for its own use, they are not computed again.
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
