"""Counting: distinct values, occurrences of integers, histograms. Nothing here carries a gradient."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from autodiff.op import OpError
from autodiff.ops.reduction import Dim, add_reduce, axes_of, numpy_names, wide
from autodiff.ops.shape import positive_axis
from autodiff.tensor import Array, Tensor, as_array, wrap

FEW = 4096


class Histogram(NamedTuple):
    """How much fell into each bin, and the edges of the bins."""

    hist: Tensor
    bin_edges: Tensor


@numpy_names
def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """How many elements are not 0, over `dim`; NaN is not 0.

    >>> import autodiff as ad
    >>> ad.count_nonzero(ad.tensor([[0, 3], [1, 2]]), dim=0)
    tensor([1, 2])
    """
    x = input.array
    if dim is None and x.size < FEW:
        return wrap(np.asarray(np.count_nonzero(x)))
    # Of bools NumPy counts a million in 0.15 ms, of float32 in 0.6.
    other = x.astype(bool, copy=False)
    if dim is None:
        return wrap(as_array(np.count_nonzero(other)))
    return wrap(as_array(add_reduce(other, axes_of(input, dim), np.int64)))


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in ascending order, or the distinct slices along `dim` in lexicographic order.

    With `return_inverse` also where each element went, with `return_counts` how often each occurs. They are sorted
    whether or not `sorted` asks for it. A NaN equals nothing, not even another.

    >>> import autodiff as ad
    >>> ad.unique(ad.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    rows, axis = _rows("unique", input, dim)
    order = None
    if rows.ndim > 1:
        order = np.lexsort(rows.T[::-1])
    elif return_inverse:
        order = np.argsort(rows, kind="stable")
    ordered = np.sort(rows) if order is None else rows[order]
    return _runs(input, axis, ordered, order, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements, or the slices along `dim`, without those that equal the one before them.

    With `return_inverse` also where each element went, with `return_counts` how many each stands for.

    >>> import autodiff as ad
    >>> ad.unique_consecutive(ad.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    rows, axis = _rows("unique_consecutive", input, dim)
    return _runs(input, axis, rows, None, return_inverse, return_counts)


def _rows(name: str, x: Tensor, dim: int | None) -> tuple[Array, int | None]:
    """The elements as a vector, or the slices along `dim` as the rows of a matrix, and that axis."""
    if dim is None:
        return x.array.reshape(-1), None
    axis = positive_axis(dim, x.ndim)
    if not x.ndim:
        raise IndexError(f"{name}: expected a tensor with dimensions, since dim is {dim}; got a 0-d one")
    moved = np.moveaxis(x.array, axis, 0)
    if 0 in moved.shape[1:]:
        raise OpError(f"{name}: expected slices that are not empty along dim {dim}, got shape {x.shape}")
    return moved.reshape(len(moved), math.prod(moved.shape[1:])), axis


def _runs(
    x: Tensor, axis: int | None, rows: Array, order: Array | None, return_inverse: bool, return_counts: bool
) -> Any:
    """The first of each run of equal `rows`, which are those of `x` in `order`; the inverse and the counts."""
    begins = np.ones(len(rows), bool)
    changes = rows[1:] != rows[:-1]
    begins[1:] = changes if changes.ndim == 1 else changes.any(1)
    values = rows[begins]
    if axis is not None:
        values = np.moveaxis(values.reshape(len(values), *x.shape[:axis], *x.shape[axis + 1 :]), 0, axis)
    out = [wrap(np.ascontiguousarray(values))]
    if return_inverse:
        runs = np.cumsum(begins) - 1
        inverse = runs
        if order is not None:
            inverse = np.empty_like(runs)
            inverse[order] = runs
        out.append(wrap(inverse.reshape(x.shape) if axis is None else inverse))
    if return_counts:
        out.append(wrap(np.diff(np.flatnonzero(begins), append=len(rows))))
    return tuple(out) if len(out) > 1 else out[0]


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of the integers 0, 1, ... occurs in a vector, or the sum of its `weights`, of the same shape.

    At least `minlength` counts; sums are float32 for float32 weights, else float64. OpError for negative integers.

    >>> import autodiff as ad
    >>> ad.bincount(ad.tensor([1, 3, 1]))
    tensor([0, 2, 0, 1])
    """
    x = input.array
    if x.ndim != 1 or x.dtype.kind not in "iu":
        raise OpError(f"bincount: expected a vector of integers, got {x.dtype} {x.shape}; use flatten() or long()")
    if minlength < 0:
        raise OpError(f"bincount: expected a minlength of at least 0, got {minlength}")
    if not x.size:
        return wrap(np.zeros(minlength, np.int64))
    if x.min() < 0:
        raise OpError(f"bincount: expected integers of at least 0, got {x.min()}")
    if weights is None:
        return wrap(np.bincount(x, minlength=minlength))
    if weights.shape != x.shape:
        raise OpError(f"bincount: expected weights of shape {x.shape} like the input, got {weights.shape}")
    sums = np.bincount(x, weights.array, minlength)
    return wrap(sums.astype(np.float32) if weights.dtype == np.float32 else sums)


