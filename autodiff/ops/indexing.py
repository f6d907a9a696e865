"""Reading by index: ``x[...]``, `gather` and their kin."""

from __future__ import annotations

from sys import getprofile
from typing import Any

import numpy as np

from autodiff.op import OPS, OpError, Recorder, describe, implements
from autodiff.ops import places
from autodiff.ops.selection import masked_select
from autodiff.ops.shape import positive_axis, unsqueeze
from autodiff.recorders import multilinear, operation
from autodiff.tensor import Array, Tensor, as_array, wrap, zeros_beside
from autodiff.views import track

Shape = tuple[int, ...]
# What type(part) is of an index that NumPy takes as it is, in the sense that PyTorch gives it.
_BASIC = frozenset((int, slice, type(None), type(...)))
_UNSIGNED: dict[int, Any] = {4: np.uint32, 8: np.uint64}


def _names_each_place_once(index: Any) -> bool:
    """True for slices, integers and masks; integer arrays may name a place twice."""
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, np.ndarray) and part.dtype.kind != "b":
            return False
    return True


def _unget_kernel(g: Array, index: Any, shape: Shape) -> Array:
    """Zeros of `shape` into which `g` is added at `index`; places named twice receive the sum."""
    out = zeros_beside(g, shape)
    if _names_each_place_once(index):
        out[index] = g
    else:
        _unget_into(out, g, index)
    return out


def _unget_into(total: Array, g: Array, index: Any) -> None:
    """Add `g` into `total` at `index`."""
    if _names_each_place_once(index):
        total[index] += g
    elif g.size * 8 < total.size or not total.flags.c_contiguous:
        np.add.at(total, index, g)
    else:
        # Over one axis ufunc.at takes 1 ns an element, over several 10; numbering all places takes another.
        positions = np.arange(total.size).reshape(total.shape)[index]
        np.add.at(total.reshape(-1), positions.reshape(-1), g.reshape(-1))


def _stretch(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, stop),)


def _slice_into(total: Array, g: Array, axis: int, start: int, stop: int) -> None:
    total[_stretch(axis, start, stop)] += g


def _index_put_kernel(x: Array, values: Any, index: Any) -> Array:
    out = places.writable(x, values)
    out[index] = values
    return out


def _getitem_kernel(x: Array, index: Any) -> Any:
    y = x[index]
    # NumPy makes a number of a single element; with the ellipsis it stays a view.
    return x[(*index, ...) if type(index) is tuple else (index, ...)] if isinstance(y, np.generic) else y


get_at: Recorder = multilinear(
    "getitem",
    _getitem_kernel,
    vjp=lambda g, y, x, index: unget.rule(g, index=index, shape=x.shape),
    fast=lambda g, y, x, index: _unget_kernel(g, index, x.shape),
    into=_unget_into,
    view=True,
    doc="The elements at an index; a view for slices and integers, a copy for arrays and masks.",
)
# What `getitem` could do too. Three numbers as params are nothing for the garbage collector to look at, which takes
# half of the time of a split into 100,000 pieces if it looks at a tuple of slices for each.
slice_along: Recorder = multilinear(
    "slice",
    lambda x, axis, start, stop: x[_stretch(axis, start, stop)] if axis else x[start:stop],
    vjp=lambda g, y, x, axis, start, stop: unget.rule(g, index=_stretch(axis, start, stop), shape=x.shape),
    fast=lambda g, y, x, axis, start, stop: _unget_kernel(g, _stretch(axis, start, stop), x.shape),
    into=_slice_into,
    view=True,
    doc="The entries from start to stop along an axis.",
)
unget: Recorder = multilinear(
    "unget",
    _unget_kernel,
    vjp=lambda g, y, x, index, shape: get_at.rule(g, index=index),
    doc="Zeros into which the elements are added at an index.",
)
put_at: Recorder = operation(
    "index_put",
    _index_put_kernel,
    vjp=(
        lambda g, y, x, values, index: put_at.rule(g, 0.0, index=index),
        lambda g, y, x, values, index: get_at.rule(g, index=index),
    ),
    doc="x with values, which broadcast, written at an index.",
)


def _counts(index: Array) -> bool:
    """Whether the dtype is one that indices may have: int64 or int32."""
    return index.dtype.kind == "i" and index.dtype.itemsize in _UNSIGNED


def _plain(part: Any) -> Any:
    if isinstance(part, Tensor):
        part = part.array
    elif isinstance(part, list | range):
        part = np.asarray([_plain(entry) for entry in part], None if len(part) else np.int64)
    if not isinstance(part, np.ndarray):
        return part
    if part.dtype.kind != "b" and not _counts(part):
        raise IndexError(
            f"expected indices of dtype int64, int32 or bool (a mask), got {part.dtype}; convert them with "
            f"index.long() or index.bool()"
        )
    return part if part.ndim or part.dtype.kind == "b" else part.item()


