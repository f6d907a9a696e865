"""Grids, products and combinations of vectors."""

from __future__ import annotations

from itertools import chain, combinations_with_replacement
from itertools import combinations as index_sets
from typing import Any

import numpy as np

from autodiff.op import OpError
from autodiff.ops.indexing import getitem
from autodiff.ops.joining import stack
from autodiff.ops.shape import broadcast, reshape
from autodiff.tensor import Tensor, wrap


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Each vector, or 0-d tensor, expanded along its own axis of their common grid, without a copy.

    With `indexing` "xy" the first two axes are exchanged, as for pictures. OpError for more dimensions, different
    dtypes or another `indexing`.

    >>> import autodiff as ad
    >>> rows, columns = ad.meshgrid(ad.tensor([1, 2]), ad.tensor([3, 4, 5])); rows
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    vectors = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors
    if not vectors or any(x.ndim > 1 or x.dtype != vectors[0].dtype for x in vectors):
        came = ", ".join(f"{x.dtype} {x.shape}" for x in vectors) or "nothing"
        raise OpError(f"meshgrid: expected vectors or 0-d tensors of one dtype, got {came}")
    if indexing not in ("ij", "xy"):
        raise OpError(f"meshgrid: expected indexing 'ij' or 'xy', got {indexing!r}")
    axes = list(range(len(vectors)))
    if indexing == "xy" and len(axes) > 1:
        axes[:2] = 1, 0
    shape = tuple(vectors[axis].numel() for axis in axes)
    return tuple(
        broadcast(reshape(x, (1,) * axis + (-1,) + (1,) * (len(axes) - 1 - axis)), shape=shape)
        for x, axis in zip(vectors, axes, strict=True)
    )


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples with an element of each vector, a row each; a single vector as it is.

    >>> import autodiff as ad
    >>> ad.cartesian_prod(ad.tensor([1, 2]), ad.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    for x in tensors:
        if x.ndim != 1:
            raise OpError(f"cartesian_prod: expected vectors, got shape {x.shape}; flatten() it")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, -1) for grid in meshgrid(*tensors)], dim=1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector in its order, a row each, with repetitions or without.

    >>> import autodiff as ad
    >>> ad.combinations(ad.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1 or r < 0:
        raise OpError(f"combinations: expected a vector and r of at least 0, got shape {input.shape} and r {r}")
    if r == 0:
        return wrap(np.empty(0, input.dtype))
    choose = combinations_with_replacement if with_replacement else index_sets
    places = np.fromiter(chain.from_iterable(choose(range(len(input)), r)), np.int64)
    return getitem(input, places.reshape(-1, r))
