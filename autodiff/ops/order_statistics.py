"""Medians, quantiles and the mode: what stands at a rank when the entries are sorted, NaN last."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.op import OpError
from autodiff.ops.choice import axis_with_entries, choose, no_keepdim
from autodiff.ops.extrema import shared
from autodiff.ops.interpolation import lerp
from autodiff.ops.places import gather
from autodiff.ops.reduction import ValuesIndices, add_reduce, numpy_names
from autodiff.ops.selection import where
from autodiff.ops.shape import positive_axis
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, wrap

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _lower_median(x: Array, ignore_nan: bool) -> Array:
    """The entry at rank ⌊(n - 1) / 2⌋ along the last axis, which stays; NaN if there is one that is not ignored."""
    n = x.shape[-1]
    middle = (n - 1) // 2
    unknown = np.isnan(x)
    if unknown.any():
        missing = add_reduce(unknown, -1, np.int64, None, True)
        rank = np.maximum(n - missing - 1, 0) // 2 if ignore_nan else np.where(missing > 0, n - 1, middle)
        found: Array = np.take_along_axis(np.sort(x, -1), rank, -1)
    else:
        found = np.partition(x, middle, -1)[..., middle : middle + 1]
    return found


def _median_of_all(x: Array, ignore_nan: bool) -> Array:
    if not x.size and x.dtype.kind != "f":
        raise OpError("expected at least one integer, since no integer says that there is none; use floats for NaN")
    return _lower_median(x.reshape(-1), ignore_nan)[0] if x.size else np.array(np.nan, x.dtype)


_median = operation(
    "median",
    lambda x: _median_of_all(x, False),
    vjp=lambda g, y, x: shared(g, np.where(y == y, x == y, x != x), tuple(range(x.ndim)), False),
    saves="x y",
    analytic=False,
    doc="The lower median; elements that equal it share the gradient equally.",
)
_nanmedian = operation(
    "nanmedian",
    lambda x: _median_of_all(x, True),
    vjp=lambda g, y, x: shared(g, np.where(y == y, x == y, x != x), tuple(range(x.ndim)), False),
    saves="x y",
    analytic=False,
    doc="The lower median of what is not NaN; elements that equal it share the gradient equally.",
)


@numpy_names
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of all elements, the lower of two; with `dim`, those along it and the indices where they first stand.

    NaN where there is one, and of no elements; OpError of no integers, TypeError for bools.

    >>> import autodiff as ad
    >>> ad.median(ad.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    return _median_along("median", input, dim, keepdim)


@numpy_names
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """`median` of what is not NaN; NaN where there is nothing else.

    >>> import autodiff as ad
    >>> ad.nanmedian(ad.tensor([4.0, float("nan"), 3.0, 2.0]))
    tensor(3.)
    """
    return _median_along("nanmedian", input, dim, keepdim)


def _median_along(name: str, x: Tensor, dim: int | None, keepdim: bool) -> Any:
    if x.array.dtype.kind == "b":
        raise TypeError(f"{name}: expected numbers, got bools; convert them with x.int()")
    ignore_nan = name == "nanmedian"
    if dim is None:
        no_keepdim(name, keepdim)
        return (_nanmedian if ignore_nan else _median)(x)
    axis = axis_with_entries(name, x, dim)
    return _chosen(x, axis, keepdim, lambda rows: _lower_median(rows, ignore_nan))


def _chosen(x: Tensor, axis: int, keepdim: bool, values: Any, last: bool = False) -> ValuesIndices:
    """The entries that equal ``values(rows)``, at the first or last index along `axis` where they stand."""
    rows = x.array.swapaxes(axis, -1) if x.ndim else x.array.reshape(1)
    found = values(rows)
    equal = rows == found
    if rows.dtype.kind == "f":
        unknown = np.isnan(found)
        if unknown.any():
            equal |= unknown & np.isnan(rows)
    index = rows.shape[-1] - 1 - equal[..., ::-1].argmax(-1, keepdims=True) if last else equal.argmax(-1, keepdims=True)
    if not x.ndim:
        return choose(x, index.reshape(()), found.reshape(()), axis, keepdim)
    return choose(x, index.swapaxes(axis, -1), found.swapaxes(axis, -1), axis, keepdim)


@numpy_names
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent value along `dim`, the smallest of several, and the last index where it stands.

    A NaN equals nothing, not even another.

    >>> import autodiff as ad
    >>> ad.mode(ad.tensor([3, 1, 3, 2, 1]))
    ValuesIndices(values=tensor(1), indices=tensor(4))
    """
    axis = axis_with_entries("mode", input, dim)
    return _chosen(input, axis, keepdim, _most_frequent, last=True)


def _most_frequent(rows: Array) -> Array:
    ordered = np.sort(rows, -1)
    place = np.arange(rows.shape[-1])
    begins = np.ones_like(ordered, bool)
    np.not_equal(ordered[..., 1:], ordered[..., :-1], out=begins[..., 1:])
    # How many equal entries stand before each; the first maximum ends the longest run of the smallest value.
    before = place - np.maximum.accumulate(np.where(begins, place, 0), -1)
    found: Array = np.take_along_axis(ordered, before.argmax(-1, keepdims=True), -1)
    return found