def plain_index(index: Any) -> tuple[Any, ...]:
    """The index as a tuple, with arrays for the tensors and lists in it."""
    return tuple(map(_plain, index)) if isinstance(index, tuple) else (_plain(index),)


def integers_first(index: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, tuple[Any, ...]]:
    """Two indices to apply one after the other where integers stand beside arrays; else None and the index itself.

    An integer selects, as in PyTorch; NumPy would broadcast it with the arrays and could move their axis to the front.
    """
    kinds = {type(part) for part in index}
    if int not in kinds or np.ndarray not in kinds:
        return None, index
    first: list[Any] = []
    for part in index:
        if type(part) is int or part is Ellipsis:
            first.append(part)
        elif part is not None:
            axes = part.ndim if isinstance(part, np.ndarray) and part.dtype.kind == "b" else 1
            first += [slice(None)] * axes
    return tuple(first), tuple(part for part in index if type(part) is not int)


def getitem(input: Tensor, index: Any) -> Tensor:
    """``x[index]`` for integers, slices, None, ..., integer arrays, masks and mixtures of them.

    >>> import autodiff as ad
    >>> ad.tensor([[1, 2], [3, 4]])[:, 1]
    tensor([2, 4])
    """
    array = input.array
    if type(index) is int and input.node is None and type(array) is np.ndarray and array.ndim:
        # An example of a data set: without the recorder, which `inspect` watches by a profiler, half of the time.
        if -len(array) <= index < len(array) and getprofile() is None:
            row = wrap(array[index, ...])
            track(row, input, OPS["getitem"], {"index": (index,)})
            return row
    elif index is None:
        # The gradient is a view: of a million numbers it takes no time, and 0.1 ms by way of zeros.
        return unsqueeze(input, 0)
    parts = index if type(index) is tuple else (index,)
    for part in parts:
        if type(part) not in _BASIC:
            break
    else:
        return get_at(input, index=parts)
    first, rest = integers_first(plain_index(index))
    if first is not None:
        input = get_at(input, index=first)
    *before, last = rest
    if isinstance(last, np.ndarray) and all(type(part) is slice and part == slice(None) for part in before):
        if last.dtype.kind == "i" and len(rest) <= input.ndim:
            (last,) = kept((last,), input)
            return places.index_select(input, wrap(last), axis=len(before))
        if last.shape == input.shape and last.ndim:
            return masked_select(input, wrap(last))
    return get_at(input, index=kept(rest, input))


