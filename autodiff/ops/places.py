"""Reading and writing at places that an integer index names: each op of a pair is the other's derivative.

`gather` and `scatter_add` have an index for every element, along an axis; `index_select` and `index_add` one for every
slice across it. The index is an input, as in PyTorch: writing into it before the backward pass is noticed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from autodiff.op import Recorder
from autodiff.recorders import operation
from autodiff.tensor import Array, as_array, zeros_beside

Shape = tuple[int, ...]

# Positions are computed for this many elements at a time, so that they stay in the cache: over columns of a matrix of
# 1,000,000 numbers gather takes 2.5 ms, in one piece 8.
_BLOCK = 1 << 16
FEW = 1 << 12
# From this length on, adding slices one by one is faster than element by element.
_LONG = 768
_PAIRS: dict[str, Any] = {"f": np.complex64, "d": np.complex128}


def _layout(lengths: Shape, shape: Shape, axis: int) -> tuple[Any, Array]:
    """How far apart neighbours along `axis` stand in the memory of `shape`, and what the places of an index of
    `lengths` add to that by their position along the other axes."""
    origins = np.zeros((1,) * len(lengths), np.int64)
    for d, n in enumerate(lengths):
        if d != axis:
            origins = origins + (np.arange(n) * math.prod(shape[d + 1 :])).reshape(-1, *(1,) * (len(lengths) - d - 1))
    # As a NumPy number the stride turns an index of int32 into one of int64.
    return np.int64(math.prod(shape[axis + 1 :])), origins


_known_layout = lru_cache(maxsize=64)(_layout)


def _positions(index: Array, lengths: Shape, shape: Shape, axis: int) -> Iterator[tuple[Any, Array]]:
    """Where the elements that `index`, which broadcasts to `lengths`, names along `axis` stand in the row-major memory
    of `shape`: part by part, each with the slice of `lengths` that it is."""
    if len(shape) == 1:
        yield ..., index
        return
    size = math.prod(lengths)
    stride, origins = (_known_layout if size <= FEW else _layout)(lengths, shape, axis)
    if size <= _BLOCK:
        yield ..., index * stride + origins
        return
    rows = max(1, _BLOCK * lengths[0] // size)
    for start in range(0, lengths[0], rows):
        part = slice(start, start + rows)
        yield (
            part,
            (index[part] if len(index) > 1 else index) * stride + (origins[part] if len(origins) > 1 else origins),
        )


def numbered(index: Array, shape: Shape, axis: int) -> Array:
    """Where the elements that `index` names along `axis` stand in the row-major memory of `shape`."""
    if len(shape) == 1:
        return index.copy()
    stride, origins = (_known_layout if index.size <= FEW else _layout)(index.shape, shape, axis)
    place: Array = index * stride + origins
    return place


def add_at(out: Array, index: Array, source: Array, axis: int) -> None:
    """Add the elements of `source` into contiguous `out` where `index` says; places named twice get the sum."""
    if out.ndim == 1:
        np.add.at(out, index.reshape(-1), source.reshape(-1))
        return
    flat = out.reshape(-1)
    for part, positions in _positions(index, source.shape, out.shape, axis):
        # Over one axis ufunc.at takes 1 ns an element, over two 10.
        np.add.at(flat, positions.reshape(-1), source[part].reshape(-1))


def set_at(out: Array, index: Array, source: Any, axis: int) -> None:
    """Write the elements of `source`, or one number, into contiguous `out`."""
    flat = out.reshape(-1)
    for part, positions in _positions(index, index.shape, out.shape, axis):
        flat[positions] = source[part] if np.ndim(source) else source


_COMBINE = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def reduce_at(out: Array, index: Array, source: Array, axis: int, reduce: str) -> None:
    """Combine contiguous `out` with the elements of `source`: by "prod", "amax" or "amin"."""
    flat = out.reshape(-1)
    for part, positions in _positions(index, source.shape, out.shape, axis):
        _COMBINE[reduce].at(flat, positions.reshape(-1), source[part].reshape(-1))


def add_slices(out: Array, index: Array, source: Array, axis: int) -> None:
    """Add the slices of `source` across `axis` into those of contiguous `out` that the vector `index` names."""
    after = out.ndim - 1 - axis
    if axis == 0 and source.size >= _LONG * max(len(index), 1):
        for i, row in zip(index.tolist(), source, strict=True):
            np.add(out[i], row, out[i, ...])
        return
    if after and out.shape[-1] % 2 == 0 and out.dtype.char in _PAIRS and source.flags.c_contiguous:
        # Neighbours are added two at a time as one complex number: 10,000 rows of 64 take 0.5 ms, singly 0.9.
        pair = _PAIRS[out.dtype.char]
        out, source = out.view(pair), source.view(pair)
    add_at(out, index.reshape(*(1,) * axis, -1, *(1,) * after), source, axis)


def writable(x: Array, source: Any) -> Array:
    """A row-major copy to write `source` into; complex where a complex step moves the source alone."""
    return as_array(x).astype(np.result_type(x, source), order="C")


def _gather(x: Array, index: Array, axis: int) -> Array:
    if type(x) is not np.ndarray or type(index) is not np.ndarray:
        own = tuple(slice(None if d == axis else n) for d, n in enumerate(index.shape))
        return np.take_along_axis(x[own], index, axis) if index.ndim else x.reshape(())
    if x.ndim == 1:
        return x.take(index)
    flat = x.reshape(-1)
    out = np.empty(index.shape, x.dtype)
    for part, positions in _positions(index, index.shape, x.shape, axis):
        # The index was checked; with "clip" NumPy writes into `out` without a buffer.
        flat.take(positions, None, out[part], "clip")
    return out


def _scatter_add(x: Array | None, index: Array, source: Array, axis: int, shape: Shape) -> Array:
    out = zeros_beside(source, shape) if x is None else writable(x, source)
    add_at(out, index, source, axis)
    return out


def _index_add(x: Array | None, index: Array, source: Array, axis: int, shape: Shape) -> Array:
    out = zeros_beside(source, shape) if x is None else writable(x, source)
    if len(shape) == 1 and type(out) is np.ndarray:
        add_at(out, index, source, axis)
        return out
    at = index.reshape(-1)
    if at.size and at.min() < 0:
        at = np.where(at < 0, at + shape[axis], at)
    add_slices(out, at, source.reshape(*shape[:axis], at.size, *shape[axis + 1 :]), axis)
    return out


def _scatter(x: Array, index: Array, source: Any, axis: int) -> Array:
    out = writable(x, source)
    set_at(out, index, source, axis)
    return out


def _scatter_reduce(x: Array, index: Array, source: Array, axis: int, reduce: str) -> Array:
    out = writable(x, source)
    reduce_at(out, index, source, axis, reduce)
    return out


gather: Recorder = operation(
    "gather",
    _gather,
    vjp=(lambda g, y, x, index, axis: scatter_add.rule(None, index, g, axis=axis, shape=x.shape), None),
    fast=(lambda g, y, x, index, axis: _scatter_add(None, index, g, axis, x.shape), None),
    saves=("index", ""),
    doc="One element along an axis for each element of the index.",
)
scatter_add: Recorder = operation(
    "scatter_add",
    _scatter_add,
    vjp=(
        lambda g, y, x, index, source, axis, shape: g,
        None,
        lambda g, y, x, index, source, axis, shape: gather.rule(g, index, axis=axis),
    ),
    saves=("", "", "index"),
    doc="x, or zeros of a shape, with the elements of the source added where the index says along an axis.",
)
scatter: Recorder = operation(
    "scatter",
    _scatter,
    vjp=(
        lambda g, y, x, index, source, axis: scatter.rule(g, index, 0.0, axis=axis),
        None,
        lambda g, y, x, index, source, axis: gather.rule(g, index, axis=axis),
    ),
    saves="index",
    doc="x with the elements of the source written where the index says along an axis.",
)
index_select: Recorder = operation(
    "index_select",
    lambda x, index, axis: x.take(index, axis),
    vjp=(lambda g, y, x, index, axis: index_add.rule(None, index, g, axis=axis, shape=x.shape), None),
    fast=(lambda g, y, x, index, axis: _index_add(None, index, g, axis, x.shape), None),
    saves=("index", ""),
    doc="The slices across an axis that the index names.",
)
index_add: Recorder = operation(
    "index_add",
    _index_add,
    vjp=(
        lambda g, y, x, index, source, axis, shape: g,
        None,
        lambda g, y, x, index, source, axis, shape: index_select.rule(g, index, axis=axis),
    ),
    saves=("", "", "index"),
    doc="x, or zeros of a shape, with the slices of the source added to those that the index names across an axis.",
)


def _product_of_others(product: Any, member: Any, zeros: Any, total: Any) -> Any:
    """The product of the other members of a group, given that of all that are not 0, and how many are 0.

    `total` is the sum of the members that are 0: it is 0, but depends on them, which a second derivative must see.
    """
    zero = member == 0
    others = zeros - zero * 1.0
    rest = np.where(others == 0, 1.0, np.where(others == 1, total - np.where(zero, member, 0.0), 0.0))
    return product / np.where(zero, 1.0, member) * rest


def _product_rule(g: Any, y: Any, x: Any, index: Any, source: Any, axis: int, of_source: bool) -> Any:
    zero_x, zero_source = x == 0, source == 0
    if not np.any(zero_x) and not np.any(zero_source):
        return gather.rule(g * y, index, axis=axis) / source if of_source else g * y / x
    ones_x, ones_source = np.where(zero_x, 1.0, x), np.where(zero_source, 1.0, source)
    product = scatter_reduce.rule(ones_x, index, ones_source, axis=axis, reduce="prod")
    zeros = scatter_add.rule(zero_x * 1.0, index, zero_source * 1.0, axis=axis, shape=x.shape)
    only_x, only_source = np.where(zero_x, x, 0.0), np.where(zero_source, source, 0.0)
    total = scatter_add.rule(only_x, index, only_source, axis=axis, shape=x.shape)
    if not of_source:
        return g * _product_of_others(product, x, zeros, total)
    product, zeros, total, g = (gather.rule(part, index, axis=axis) for part in (product, zeros, total, g))
    return g * _product_of_others(product, source, zeros, total)


def _extreme_rule(g: Any, y: Any, x: Any, index: Any, source: Any, axis: int, of_source: bool) -> Any:
    """As for amax, elements that tie share the gradient, and a NaN, being the extreme where there is one, keeps it."""
    chosen = (x == y) | (x != x)
    chosen_source = (source == gather.rule(y, index, axis=axis)) | (source != source)
    count = scatter_add.rule(chosen * 1.0, index, chosen_source * 1.0, axis=axis, shape=x.shape)
    if of_source:
        return np.where(chosen_source, gather.rule(g / count, index, axis=axis), 0.0)
    return np.where(chosen, g / count, 0.0)


def _reduce_rule(g: Any, y: Any, x: Any, index: Any, source: Any, axis: int, reduce: str, of_source: bool) -> Any:
    if reduce == "prod":
        return _product_rule(g, y, x, index, source, axis, of_source)
    return _extreme_rule(g, y, x, index, source, axis, of_source)


scatter_reduce: Recorder = operation(
    "scatter_reduce",
    _scatter_reduce,
    vjp=(
        lambda g, y, x, index, source, axis, reduce: _reduce_rule(g, y, x, index, source, axis, reduce, False),
        None,
        lambda g, y, x, index, source, axis, reduce: _reduce_rule(g, y, x, index, source, axis, reduce, True),
    ),
    saves="y x index source",
    analytic=False,
    doc='x combined with the elements of the source where the index says: by "prod", "amax" or "amin".',
)
