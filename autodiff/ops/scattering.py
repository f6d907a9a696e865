"""Tensors with other values at some places: `scatter`, `index_add` and their kin. The input itself stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.op import OpError, describe
from autodiff.ops import places
from autodiff.ops.arithmetic import div, mul
from autodiff.ops.axes import movedim
from autodiff.ops.conversion import astype
from autodiff.ops.indexing import (
    element_index,
    getitem,
    integer_index,
    kept,
    plain_index,
    put_at,
    select,
    unget,
    vector_index,
)
from autodiff.ops.rounding import floor_divide
from autodiff.ops.selection import number_of
from autodiff.ops.shape import positive_axis
from autodiff.tensor import Array, Tensor, wrap

REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")
Index = tuple[Any, ...]


def same_dtype(name: str, input: Tensor, source: Any) -> None:
    """TypeError unless `source` is a Tensor, OpError unless its dtype is that of `input`."""
    if not isinstance(source, Tensor):
        raise TypeError(f"{name}: expected a Tensor to take the values from, got {describe(source)}")
    if source.array.dtype != input.array.dtype:
        raise OpError(
            f"{name}: expected values of the input's dtype {input.dtype}, got {source.dtype}; "
            f"convert them with source.to(input.dtype)"
        )


def element_source(name: str, input: Tensor, dim: int, index: Tensor, src: Any) -> tuple[int, Tensor]:
    """The checked axis, and of `src` the part that the index reaches; a number becomes a 0-d tensor."""
    axis = element_index(name, input, dim, index)
    if isinstance(src, int | float | np.generic):
        return axis, wrap(number_of(name, src, input.array.dtype))
    same_dtype(name, input, src)
    have, need = src.array.shape, index.array.shape
    if have == need or not have:
        return axis, src
    if not index.array.size:
        return axis, wrap(np.zeros(need, src.array.dtype))
    if len(have) != len(need) or any(h < n for h, n in zip(have, need, strict=True)):
        raise OpError(f"{name}: expected a source at least as long as the index {need} in each dimension, got {have}")
    return axis, getitem(src, tuple(slice(n) for n in need))


def slice_source(name: str, input: Tensor, dim: int, index: Tensor, source: Any) -> tuple[int, Array]:
    """The checked axis and vector of places across it, for each of which `source` has a slice."""
    same_dtype(name, input, source)
    axis, at = vector_index(name, input, dim, index)
    shape = input.array.shape
    expected = (*shape[:axis], at.size, *shape[axis + 1 :]) if shape else ()
    if source.array.shape != expected or not (shape or at.size == 1):
        raise OpError(
            f"{name}: expected a source of shape {expected} for {at.size} places along dim {dim} of {shape}, "
            f"got {source.shape}"
        )
    return axis, at


def one_of(name: str, src: Any, value: Any, reduce: str | None) -> Any:
    """The one of `src` and `value` that was given; an error unless it is one, and `reduce` is known."""
    if (src is None) == (value is None):
        raise TypeError(f"{name}: expected either src, a Tensor, or value, a number")
    if reduce not in (None, "add", "multiply"):
        raise OpError(f'{name}: expected reduce to be "add" or "multiply", got {reduce!r}; scatter_reduce has others')
    return value if src is None else src


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """`input` with ``out[index[i][j]][j] = src[i][j]`` for dim 0, and so on; `src` may be a number.

    With `reduce` "add" or "multiply" the values are added or multiplied in. Of several values for one place the last
    remains. OpError for shapes that do not fit, IndexError for places outside.

    >>> import autodiff as ad
    >>> ad.scatter(ad.zeros(2, 2), 1, ad.tensor([[1], [0]]), ad.tensor([[5.0], [6.0]]))
    tensor([[0., 5.],
            [6., 0.]])
    """
    axis, source = element_source("scatter", input, dim, index, one_of("scatter", src, value, reduce))
    if reduce is None:
        return places.scatter(input, index, source, axis=axis)
    each = source.expand(index.shape)
    if reduce == "add":
        return places.scatter_add(input, index, each, axis=axis, shape=input.shape)
    return places.scatter_reduce(input, index, each, axis=axis, reduce="prod")


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`input` with ``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on.

    >>> import autodiff as ad
    >>> ad.scatter_add(ad.zeros(3), 0, ad.tensor([0, 0, 2]), ad.tensor([1.0, 2.0, 3.0]))
    tensor([3., 0., 3.])
    """
    axis, source = tensor_source("scatter_add", input, dim, index, src)
    return places.scatter_add(input, index, source, axis=axis, shape=input.shape)


