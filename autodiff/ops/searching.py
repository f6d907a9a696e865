"""Finding where values belong in sorted sequences. NaN belongs behind all numbers, as `sort` puts it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.op import OpError, describe, implements
from autodiff.tensor import Array, Tensor, wrap

# A binary search of many values at once, without branches, so many that what it needs stays in the cache: a million
# random float32 are found among a million in 50 ms, by NumPy's search for one after the other in 200.
_BLOCK = 1 << 14
_FEW = 256


def _blocks(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    height = max(1, _BLOCK // columns)
    for row in range(0, rows, height):
        for column in range(0, columns, _BLOCK):
            yield slice(row, row + height), slice(column, column + _BLOCK)


def _search(rows: Array, values: Array, right: bool) -> Array:
    """The places for the rows of `values` (m, k) in the sorted rows (m, n)."""
    found = np.zeros(values.shape, np.int64)
    count = rows.shape[1]
    if not count or not values.size:
        return found
    flat, precedes = rows.reshape(-1), np.less_equal if right else np.less
    for block in _blocks(*values.shape):
        at, wanted = found[block], values[block]
        start = np.arange(len(rows))[block[0], None] * count - 1
        step = 1 << (count.bit_length() - 1)
        while step:
            probe = at + step
            # Behind the end nothing precedes: what "clip" reads there does not count.
            at += step * (precedes(flat.take(start + probe, mode="clip"), wanted) & (probe <= count))
            step >>= 1
    if values.dtype.kind == "f" and (values != values).any():
        behind = count if right else (rows == rows).sum(1, keepdims=True)
        found = np.where(values == values, found, behind)
    return found


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The places at which `input`, a tensor or a number, belongs in sequences (..., n) sorted along the last axis.

    They are the first places that keep the order; with `right`, or ``side="right"``, the last ones. `input` has any
    shape if there is one sequence, else (..., k). `sorter` holds the indices that sort the sequences, if they are not.
    OpError for shapes that do not fit, ValueError for another side, TypeError for bools.

    >>> import autodiff as ad
    >>> ad.searchsorted(ad.tensor([1, 3, 3, 5]), ad.tensor([3, 4]))
    tensor([1, 3])
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ValueError(f'searchsorted: expected side "left" or "right" in keeping with right={right}, got {side!r}')
    rows, values = _alike(sorted_sequence, input)
    if rows.ndim != 1 and (not rows.ndim or not values.ndim or values.shape[:-1] != rows.shape[:-1]):
        raise OpError(
            f"searchsorted: expected one sequence (n,) or, alike in all lengths but the last, sequences (..., n) and "
            f"values (..., k), got {rows.shape} and {values.shape}"
        )
    if sorter is not None:
        rows = np.take_along_axis(rows, _checked(sorter, rows), -1)
    right = right or side == "right"
    if rows.ndim == 1 and values.size < _FEW:
        found = np.asarray(rows.searchsorted(values, "right" if right else "left"))
    else:
        count = math.prod(rows.shape[:-1])
        wanted = values.reshape(count, values.size // max(count, 1))
        found = _search(rows.reshape(count, rows.shape[-1]), wanted, right).reshape(values.shape)
    return wrap(found.astype(np.int32) if out_int32 else found)


def _alike(sequence: Tensor, values: Any) -> tuple[Array, Array]:
    """The arrays in their common dtype."""
    rows, wanted = sequence.array, values.array if isinstance(values, Tensor) else values
    if not isinstance(values, Tensor) or wanted.dtype != rows.dtype:
        if not isinstance(values, Tensor | int | float | np.number):
            raise TypeError(f"searchsorted: expected a Tensor or a number, got {describe(values)}; use ad.tensor(...)")
        dtype = dtypes.result_dtype(rows, wanted)
        rows, wanted = rows.astype(dtype, copy=False), np.asarray(wanted, dtype)
    if rows.dtype.kind == "b":
        raise TypeError("searchsorted: expected numbers, got bools; convert them with x.int()")
    return rows, wanted


def _checked(sorter: Tensor, rows: Array) -> Array:
    at = sorter.array
    if at.dtype != np.int64 or at.shape != rows.shape:
        raise OpError(f"searchsorted: expected a sorter of dtype int64 and shape {rows.shape}, got {describe(sorter)}")
    if at.size and not (at.min() >= 0 and at.max() < rows.shape[-1]):
        raise IndexError(
            f"searchsorted: expected a sorter with indices from 0 to {rows.shape[-1] - 1}, got {at.min()} to {at.max()}"
        )
    return at


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The index of the bucket, between sorted `boundaries` (n,), that each value of `input` falls into.

    Bucket i reaches from boundary i - 1, excluded, to boundary i, included; with `right` the other way round.

    >>> import autodiff as ad
    >>> ad.bucketize(ad.tensor([1, 4, 9]), ad.tensor([3, 9]))
    tensor([0, 1, 1])
    """
    if boundaries.ndim != 1:
        raise OpError(f"bucketize: expected boundaries (n,), got shape {boundaries.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@implements(np.searchsorted)
def _np_searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Tensor:
    at = wrap(np.asarray(sorter)) if sorter is not None and not isinstance(sorter, Tensor) else sorter
    sequence = a if isinstance(a, Tensor) else wrap(np.asarray(a))
    return searchsorted(sequence, v if isinstance(v, Tensor) else wrap(np.asarray(v)), side=side, sorter=at)
