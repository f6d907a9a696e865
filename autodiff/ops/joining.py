"""Joining tensors along an axis, and cutting them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.op import VARIADIC, implements
from autodiff.ops.conversion import astype
from autodiff.ops.indexing import narrow, select
from autodiff.ops.shape import positive_axis
from autodiff.recorders import multilinear
from autodiff.tensor import Tensor, wrap


def _cat_rule(g: Any, y: Any, inputs: Sequence[Any], needs: Sequence[bool], axis: int) -> list[Any]:
    pieces, start = [], 0
    for x, need in zip(inputs, needs, strict=True):
        stop = start + x.shape[axis]
        pieces.append(g[(slice(None),) * axis + (slice(start, stop),)] if need else None)
        start = stop
    return pieces


def _stack_rule(g: Any, y: Any, inputs: Sequence[Any], needs: Sequence[bool], axis: int) -> list[Any]:
    return [g[(slice(None),) * axis + (i,)] if need else None for i, need in enumerate(needs)]


_cat = multilinear(
    "cat",
    lambda *inputs, axis: np.concatenate(inputs, axis),
    joint=_cat_rule,
    arity=VARIADIC,
    doc="The tensors one after the other along an axis.",
)
_stack = multilinear(
    "stack",
    lambda *inputs, axis: np.stack(inputs, axis),
    joint=_stack_rule,
    arity=VARIADIC,
    doc="The tensors beside each other along a new axis.",
)


def _alike(name: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    if isinstance(tensors, Tensor) or not len(tensors) or not all(isinstance(x, Tensor) for x in tensors):
        raise TypeError(f"{name}: expected a non-empty list or tuple of Tensors, got {type(tensors).__name__}")
    dtype = dtypes.result_dtype(*(x.array for x in tensors))
    return [astype(x, dtype) for x in tensors]


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along `dim`; their other lengths are equal.

    >>> import autodiff as ad
    >>> ad.cat([ad.tensor([1, 2]), ad.tensor([3])])
    tensor([1, 2, 3])
    """
    same = _alike("cat", tensors)
    # PyTorch's legacy: an empty vector joins anything.
    same = [x for x in same if x.shape != (0,)] or same
    return _cat(*same, axis=positive_axis(dim, same[0].ndim))


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors, all of one shape, beside each other along a new axis `dim`.

    >>> import autodiff as ad
    >>> ad.stack([ad.tensor([1, 2]), ad.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    same = _alike("stack", tensors)
    return _stack(*same, axis=positive_axis(dim, same[0].ndim + 1))


def split(input: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of `split_size` entries along `dim`, the last perhaps shorter; or of the lengths given.

    >>> import autodiff as ad
    >>> ad.split(ad.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    length = input.shape[positive_axis(dim, input.ndim)]
    if isinstance(split_size, int):
        if split_size <= 0:
            raise RuntimeError(f"split: expected a positive split_size, got {split_size}")
        starts = range(0, max(length, 1), split_size)
        return tuple(narrow(input, dim, start, min(split_size, length - start)) for start in starts)
    if sum(split_size) != length or any(n < 0 for n in split_size):
        raise RuntimeError(f"split: expected lengths from 0 that add up to {length}, got {list(split_size)}")
    ends = np.cumsum(split_size).tolist()
    return tuple(narrow(input, dim, end - size, size) for end, size in zip(ends, split_size, strict=True))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal length along `dim`, the last perhaps shorter.

    >>> import autodiff as ad
    >>> [len(piece) for piece in ad.chunk(ad.arange(5), 2)]
    [3, 2]
    """
    if chunks <= 0:
        raise RuntimeError(f"chunk: expected a positive number of chunks, got {chunks}")
    if not input.shape[positive_axis(dim, input.ndim)]:
        return tuple(narrow(input, dim, 0, 0) for _ in range(chunks))
    return split(input, max(-(-input.shape[positive_axis(dim, input.ndim)] // chunks), 1), dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim`, without that axis.

    >>> import autodiff as ad
    >>> ad.unbind(ad.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    return tuple(select(input, dim, i) for i in range(input.shape[positive_axis(dim, input.ndim)]))


@implements(np.concatenate)
def _np_concatenate(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    return cat(_as_tensors(arrays), axis)


@implements(np.stack)
def _np_stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    return stack(_as_tensors(arrays), axis)


def _as_tensors(arrays: Sequence[Any]) -> list[Tensor]:
    return [x if isinstance(x, Tensor) else wrap(np.asarray(x)) for x in arrays]