def tensor_source(name: str, input: Tensor, dim: int, index: Tensor, src: Any) -> tuple[int, Tensor]:
    """As `element_source`, for a Tensor, in the shape of the index."""
    same_dtype(name, input, src)
    axis, source = element_source(name, input, dim, index, src)
    return axis, source if source.shape == index.shape else source.expand(index.shape)


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`input` with the elements of `src` combined where `index` says: by "sum", "prod", "mean", "amax" or "amin".

    Without `include_self` the old values at these places do not count. Elements that tie for the largest or smallest
    share the gradient equally. The mean of integers is rounded down.

    >>> import autodiff as ad
    >>> ad.scatter_reduce(ad.ones(2), 0, ad.tensor([0, 0]), ad.tensor([2.0, 3.0]), "amax")
    tensor([3., 1.])
    """
    axis, source = tensor_source("scatter_reduce", input, dim, index, src)
    return _reduced("scatter_reduce", input, index, source, axis, reduce, include_self)


def _reduced(
    name: str, input: Tensor, index: Tensor, source: Tensor, axis: int, reduce: str, include_self: bool
) -> Tensor:
    kind = input.array.dtype.kind
    if reduce not in REDUCTIONS:
        raise OpError(f"{name}: expected reduce to be one of {', '.join(REDUCTIONS)}, got {reduce!r}")
    if reduce == "mean" and kind == "b":
        raise OpError(f"{name}: expected numbers to take the mean of, got bools; convert them with x.float()")
    if not include_self:
        nothing = np.asarray(_identity(reduce, input.array.dtype), input.array.dtype)
        input = places.scatter(input, index, nothing, axis=axis)
    if reduce in ("prod", "amax", "amin"):
        return places.scatter_reduce(input, index, source, axis=axis, reduce=reduce)
    total = places.scatter_add(input, index, source, axis=axis, shape=input.shape)
    if reduce == "sum":
        return total
    count = wrap(_counts(total.array, index.array, axis, include_self))
    return div(total, count) if kind == "f" else floor_divide(total, count)


def _identity(reduce: str, dtype: Any) -> Any:
    """The number that changes nothing when others are combined with it."""
    if reduce not in ("amax", "amin"):
        return int(reduce == "prod")
    sign = 1 if reduce == "amin" else -1
    if dtype.kind == "f":
        return sign * np.inf
    if dtype.kind == "b":
        return reduce == "amin"
    return np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min


def _counts(total: Array, index: Array, axis: int, include_self: bool) -> Array:
    """How many numbers each of the totals is of, at least 1."""
    count = np.ones(total.shape, total.dtype)
    if not include_self:
        places.set_at(count, index, 0, axis)
    places.add_at(count, index, np.ones(index.shape, total.dtype), axis)
    return count


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """`input` with ``alpha * source`` added to the slices across `dim` that the vector `index` names.

    >>> import autodiff as ad
    >>> ad.index_add(ad.zeros(3), 0, ad.tensor([0, 0, 2]), ad.tensor([1.0, 2.0, 3.0]))
    tensor([3., 0., 3.])
    """
    axis, at = slice_source("index_add", input, dim, index, source)
    source = scaled("index_add", source, alpha)
    return places.index_add(input, wrap(at), source, axis=axis, shape=input.shape) if input.ndim else input + source


def scaled(name: str, source: Tensor, alpha: Any) -> Tensor:
    """``alpha * source`` in the dtype of `source`; OpError where alpha does not fit that dtype."""
    if alpha == 1:
        return source
    product = mul(source, alpha)
    if product.array.dtype != source.array.dtype:
        raise OpError(f"{name}: expected an alpha that fits dtype {source.dtype}, got {alpha!r}")
    return product


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`input` with slices of `source` combined into those across `dim` that `index` names, as by `scatter_reduce`.

    `reduce` is "prod", "mean", "amax" or "amin"; for sums there is `index_add`.

    >>> import autodiff as ad
    >>> ad.index_reduce(ad.ones(2), 0, ad.tensor([0, 0]), ad.tensor([2.0, 3.0]), "prod")
    tensor([6., 1.])
    """
    axis, at = slice_source("index_reduce", input, dim, index, source)
    if reduce == "sum":
        raise OpError('index_reduce: expected reduce to be one of prod, mean, amax, amin, got "sum"; use index_add')
    each = at.reshape(-1, *(1,) * (input.ndim - 1 - axis)) if input.ndim else at.reshape(())
    places_of_all = wrap(np.broadcast_to(each, source.shape))
    return _reduced("index_reduce", input, places_of_all, source, axis, reduce, include_self)


