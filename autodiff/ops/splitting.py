"""Cutting tensors apart along an axis; the pieces are views."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from autodiff.op import OpError, implements
from autodiff.ops.indexing import get_at, integer_index, slice_along
from autodiff.ops.shape import positive_axis
from autodiff.tensor import Tensor
from autodiff.views import mark

# From so many pieces on the garbage collector pauses.
MANY = 10_000


def _cut(input: Tensor, axis: int, ends: Sequence[int]) -> tuple[Tensor, ...]:
    """The pieces along `axis` that end at `ends`, each beginning where the one before ends."""
    # None of the pieces is garbage yet: to look for some among 100,000 takes as long as to make them, 0.4 s.
    pause = len(ends) >= MANY and gc.isenabled()
    if pause:
        gc.disable()
    try:
        pieces, start = [], 0
        for end in ends:
            pieces.append(slice_along(input, axis=axis, start=start, stop=end))
            start = end
    finally:
        if pause:
            gc.enable()
    return tuple(pieces)


def _cuttable(name: str, input: Tensor, dim: int) -> int:
    if not input.ndim:
        raise OpError(f"{name}: expected at least 1 dimension to cut along, got a 0-d tensor")
    return positive_axis(dim, input.ndim)


def split(input: Tensor, split_size: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of `split_size` entries along `dim`, the last perhaps shorter; or of the lengths given.

    >>> import autodiff as ad
    >>> ad.split(ad.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if not isinstance(split_size, int):
        return _sized("split", input, split_size, dim)
    axis = _cuttable("split", input, dim)
    length = input.shape[axis]
    if split_size < 0 or (split_size == 0 and length):
        raise OpError(f"split: expected a positive split_size, got {split_size}")
    ends = range(split_size, length, split_size) if split_size else ()
    return mark(_cut(input, axis, (*ends, length)), "split")


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the given lengths along `dim`, which add up to its length.

    >>> import autodiff as ad
    >>> ad.split_with_sizes(ad.arange(5), [1, 4])
    (tensor([0]), tensor([1, 2, 3, 4]))
    """
    return _sized("split_with_sizes", input, split_sizes, dim)


def _sized(name: str, input: Tensor, lengths: Sequence[int], dim: int) -> tuple[Tensor, ...]:
    axis = _cuttable(name, input, dim)
    whole = input.shape[axis]
    if not isinstance(lengths, Sequence):
        raise TypeError(f"{name}: expected a list of lengths, got {lengths!r}")
    if sum(lengths) != whole or any(n < 0 for n in lengths):
        raise OpError(f"{name}: expected lengths from 0 that add up to {whole}, got {list(lengths)}")
    return mark(_cut(input, axis, list(accumulate(lengths))), name)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """As many pieces as said, the first of them longer by one where needed; or those between the given indices.

    >>> import autodiff as ad
    >>> ad.tensor_split(ad.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    >>> ad.tensor_split(ad.arange(5), (1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    axis = _cuttable("tensor_split", input, dim)
    length = input.shape[axis]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = integer_index("tensor_split", indices_or_sections).tolist()
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        if count < 1:
            raise OpError(f"tensor_split: expected a positive number of sections, got {count}")
        size, longer = divmod(length, count)
        return _cut(input, axis, [(i + 1) * size + min(i + 1, longer) for i in range(count)])
    cuts = [0, *indices_or_sections, length]
    return tuple(slice_along(input, axis=axis, start=start, stop=end) for start, end in pairwise(cuts))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal length along `dim`, the last perhaps shorter.

    >>> import autodiff as ad
    >>> [len(piece) for piece in ad.chunk(ad.arange(5), 2)]
    [3, 2]
    """
    axis = _cuttable("chunk", input, dim)
    length = input.shape[axis]
    if chunks <= 0:
        raise OpError(f"chunk: expected a positive number of chunks, got {chunks}")
    if not length:
        return _cut(input, axis, [0] * chunks)
    return split(input, -(-length // chunks), axis)


def _evenly(name: str, input: Tensor, indices_or_sections: Any, dim: int) -> tuple[Tensor, ...]:
    if isinstance(indices_or_sections, int):
        length, count = input.shape[dim], indices_or_sections
        if count < 1 or length % count:
            raise OpError(f"{name}: expected a number of sections that divides the length {length}, got {count}")
    return tensor_split(input, indices_or_sections, dim)


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Equal pieces along the first axis of a vector, else along the second; or those between the given indices.

    >>> import autodiff as ad
    >>> ad.hsplit(ad.tensor([[1, 2], [3, 4]]), 2)
    (tensor([[1],
            [3]]), tensor([[2],
            [4]]))
    """
    return _evenly("hsplit", _at_least("hsplit", input, 1), indices_or_sections, 0 if input.ndim == 1 else 1)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Equal pieces along the first axis of a tensor with at least 2; or those between the given indices.

    >>> import autodiff as ad
    >>> ad.vsplit(ad.tensor([[1, 2], [3, 4]]), 2)
    (tensor([[1, 2]]), tensor([[3, 4]]))
    """
    return _evenly("vsplit", _at_least("vsplit", input, 2), indices_or_sections, 0)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Equal pieces along the third axis; or those between the given indices.

    >>> import autodiff as ad
    >>> [piece.shape for piece in ad.dsplit(ad.zeros(2, 2, 4), (1,))]
    [(2, 2, 1), (2, 2, 3)]
    """
    return _evenly("dsplit", _at_least("dsplit", input, 3), indices_or_sections, 2)


def _at_least(name: str, input: Tensor, ndim: int) -> Tensor:
    if input.ndim < ndim:
        raise OpError(f"{name}: expected at least {ndim} dimensions, got shape {input.shape}")
    return input


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along `dim`, without that axis.

    >>> import autodiff as ad
    >>> ad.unbind(ad.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    axis = _cuttable("unbind", input, dim)
    before = (slice(None),) * axis
    return mark(tuple(get_at(input, index=(*before, i)) for i in range(input.shape[axis])), "unbind")


def _from_numpy(ours: Callable[..., tuple[Tensor, ...]]) -> Callable[..., list[Tensor]]:
    return lambda x, indices_or_sections, axis=0: list(ours(x, indices_or_sections, axis))


implements(np.array_split)(_from_numpy(tensor_split))
implements(np.split)(_from_numpy(lambda x, parts, axis: _evenly("split", x, parts, positive_axis(axis, x.ndim))))
