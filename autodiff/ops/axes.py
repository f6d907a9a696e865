"""Axes in another order: views, as in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.op import OpError, implements
from autodiff.ops.shape import positive_axis, sizes
from autodiff.recorders import multilinear
from autodiff.tensor import Tensor

_permute = multilinear(
    "permute",
    lambda x, axes: x.transpose(axes),
    vjp=lambda g, y, x, axes: np.transpose(g, sorted(range(len(axes)), key=axes.__getitem__)),
    view=True,
    doc="The axes in another order.",
)


def permute(input: Tensor, *axes: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The axes in the order given.

    >>> import autodiff as ad
    >>> ad.permute(ad.zeros(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    wanted = sizes(axes, dims)
    order = tuple(positive_axis(dim, input.ndim) for dim in wanted)
    if sorted(order) != list(range(input.ndim)):
        raise OpError(f"permute: expected each of {input.ndim} axes once, got {wanted}")
    return _permute(input, axes=order)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Axes `dim0` and `dim1` exchanged.

    >>> import autodiff as ad
    >>> ad.transpose(ad.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    order = list(range(input.ndim))
    i, j = positive_axis(dim0, input.ndim), positive_axis(dim1, input.ndim)
    if input.ndim:
        order[i], order[j] = order[j], order[i]
    return _permute(input, axes=tuple(order))


swapdims = transpose


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """`transpose` by NumPy's name.

    >>> import autodiff as ad
    >>> ad.swapaxes(ad.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    return transpose(input, axis0, axis1)


def t(input: Tensor) -> Tensor:
    """A matrix transposed; vectors and 0-d tensors unchanged."""
    if input.ndim > 2:
        raise OpError(f"t: expected at most 2 dimensions, got shape {input.shape}; use transpose(dim0, dim1) or .mT")
    return reversed_axes(input)


def reversed_axes(input: Tensor) -> Tensor:
    """``x.T``: the axes in reverse order."""
    return _permute(input, axes=tuple(range(input.ndim - 1, -1, -1)))


def adjoint(input: Tensor) -> Tensor:
    """The last two axes exchanged: for real numbers the adjoint of a matrix is its transpose.

    >>> import autodiff as ad
    >>> ad.adjoint(ad.tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
    """
    if input.ndim == 1:
        raise OpError(f"expected a matrix or a batch of matrices, got shape {input.shape}; use unsqueeze first")
    return transpose(input, -2, -1) if input.ndim else input


def hermitian(input: Tensor) -> Tensor:
    """A real matrix transposed; OpError for another number of dimensions."""
    if input.ndim not in (0, 2):
        raise OpError(f"H: expected a matrix, got shape {input.shape}; use .mH for a batch of matrices")
    return adjoint(input)


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """The axes `source` moved to `destination`, the others in their order.

    >>> import autodiff as ad
    >>> ad.movedim(ad.zeros(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    sources = [positive_axis(d, input.ndim) for d in ([source] if isinstance(source, int) else source)]
    targets = [positive_axis(d, input.ndim) for d in ([destination] if isinstance(destination, int) else destination)]
    if not input.ndim:
        return input
    rest = [d for d in range(input.ndim) if d not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        rest.insert(target, axis)
    return _permute(input, axes=tuple(rest))


moveaxis = movedim


@implements(np.transpose)
def _np_transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    return reversed_axes(x) if axes is None else permute(x, tuple(axes))


implements(np.swapaxes)(swapaxes)
implements(np.moveaxis)(movedim)