def copied(name: str, input: Tensor, dim: int, index: Tensor, source: Tensor) -> tuple[Index, Tensor]:
    """For `index_copy`: where, and what."""
    if isinstance(source, Tensor) and source.ndim <= 1 and input.ndim <= 1:
        # PyTorch does not tell a single number from a vector of one.
        source = source.reshape((index.numel(),) if input.ndim else ())
    axis, at = slice_source(name, input, dim, index, source)
    return (*(slice(None),) * axis, at) if input.ndim else (...,), source


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`input` with the slices of `source` in place of those across `dim` that the vector `index` names.

    >>> import autodiff as ad
    >>> ad.index_copy(ad.zeros(3), 0, ad.tensor([2, 0]), ad.tensor([1.0, 2.0]))
    tensor([2., 0., 1.])
    """
    at, values = copied("index_copy", input, dim, index, source)
    return put_at(input, values, index=kept(at, input, values))


def filled(name: str, input: Tensor, dim: int, index: Tensor, value: Any) -> tuple[Index, Tensor]:
    """For `index_fill`: where, and what."""
    if isinstance(value, Tensor) and value.ndim:
        raise OpError(f"{name}: expected a number or a 0-d tensor, got {describe(value)}; use index_copy")
    axis = positive_axis(dim, input.ndim)
    at = integer_index(name, index)
    if at.ndim > 1:
        raise IndexError(f"{name}: expected a vector of indices, got shape {at.shape}")
    dtype = input.array.dtype
    number = astype(value, dtype) if isinstance(value, Tensor) else wrap(number_of(name, value, dtype))
    return (*(slice(None),) * axis, at.reshape(-1)) if input.ndim else (...,), number


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """`input` with a number, or a 0-d tensor, in the slices across `dim` that `index`, negative from the end, names.

    >>> import autodiff as ad
    >>> ad.index_fill(ad.zeros(3), 0, ad.tensor([0, -1]), 5)
    tensor([5., 0., 5.])
    """
    at, number = filled("index_fill", input, dim, index, value)
    return put_at(input, number, index=kept(at, input, number))


def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with `values`, which broadcast, at the places named by a tuple of integer tensors or masks.

    With `accumulate` they are added instead, those for the same place all of them.

    >>> import autodiff as ad
    >>> ad.index_put(ad.zeros(2, 2), (ad.tensor([0, 1]), ad.tensor([1, 0])), ad.tensor(5.0))
    tensor([[0., 5.],
            [5., 0.]])
    """
    at = put_places("index_put", input, indices, values)
    return _put(input, values, kept(at, input, values), accumulate)


