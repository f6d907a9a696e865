"""Reading by index, and the scatter that is its derivative: each of the pair is the other's rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.op import OpError, Recorder
from autodiff.ops.shape import positive_axis
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, wrap

Shape = tuple[int, ...]


def _names_each_place_once(index: Any) -> bool:
    """True for slices, integers and masks; integer arrays may name a place twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(not isinstance(part, np.ndarray) or part.dtype.kind == "b" for part in parts)


def _unget_kernel(g: Array, index: Any, shape: Shape) -> Array:
    """Zeros of `shape` into which `g` is added at `index`; places named twice receive the sum."""
    out = np.zeros(shape, g.dtype)
    if _names_each_place_once(index):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


_get: Recorder = multilinear(
    "getitem",
    lambda x, index: x[index],
    vjp=lambda g, y, x, index: unget.rule(g, index=index, shape=x.shape),
    doc="The elements at an index; a view for slices and integers, a copy for arrays and masks.",
)
unget: Recorder = multilinear(
    "unget",
    _unget_kernel,
    vjp=lambda g, y, x, index, shape: _get.rule(g, index=index),
    doc="Zeros into which the elements are added at an index.",
)


def _plain(part: Any) -> Any:
    if isinstance(part, Tensor):
        part = part.array
    elif isinstance(part, list):
        part = np.asarray([_plain(entry) for entry in part])
    if not isinstance(part, np.ndarray):
        return part
    if part.dtype.kind != "b" and part.dtype not in (np.dtype(np.int64), np.dtype(np.int32)):
        raise IndexError(
            f"expected indices of dtype int64, int32 or bool (a mask), got {part.dtype}; convert them with "
            f"index.long() or index.bool()"
        )
    # A copy: what the user does to the index later must not change where the gradient goes.
    return part.copy() if part.ndim or part.dtype.kind == "b" else part.item()


def plain_index(index: Any) -> tuple[Any, ...]:
    """The index as a tuple, with arrays for the tensors and lists in it."""
    return tuple(_plain(part) for part in index) if isinstance(index, tuple) else (_plain(index),)


def integers_first(index: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, tuple[Any, ...]]:
    """Two indices to apply one after the other where integers stand beside arrays; else None and the index itself.

    An integer selects, as in PyTorch; NumPy would broadcast it with the arrays and could move their axis to the front.
    """
    if not any(type(part) is int for part in index) or not any(isinstance(part, np.ndarray) for part in index):
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
    first, rest = integers_first(plain_index(index))
    return _get(input if first is None else _get(input, index=first), index=rest)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at one index along `dim`, which goes away.

    >>> import autodiff as ad
    >>> ad.select(ad.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    return _get(input, index=(slice(None),) * positive_axis(dim, input.ndim) + (index,))


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` entries from `start`, negative from the end, along `dim`; OpError if they reach beyond it.

    >>> import autodiff as ad
    >>> ad.narrow(ad.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    axis = positive_axis(dim, input.ndim)
    size = input.shape[axis]
    first = start + size if start < 0 else start
    if not 0 <= first <= size or length < 0 or first + length > size:
        raise OpError(f"narrow: expected entries within 0 to {size} of dim {dim}, got {length} from {start}")
    return _get(input, index=(slice(None),) * axis + (slice(first, first + length),))


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries along `dim` that the 1-d integer tensor `index` names.

    >>> import autodiff as ad
    >>> ad.index_select(ad.tensor([10, 20, 30]), 0, ad.tensor([2, 0]))
    tensor([30, 10])
    """
    axis = positive_axis(dim, input.ndim)
    places = index.array.reshape(1) if index.ndim == 0 else index.array
    if places.ndim != 1:
        raise IndexError(f"index_select: expected a vector of indices, got shape {index.shape}")
    _check_places("index_select", places, input, dim)
    if not input.ndim:
        return input.clone()
    return _get(input, index=(slice(None),) * axis + (_plain(places),))


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """``out[i][j] = x[index[i][j]][j]`` for dim 0, and so on: one entry along `dim` for each place of `index`.

    `index` has as many dimensions as `input`, and is no longer than `input` in the others.

    >>> import autodiff as ad
    >>> ad.gather(ad.tensor([[1, 2], [3, 4]]), 1, ad.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    return _get(input, index=_places(input, dim, index))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with shapes that broadcast; over the flattened tensor without `dim`.

    >>> import autodiff as ad
    >>> ad.take_along_dim(ad.tensor([[1, 2], [3, 4]]), ad.tensor([[1], [0]]), 1)
    tensor([[2],
            [3]])
    """
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    if indices.ndim != input.ndim:
        raise OpError(f"take_along_dim: expected indices of {input.ndim} dimensions, got shape {indices.shape}")
    if not input.ndim:
        return gather(input, dim, indices)
    axis = positive_axis(dim, input.ndim)
    at = indices.array
    indices = wrap(np.where(at < 0, at + input.shape[axis], at))
    shape = list(np.broadcast_shapes((*input.shape[:axis], 1, *input.shape[axis + 1 :]), indices.shape))
    return gather(
        input.broadcast_to((*shape[:axis], input.shape[axis], *shape[axis + 1 :])), dim, indices.broadcast_to(shape)
    )


def _check_places(name: str, at: Array, x: Tensor, dim: int) -> None:
    if at.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected an integer index, got {at.dtype}; convert it with index.long()")
    size = x.shape[dim] if x.ndim else 1
    if at.size and (at.min() < 0 or at.max() >= size):
        raise IndexError(
            f"{name}: expected indices from 0 to {size - 1} along dim {dim} of shape {x.shape}, "
            f"got {at.min()} to {at.max()}"
        )


def _places(x: Tensor, dim: int, index: Tensor) -> tuple[Array, ...]:
    axis = positive_axis(dim, x.ndim)
    at = index.array
    if at.ndim != x.ndim:
        raise RuntimeError(f"gather: expected an index of {x.ndim} dimensions like the input, got shape {at.shape}")
    if any(have > limit for d, (have, limit) in enumerate(zip(at.shape, x.shape, strict=True)) if d != axis):
        raise OpError(f"gather: expected an index no longer than {x.shape} except along dim {dim}, got {at.shape}")
    _check_places("gather", at, x, dim)
    places = list(np.ix_(*(np.arange(n) for n in at.shape))) if at.ndim else []
    if places:
        places[axis] = at.copy()
    return tuple(places)
