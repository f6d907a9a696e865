"""Joining tensors along an axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.op import VARIADIC, OpError, describe, implements
from autodiff.ops.conversion import astype
from autodiff.ops.shape import positive_axis
from autodiff.recorders import multilinear, operation
from autodiff.tensor import Array, Tensor, as_array, wrap, zeros_beside


def _cat_rule(g: Any, y: Any, inputs: Sequence[Any], needs: Sequence[bool], axis: int) -> list[Any]:
    pieces, start = [], 0
    for x, need in zip(inputs, needs, strict=True):
        stop = start + x.shape[axis]
        pieces.append(g[(slice(None),) * axis + (slice(start, stop),)] if need else None)
        start = stop
    return pieces


def _stack_rule(g: Any, y: Any, inputs: Sequence[Any], needs: Sequence[bool], axis: int) -> list[Any]:
    return [g[(slice(None),) * axis + (i,)] if need else None for i, need in enumerate(needs)]


def _stack_kernel(*inputs: Array, axis: int) -> Array:
    shape = inputs[0].shape
    if any(x.shape != shape for x in inputs):
        raise ValueError("expected tensors of one shape")
    # np.stack takes 2 µs for two small arrays, this 1.
    wide = (*shape[:axis], 1, *shape[axis:])
    return np.concatenate([x.reshape(wide) for x in inputs], axis)


_cat = multilinear(
    "cat",
    lambda *inputs, axis: np.concatenate(inputs, axis),
    joint=_cat_rule,
    arity=VARIADIC,
    doc="The tensors one after the other along an axis.",
)
_stack = multilinear(
    "stack",
    _stack_kernel,
    joint=_stack_rule,
    arity=VARIADIC,
    doc="The tensors beside each other along a new axis.",
)


def _corners(shapes: Iterable[tuple[int, ...]]) -> Iterator[tuple[slice, slice]]:
    """Where matrices of these shapes stand when each begins below and right of the one before."""
    top = left = 0
    for height, width in shapes:
        yield slice(top, top + height), slice(left, left + width)
        top, left = top + height, left + width


def _block_diag_kernel(*inputs: Array) -> Array:
    shape = sum(x.shape[0] for x in inputs), sum(x.shape[1] for x in inputs)
    out = zeros_beside(inputs[0], shape, np.result_type(*inputs))
    for x, corner in zip(inputs, _corners(x.shape for x in inputs), strict=True):
        out[corner] = x
    return out


def _block_diag_rule(g: Any, y: Any, inputs: Sequence[Any], needs: Sequence[bool]) -> list[Any]:
    corners = _corners([x.shape for x in inputs])
    return [g[corner] if need else None for need, corner in zip(needs, corners, strict=True)]


_block_diag = operation(
    "block_diag",
    _block_diag_kernel,
    joint=_block_diag_rule,
    arity=VARIADIC,
    doc="Matrices along the diagonal of one that is 0 elsewhere.",
)


def _checked(name: str, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    if not isinstance(tensors, list | tuple) or not tensors:
        raise TypeError(f"{name}: expected a non-empty list or tuple of Tensors, got {describe(tensors)}")
    for x in tensors:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: expected only Tensors to join, got {describe(x)}")
    return tensors


def _alike(name: str, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """The tensors in their common dtype."""
    if len({x.array.dtype for x in _checked(name, tensors)}) == 1:
        return tensors
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
    same = [x for x in same if x.array.shape != (0,)] or same
    return _cat(*same, axis=positive_axis(dim, same[0].array.ndim))


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


def _at_least_1d(x: Tensor) -> Tensor:
    return x if x.ndim else x.reshape(1)


def _at_least_2d(x: Tensor) -> Tensor:
    return x if x.ndim > 1 else x.reshape(1, -1)


def _at_least_3d(x: Tensor) -> Tensor:
    return x if x.ndim > 2 else _at_least_2d(x).unsqueeze(-1)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side: along the first axis of vectors, else along the second.

    >>> import autodiff as ad
    >>> ad.hstack((ad.tensor([[1], [2]]), ad.tensor([[3], [4]])))
    tensor([[1, 3],
            [2, 4]])
    """
    grown = [_at_least_1d(x) for x in _checked("hstack", tensors)]
    return cat(grown, 0 if grown[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors one below the other, a vector being a row.

    >>> import autodiff as ad
    >>> ad.vstack((ad.tensor([1, 2]), ad.tensor([3, 4])))
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([_at_least_2d(x) for x in _checked("vstack", tensors)], 0)


row_stack = vstack


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors one behind the other, along the third axis, a vector of n being (1, n, 1).

    >>> import autodiff as ad
    >>> ad.dstack((ad.tensor([1, 2]), ad.tensor([3, 4])))
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat([_at_least_3d(x) for x in _checked("dstack", tensors)], 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side, a vector being a column.

    >>> import autodiff as ad
    >>> ad.column_stack((ad.tensor([1, 2]), ad.tensor([3, 4])))
    tensor([[1, 3],
            [2, 4]])
    """
    return hstack([x if x.ndim > 1 else x.reshape(-1, 1) for x in _checked("column_stack", tensors)])


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given matrices along its diagonal and zeros elsewhere; a vector is a row.

    >>> import autodiff as ad
    >>> ad.block_diag(ad.tensor([[1, 2]]), ad.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    if not tensors:
        return wrap(np.zeros((1, 0), dtypes.get_default_dtype()))
    for x in _checked("block_diag", tensors):
        if x.ndim > 2:
            raise OpError(f"block_diag: expected tensors of at most 2 dimensions, got shape {x.shape}")
    return _block_diag(*(_at_least_2d(x) for x in _alike("block_diag", tensors)))


def _as_tensors(arrays: Sequence[Any]) -> list[Tensor]:
    return [x if isinstance(x, Tensor) else wrap(as_array(x)) for x in arrays]


@implements(np.concatenate)
def _np_concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Tensor:
    tensors = _as_tensors(arrays)
    return cat(tensors, axis) if axis is not None else cat([x.reshape(-1) for x in tensors])


@implements(np.stack)
def _np_stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    return stack(_as_tensors(arrays), axis)


implements(np.hstack)(lambda arrays: hstack(_as_tensors(arrays)))
implements(np.vstack)(lambda arrays: vstack(_as_tensors(arrays)))
implements(np.dstack)(lambda arrays: dstack(_as_tensors(arrays)))
implements(np.column_stack)(lambda arrays: column_stack(_as_tensors(arrays)))