def kept(index: tuple[Any, ...], *inputs: Tensor) -> tuple[Any, ...]:
    """The index as a graph may keep it: what the user does to it later must not change where the gradient goes."""
    if all(x.node is None for x in inputs):
        return index
    return tuple(part.copy() if isinstance(part, np.ndarray) else part for part in index)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at one index along `dim`, which goes away.

    >>> import autodiff as ad
    >>> ad.select(ad.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    return get_at(input, index=(slice(None),) * positive_axis(dim, input.ndim) + (_plain(index),))


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` entries from `start`, negative from the end, along `dim`; OpError if they reach beyond it.

    >>> import autodiff as ad
    >>> ad.narrow(ad.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    axis = positive_axis(dim, input.ndim)
    size = input.shape[axis]
    start = _plain(start)
    first = start + size if start < 0 else start
    if not 0 <= first <= size or length < 0 or first + length > size:
        raise OpError(f"narrow: expected entries within 0 to {size} of dim {dim}, got {length} from {start}")
    return slice_along(input, axis=axis, start=first, stop=first + length)


def integer_index(name: str, index: Any) -> Array:
    """The array of an index tensor; TypeError unless its dtype is int64 or int32."""
    if not isinstance(index, Tensor):
        raise TypeError(f"{name}: expected an index Tensor, got {describe(index)}; make one with ad.tensor(...)")
    if not _counts(index.array):
        raise TypeError(
            f"{name}: expected an integer index, int64 or int32, got {index.dtype}; convert it with index.long()"
        )
    return index.array


def _check_range(name: str, at: Array, input: Tensor, axis: int) -> None:
    shape = input.array.shape
    size = shape[axis] if shape else 1
    # As an unsigned number a negative one is larger than any length: one pass in place of two.
    if np.maximum.reduce(at.view(_UNSIGNED[at.itemsize]), axis=None, initial=0) >= size and at.size:
        raise IndexError(
            f"{name}: expected indices from 0 to {size - 1} along dim {axis} of shape {shape}, "
            f"got {at.min()} to {at.max()}"
        )


def vector_index(name: str, input: Tensor, dim: int, index: Any) -> tuple[int, Array]:
    """The axis, and the checked 1-d index of slices across it; a 0-d index names one."""
    axis = positive_axis(dim, input.array.ndim)
    at = integer_index(name, index)
    if at.ndim != 1:
        if at.ndim:
            raise IndexError(f"{name}: expected a vector of indices, got shape {index.shape}")
        at = at.reshape(1)
    _check_range(name, at, input, axis)
    return axis, at


def element_index(name: str, input: Tensor, dim: int, index: Any) -> int:
    """The axis, once `index` is known to name elements along it and to be no longer than `input` in the others."""
    have, limit = integer_index(name, index).shape, input.array.shape
    axis = positive_axis(dim, len(limit))
    if len(have) != len(limit):
        raise OpError(f"{name}: expected an index of {len(limit)} dimensions like the input, got shape {have}")
    longer = have != limit and any(n > m and d != axis for d, (n, m) in enumerate(zip(have, limit, strict=True)))
    if longer and index.array.size:
        raise OpError(f"{name}: expected an index no longer than {limit} except in dim {dim}, got {have}")
    _check_range(name, index.array, input, axis)
    return axis


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries along `dim` that the 1-d integer tensor `index` names.

    >>> import autodiff as ad
    >>> ad.index_select(ad.tensor([10, 20, 30]), 0, ad.tensor([2, 0]))
    tensor([30, 10])
    """
    axis, at = vector_index("index_select", input, dim, index)
    return places.index_select(input, wrap(at), axis=axis) if input.ndim else input.clone()


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """``out[i][j] = x[index[i][j]][j]`` for dim 0, and so on: one entry along `dim` for each place of `index`.

    `index` has as many dimensions as `input`, and is no longer than `input` in the others.

    >>> import autodiff as ad
    >>> ad.gather(ad.tensor([[1, 2], [3, 4]]), 1, ad.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    return places.gather(input, index, axis=element_index("gather", input, dim, index))


def _from_front(at: Array, size: int) -> Tensor:
    """The index tensor with negative entries counted from the front."""
    return wrap(np.where(at < 0, at + size, at)) if at.size and at.min() < 0 else wrap(at)


def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at `index`, negative from the end, of the flattened tensor, in the shape of `index`.

    >>> import autodiff as ad
    >>> ad.take(ad.tensor([[1, 2], [3, 4]]), ad.tensor([0, -1]))
    tensor([1, 4])
    """
    at = integer_index("take", index)
    try:
        return places.index_select(input if input.ndim == 1 else input.reshape(-1), index, axis=0)
    except IndexError as error:
        count = input.array.size
        raise IndexError(
            f"take: expected indices from {-count} to {count - 1} into the elements of shape {input.shape}, "
            f"got {at.min()} to {at.max()}"
        ) from error


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with shapes that broadcast and negative indices; over the flattened tensor without `dim`.

    >>> import autodiff as ad
    >>> ad.take_along_dim(ad.tensor([[1, 2], [3, 4]]), ad.tensor([[1], [0]]), 1)
    tensor([[2],
            [3]])
    """
    at = integer_index("take_along_dim", indices)
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    if at.ndim != input.ndim:
        raise OpError(f"take_along_dim: expected indices of {input.ndim} dimensions, got shape {at.shape}")
    if not input.ndim:
        return gather(input, dim, indices)
    axis = positive_axis(dim, input.ndim)
    indices = _from_front(at, input.shape[axis])
    others = (*input.shape[:axis], 1, *input.shape[axis + 1 :])
    if at.shape[:axis] != others[:axis] or at.shape[axis + 1 :] != others[axis + 1 :]:
        shape = np.broadcast_shapes(others, at.shape)
        indices = indices.broadcast_to(shape)
        input = input.broadcast_to((*shape[:axis], input.shape[axis], *shape[axis + 1 :]))
    return gather(input, axis, indices)


def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not 0, a row each.

    >>> import autodiff as ad
    >>> ad.argwhere(ad.tensor([[0, 3], [4, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return wrap(np.argwhere(input.array))


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Where the elements with these places in a flattened tensor of `shape` stand, an index for each dimension.

    OpError for indices that are no integers or outside the shape.

    >>> import autodiff as ad
    >>> ad.unravel_index(ad.tensor(5), (2, 3))
    (tensor(1), tensor(2))
    """
    lengths = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if indices.dtype.kind not in "iu":
        raise OpError(f"unravel_index expected integers, got {describe(indices)}; convert them with indices.long()")
    try:
        found = np.unravel_index(indices.array, lengths)
    except ValueError as error:
        raise OpError(f"unravel_index expected places in shape {lengths}, from 0 on; {error}") from error
    return tuple(wrap(as_array(at, np.int64)) for at in found)


@implements(np.take)
def _np_take(x: Tensor, indices: Any, axis: int | None = None) -> Tensor:
    at = wrap(as_array(indices)) if not isinstance(indices, Tensor) else indices
    return take(x, at) if axis is None else getitem(x, (slice(None),) * positive_axis(axis, x.ndim) + (at,))


@implements(np.take_along_axis)
def _np_take_along_axis(x: Tensor, indices: Any, axis: int | None = -1) -> Tensor:
    return take_along_dim(x, wrap(as_array(indices)) if not isinstance(indices, Tensor) else indices, axis)
