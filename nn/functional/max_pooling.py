"""Max-pooling as an op, the places of the largest entries of windows, and reading by these places."""

import math
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.masking import keep
from autodiff.ops.places import gather, scatter_add
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.window_sums import Shape, taps

MODERATE = Interval(-3, 3)
# Where a window has so few entries, and each lies in so few windows, comparing all of them beats looking places up.
OVERLAP, ENTRIES = 4, 16


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _max_kernel(x: Array, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, count: Shape) -> Array:
    """An axis after the other: the first ones, whose slices are whole runs of memory, before the last."""
    y, first = x, x.ndim - len(kernel)
    for axis, (k, s, p, d, o) in enumerate(zip(kernel, stride, padding, dilation, count, strict=True), first):
        if k > 1 or (s, p, o) != (1, 0, x.shape[axis]):
            y = _max_along(y, axis, o, taps(x.shape[axis], k, s, p, d, o))
    return x.copy() if y is x else y


def _max_along(x: Array, axis: int, count: int, parts: list[tuple[Any, Any]]) -> Array:
    """The largest entries of all windows along an axis at once: for each of their entries a `maximum` of two slices."""
    before: tuple[Any, ...] = (slice(None),) * axis
    source, target = parts[0]
    if target == slice(0, count):
        out: Array = x[(*before, source)].copy()
        parts = parts[1:]
    else:
        out = np.full((*x.shape[:axis], count, *x.shape[axis + 1 :]), _lowest(x.dtype), x.dtype)
    for source, target in parts:
        part = out[(*before, target)]
        np.maximum(part, x[(*before, source)], out=part)
    return out


def _find_kernel(
    x: Array, y: Array, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, count: Shape
) -> Array:
    """The first entry that is the largest, or the last NaN.

    Along the last axis first, where the first column counts, so that of several rows the first one does: windows of 3
    by 3 take two comparisons an axis, not nine. `code` is the number of the entry in its window.
    """
    first, last = x.ndim - len(kernel), x.ndim - 1
    size = x.shape[first:]
    each = [*zip(size, kernel, stride, padding, dilation, count, strict=True)]
    if (y != y).any():
        return _find_nan(x, y, [taps(*axis) for axis in each])
    dtype, entries, code = np.min_scalar_type(math.prod(kernel)), 1, None
    for axis in range(last, first - 1, -1):
        parts, before = taps(*each[axis - first]), (slice(None),) * axis
        largest = _max_along(x, axis, count[axis - first], parts)
        tap, others = np.zeros(largest.shape, dtype), np.ones(largest.shape, bool)
        for source, target in parts[:-1]:
            others[(*before, target)] &= x[(*before, source)] != largest[(*before, target)]
            tap += others
        if code is not None:
            chosen = np.zeros(largest.shape, dtype)
            for entry, (source, target) in enumerate(parts):
                at = (*before, target)
                np.copyto(chosen[at], code[(*before, source)], where=tap[at] == entry)
            tap = tap * dtype.type(entries) + chosen
        x, code, entries = largest, tap, entries * kernel[axis - first]
    within, start = _offsets(tuple(each))
    index: Array = within[code]
    index += start
    return index


@lru_cache(maxsize=64)
def _offsets(axes: tuple[tuple[int, ...], ...]) -> tuple[Array, Array]:
    """How far the entries of a window stand from its start, and where the windows start, over the flattened axes."""
    within, start = np.zeros((), np.int64), np.zeros((), np.int64)
    for n, k, s, p, d, o in axes:
        within = np.add.outer(within * n, np.arange(k) * d)
        start = np.add.outer(start * n, np.arange(o) * s - p)
    return within.reshape(-1), start


def _find_nan(x: Array, y: Array, axes: list[list[tuple[Any, Any]]]) -> Array:
    size = x.shape[x.ndim - len(axes) :]
    places, index = np.arange(math.prod(size)).reshape(size), np.zeros(y.shape, np.int64)
    entries = [((..., *(a for a, _ in parts)), (..., *(b for _, b in parts))) for parts in product(*axes)]
    for source, target in reversed(entries):
        np.copyto(index[target], places[source], where=x[source] == y[target])
    for source, target in entries:
        np.copyto(index[target], places[source], where=x[source] != x[source])
    return index


def _find_of_samples(x: Array, y: Array, kernel: Shape, **window: Shape) -> Array:
    """Where only one of both differs between samples, the other is the same for each."""
    lead = max(x.shape[: -len(kernel)], y.shape[: -len(kernel)], key=len)
    x, y = (np.broadcast_to(a, lead + a.shape[-len(kernel) :]) for a in (x, y))
    return _find_kernel(x, y, kernel, **window)


find_max: Recorder = operation(
    "max_pool_index",
    _find_kernel,
    arity=2,
    batched=_find_of_samples,
    domain=MODERATE,
    doc="The place, over the flattened last axes, of the largest entry of each window, given the largest entries.",
)


def _max_rule(g: Any, y: Any, x: Any, **window: Shape) -> Any:
    index = find_max.rule(x, y, **window)
    rows, columns = math.prod(x.shape[: x.ndim - len(window["kernel"])]), math.prod(window["count"])
    size = math.prod(x.shape[x.ndim - len(window["kernel"]) :])
    index, g = np.reshape(index, (rows, columns)), np.reshape(g, (rows, columns))
    return np.reshape(scatter_add.rule(None, index, g, axis=1, shape=(rows, size)), x.shape)


def _max_rule_fast(g: Array, y: Array, x: Array, **window: Shape) -> Array:
    """By comparing all windows with each of their entries at once, faster than looking places up."""
    if math.prod(window["kernel"]) > min(OVERLAP * math.prod(window["stride"]), ENTRIES) or (y != y).any():
        found: Array = _max_rule(g, y, x, **window)
        return found
    size, out, left = x.shape[x.ndim - len(window["kernel"]) :], np.zeros(x.shape, g.dtype), np.ones(y.shape, bool)
    names = "kernel", "stride", "padding", "dilation", "count"
    for parts in product(*(taps(*axis) for axis in zip(size, *(window[name] for name in names), strict=True))):
        source, target = ((..., *(part[i] for part in parts)) for i in (0, 1))
        largest = x[source] == y[target]
        largest &= left[target]
        left[target] ^= largest
        out[source] += keep(largest, g[target])
    return out


max_pool: Recorder = operation(
    "max_pool",
    _max_kernel,
    vjp=_max_rule,
    fast=_max_rule_fast,
    batched=_max_kernel,
    saves="x y",
    domain=MODERATE,
    analytic=False,
    doc="The largest entry of each window over the last axes; of entries that tie the first has the gradient.",
)


def pick(input: Tensor, index: Array, ndim: int) -> Tensor:
    """The entries of (*, *size) at the places (*, *count) over the flattened last `ndim` axes."""
    lead = input.shape[: input.ndim - ndim]
    flat = input.reshape(*lead, math.prod(input.shape[len(lead) :]))
    places = wrap(index.reshape(*lead, math.prod(index.shape[len(lead) :])))
    return gather(flat, places, axis=len(lead)).reshape(index.shape)