def put_places(name: str, input: Tensor, indices: Any, values: Any) -> Index:
    """For `index_put`: where."""
    if not isinstance(indices, tuple | list) or not all(isinstance(part, Tensor) for part in indices):
        raise TypeError(f"{name}: expected a tuple of index Tensors, got {describe(indices)}")
    same_dtype(name, input, values)
    return plain_index(tuple(indices))


def _put(input: Tensor, values: Tensor, at: Index, accumulate: bool) -> Tensor:
    if not accumulate:
        return put_at(input, values, index=at)
    shape = np.broadcast_to(0, input.shape)[at].shape
    return input + unget(values.broadcast_to(shape), index=at, shape=input.shape)


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with the elements of `source` at `index`, negative from the end, of the flattened tensor.

    With `accumulate` they are added instead, those for the same place all of them.

    >>> import autodiff as ad
    >>> ad.put(ad.zeros(2, 2), ad.tensor([0, -1]), ad.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    at, values = flat_places("put", input, index, source)
    return _put(input.reshape(-1), values, kept(at, input, values), accumulate).reshape(input.shape)


def flat_places(name: str, input: Tensor, index: Tensor, source: Tensor) -> tuple[Index, Tensor]:
    """For `put`: where in the flattened input, and what."""
    same_dtype(name, input, source)
    at = integer_index(name, index).reshape(-1)
    if at.size != source.numel():
        raise OpError(f"{name}: expected as many values as places, {at.size}, got a source of shape {source.shape}")
    return (at,), source.reshape(-1)


def _put_view(name: str, input: Tensor, src: Tensor, index: Index) -> Tensor:
    """`input` with `src`, which must have exactly its shape, in place of the view at `index`."""
    expected = input.array[index].shape
    if src.shape != expected:
        raise OpError(f"{name}: expected a source of the shape {expected} that it replaces, got {src.shape}")
    return put_at(input, astype(src, input.dtype), index=index)


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """`input` with `src` in place of ``input.select(dim, index)``.

    >>> import autodiff as ad
    >>> ad.select_scatter(ad.zeros(2, 2), ad.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    select(input.detach(), dim, index)
    return _put_view("select_scatter", input, src, (slice(None),) * positive_axis(dim, input.ndim) + (index,))


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """`input` with `src` in place of its entries ``start:end:step`` along `dim`.

    >>> import autodiff as ad
    >>> ad.slice_scatter(ad.zeros(4), ad.ones(2), start=1, end=3)
    tensor([0., 1., 1., 0.])
    """
    if step < 1:
        raise OpError(f"slice_scatter: expected a positive step, got {step}")
    if not input.ndim:
        raise OpError("slice_scatter: expected at least 1 dimension, got a 0-d tensor")
    before = (slice(None),) * positive_axis(dim, input.ndim)
    return _put_view("slice_scatter", input, src, (*before, slice(start, end, step)))


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`input` with `src`, the diagonal as its last axis, in place of a diagonal of the planes of `dim1` and `dim2`.

    >>> import autodiff as ad
    >>> ad.diagonal_scatter(ad.zeros(2, 2), ad.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    first, second = positive_axis(dim1, input.ndim), positive_axis(dim2, input.ndim)
    if first == second:
        raise OpError(f"diagonal_scatter: expected two different dimensions, got {dim1} and {dim2}")
    rows, columns = input.shape[first], input.shape[second]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    index: list[Any] = [slice(None)] * input.ndim
    index[first] = np.arange(length) + max(-offset, 0)
    index[second] = np.arange(length) + max(offset, 0)
    expected = (*(n for d, n in enumerate(input.shape) if d not in (first, second)), length)
    if src.shape != expected:
        raise OpError(f"diagonal_scatter: expected a source of the diagonal's shape {expected}, got {src.shape}")
    # NumPy puts the axis of two index arrays where they stand if they are neighbours, else in front.
    at = min(first, second) if abs(first - second) == 1 else 0
    return put_at(input, astype(movedim(src, -1, at), input.dtype), index=tuple(index))