@numpy_names
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The values at the fractions `q` (0 to 1, a number or a vector) of the ranks 0 to n - 1, of all or along `dim`.

    A vector gives a new first dimension. Between two ranks `interpolation` is "linear", takes the "lower", "higher" or
    "nearest" of them, or the "midpoint". NaN where there is one. OpError for integers, and for a `q` out of range.

    >>> import autodiff as ad
    >>> ad.quantile(ad.tensor([1.0, 2.0, 4.0]), ad.tensor([0.5, 0.75]))
    tensor([2., 3.])
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@numpy_names
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """`quantile` of what is not NaN; NaN where there is nothing else.

    >>> import autodiff as ad
    >>> ad.nanquantile(ad.tensor([1.0, float("nan"), 4.0]), 0.5)
    tensor(2.5000)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


def _quantile(name: str, x: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str) -> Tensor:
    fractions, single = _fractions(name, x, q, interpolation)
    axis = 0 if dim is None else positive_axis(dim, x.ndim)
    rows = x if x.ndim == 1 else x.reshape(-1) if dim is None or not x.ndim else x.movedim(axis, -1)
    # Ranks are computed in the dtype of the input, as in PyTorch: in float32 0.3 * 10 is a little more than 3.
    reach: Any = float(rows.shape[-1] - 1)
    spoilt: Any = False
    unknown = np.isnan(rows.array)
    if unknown.any():
        missing = add_reduce(unknown, -1, np.int64, None, True)
        if name == "quantile":
            spoilt = missing > 0
        else:
            reach = wrap(np.maximum(reach - missing, 0.0).astype(x.dtype))
    ranks = fractions * reach
    at = ranks.array
    if rows.ndim > 1 or spoilt is not False:
        # A NaN, which is sorted to the end, is the quantile where there is one.
        at = np.where(spoilt, at.dtype.type(rows.shape[-1] - 1), np.broadcast_to(at, (*rows.shape[:-1], at.shape[-1])))
    out = _between(rows, at, ranks, spoilt, interpolation, single)
    if not single:
        out = out.movedim(-1, 0)
    if not keepdim:
        return out
    kept = (1,) * x.ndim if dim is None else tuple(1 if i == axis else n for i, n in enumerate(x.shape))
    return out.reshape(kept if single else (*fractions.shape, *kept))


def _fractions(name: str, x: Tensor, q: Any, interpolation: str) -> tuple[Tensor, bool]:
    """`q` as a vector of the input's dtype, and whether it was a single number; the arguments are checked."""
    if x.array.dtype.char not in "fd":
        raise OpError(f"{name}: expected a float32 or float64 tensor, got {x.dtype}; convert it with x.float()")
    if not x.array.size:
        raise OpError(f"{name}: expected at least one element, got shape {x.shape}")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"{name}: expected an interpolation among {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    if isinstance(q, Tensor):
        if q.dtype != x.dtype or q.ndim > 1:
            raise OpError(f"{name}: expected q as a number or a vector of dtype {x.dtype}, got {q.dtype} {q.shape}")
        fractions = q if q.ndim else q.reshape(-1)
        inside = bool(((q.array >= 0) & (q.array <= 1)).all())
    elif isinstance(q, int | float):
        fractions, inside = wrap(np.array([q], x.dtype)), 0 <= q <= 1
    else:
        raise TypeError(f"{name}: expected q as a number or a tensor, got {type(q).__name__}; use ad.tensor(q)")
    if not inside:
        raise OpError(f"{name}: expected q from 0 to 1, got {q.tolist() if isinstance(q, Tensor) else q}")
    return fractions, not isinstance(q, Tensor) or not q.ndim


def _between(rows: Tensor, at: Array, ranks: Tensor, spoilt: Any, interpolation: str, single: bool) -> Tensor:
    """The sorted `rows` at the ranks `at`, interpolated; `ranks` carries the gradient of the fractions.

    Along a last axis, which is left out for a `single` rank.
    """
    rounded: Any = {"higher": np.ceil, "nearest": np.rint}.get(interpolation, np.floor)
    low = rounded(at)
    first: Any = 0 if single else slice(low.shape[-1])
    second: Any = 1 if single else slice(low.shape[-1], None)
    if interpolation not in ("linear", "midpoint"):
        return _at_ranks(rows, low.astype(np.int64))[..., first]
    both = _at_ranks(rows, np.concatenate([low, np.ceil(at)], -1).astype(np.int64))
    weight: Any = 0.5
    if interpolation == "linear" and ranks.node is None:
        weight = wrap((at - low)[..., first])
    elif interpolation == "linear":
        weight = ranks - wrap(low)
        if spoilt is not False:
            weight = where(wrap(spoilt), 0.0, weight)
        weight = weight[..., first]
    return lerp(both[..., first], both[..., second], weight)


def _at_ranks(rows: Tensor, at: Array) -> Tensor:
    """The entries of the sorted `rows` at ranks; of equal entries the first has the lowest rank."""
    if rows.requires_grad:
        order = np.argsort(rows.array, -1, kind="stable")
        index = order[at] if at.ndim == 1 else np.take_along_axis(order, at, -1)
        return gather(rows, wrap(index), axis=rows.ndim - 1)
    first = at[(0,) * (at.ndim - 1)]
    same = type(at) is np.ndarray and (at.ndim == 1 or (at == first).all())
    ordered = np.partition(rows.array, first, -1) if same else np.sort(rows.array, -1)
    return wrap(np.take_along_axis(ordered, at, -1))