def _limits(name: str, low: Any, high: Any, margin: float, dtype: Any) -> tuple[Any, Any]:
    """The ends of the bins, apart by `margin` on both sides if they are equal."""
    first, last = dtype.type(low), dtype.type(high)
    if -math.inf < first < last < math.inf:
        return first, last
    if not (math.isfinite(first) and math.isfinite(last)):
        raise OpError(f"{name}: expected a finite range, got {low} to {high}; give one, or remove inf and nan")
    if first > last:
        raise OpError(f"{name}: expected a range from the smaller to the larger number, got {low} to {high}")
    if first == last:
        first, last = first - dtype.type(margin), last + dtype.type(margin)
    return first, last


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` bins of equal width from `min` to `max`, the last one closed.

    With both 0 the bins reach from the smallest to the largest element. What lies outside, and NaN, counts nowhere.
    The result has the dtype of the input; OpError for integers.

    >>> import autodiff as ad
    >>> ad.histc(ad.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    x = wide(_observed("histc", input, bins))
    low, high = (x.min(), x.max()) if min == max and x.size else (min, max)
    first, last = _limits("histc", low, high, 1.0, x.dtype)
    # NaN is the least and the largest of its array, and inside of nothing.
    if not (x.size and x[x.argmin()] >= first and x[x.argmax()] <= last):
        x = x[(x >= first) & (x <= last)]
    place = x - first
    place *= bins
    place /= last - first
    counts = np.bincount(place.astype(np.int64), None, bins + 1)
    hist = counts[:bins].astype(input.dtype)
    if counts[bins]:
        hist[-1] += counts[bins]
    return wrap(hist)


def _observed(name: str, x: Tensor, bins: int) -> Array:
    if x.array.dtype.kind != "f":
        raise OpError(f"{name}: expected a floating-point tensor, got {x.dtype}; convert it with x.float()")
    if bins < 1:
        raise OpError(f"{name}: expected at least 1 bin, got {bins}")
    return x.array if x.array.ndim == 1 else x.array.reshape(-1)


def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Any:
    """How many elements, or how much of `weight` (like the input), fall into each bin, and the edges of the bins.

    `bins` is the number of bins of equal width over `range` (low, high), or over all elements; or a vector of
    ascending edges. With `density` the counts are divided by their sum and by the widths. The last bin is closed; what
    lies outside, and NaN, counts nowhere. OpError for integers and float16.

    >>> import autodiff as ad
    >>> ad.histogram(ad.tensor([1.0, 2.0, 1.0]), bins=2, range=(0.0, 3.0)).hist
    tensor([2., 1.])
    """
    if isinstance(bins, Tensor):
        if range is not None:
            raise TypeError("histogram: expected a range only with a number of bins; the edges are given")
        x = _observed("histogram", input, bins.numel() - 1)
        edges = _checked_edges(bins, x)
    else:
        x = _observed("histogram", input, bins)
        low, high = range if range is not None else (x.min(), x.max()) if x.size else (0.0, 1.0)
        edges = _equal_widths(*_limits("histogram", low, high, 0.5, x.dtype), bins)
    if x.dtype.char not in "fd":
        raise OpError(f"histogram: expected a float32 or float64 tensor, got {x.dtype}; convert it with x.float()")
    if weight is not None and (weight.shape != input.shape or weight.dtype != input.dtype):
        raise OpError(
            f"histogram: expected a weight like the input, {input.dtype} {input.shape}, "
            f"got {weight.dtype} {weight.shape}"
        )
    inside = (x >= edges[0]) & (x <= edges[-1])
    place = np.minimum(np.searchsorted(edges, x[inside], "right") - 1, len(edges) - 2)
    weights = None if weight is None else weight.array.reshape(-1)[inside]
    hist = np.bincount(place, weights, len(edges) - 1).astype(x.dtype)
    if density:
        hist /= hist.sum() * np.diff(edges)
    return Histogram(wrap(hist), wrap(edges))


def _checked_edges(bins: Tensor, x: Array) -> Array:
    if bins.ndim != 1 or bins.dtype != x.dtype or (np.diff(bins.array) < 0).any():
        raise OpError(f"histogram: expected ascending edges of dtype {x.dtype}, got {bins.dtype} {bins.tolist()}")
    return bins.array.copy()


def _equal_widths(first: Any, last: Any, bins: int) -> Array:
    """The edges of `bins` bins, counted from the nearer end as in PyTorch, so that both ends are exact."""
    step = (last - first) / first.dtype.type(bins)
    place = np.arange(bins + 1).astype(first.dtype)
    edges: Array = np.where(place < (bins + 1) // 2, first + step * place, last - step * (bins - place))
    return edges
