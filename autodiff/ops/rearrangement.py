"""Elements in another order along their axes: flipped, rotated, rolled. Copies, as in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from autodiff.op import OpError, Recorder, implements
from autodiff.ops.axes import transpose
from autodiff.ops.conversion import clone, copied_by_rows
from autodiff.ops.shape import positive_axis, reshape, sizes
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor

Shape = tuple[int, ...]


def _flip_kernel(x: Array, axis: Shape) -> Array:
    # A third of the time of np.flip at 100 elements.
    return copied_by_rows(x[tuple(slice(None, None, -1) if i in axis else slice(None) for i in range(x.ndim))])


_flip: Recorder = multilinear(
    "flip",
    _flip_kernel,
    vjp=lambda g, y, x, axis: _flip.rule(g, axis=axis),
    doc="The order reversed along some axes.",
)


def _roll_kernel(x: Array, shifts: Shape, axis: Shape) -> Array:
    whole = slice(None)
    pieces: list[list[tuple[slice, slice]]] = [[(whole, whole)]] * x.ndim
    for shift, i in zip(shifts, axis, strict=True):
        cut = shift % x.shape[i] if x.shape[i] else 0
        if cut:
            pieces[i] = [(slice(cut, None), slice(None, -cut)), (slice(None, cut), slice(-cut, None))]
    out = np.empty_like(x, order="C")
    for blocks in product(*pieces):
        out[tuple(to for to, _ in blocks)] = x[tuple(source for _, source in blocks)]
    return out


_roll: Recorder = multilinear(
    "roll",
    _roll_kernel,
    vjp=lambda g, y, x, shifts, axis: _roll.rule(g, shifts=tuple(-shift for shift in shifts), axis=axis),
    doc="The entries moved along some axes, those that leave at one end coming back at the other.",
)


def flip(input: Tensor, *axes: Any, dims: Sequence[int] | None = None) -> Tensor:
    """A copy with the order reversed along the axes given. OpError for an axis named twice.

    >>> import autodiff as ad
    >>> ad.flip(ad.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    wanted = sizes(axes, dims)
    reversed_axes = tuple(positive_axis(dim, input.ndim) for dim in wanted)
    if len(set(reversed_axes)) < len(reversed_axes):
        raise OpError(f"flip: expected each dimension once, got {wanted} for shape {input.shape}")
    return _flip(input, axis=reversed_axes if input.ndim else ())


def fliplr(input: Tensor) -> Tensor:
    """A copy with the order of the columns (axis 1) reversed.

    >>> import autodiff as ad
    >>> ad.fliplr(ad.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    if input.ndim < 2:
        raise OpError(f"fliplr: expected at least 2 dimensions, got shape {input.shape}")
    return _flip(input, axis=(1,))


def flipud(input: Tensor) -> Tensor:
    """A copy with the order of the rows (axis 0) reversed.

    >>> import autodiff as ad
    >>> ad.flipud(ad.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    if not input.ndim:
        raise OpError("flipud: expected at least 1 dimension, got a 0-d tensor")
    return _flip(input, axis=(0,))


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A copy turned `k` times by 90 degrees in the plane of two axes, from the first towards the second.

    >>> import autodiff as ad
    >>> ad.rot90(ad.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    if len(dims) != 2 or input.ndim < 2:
        raise OpError(f"rot90: expected two of at least two dimensions, got {dims} for shape {input.shape}")
    first, second = (positive_axis(dim, input.ndim) for dim in dims)
    if first == second:
        raise OpError(f"rot90: expected two different dimensions, got {dims} for shape {input.shape}")
    if k % 2:
        return transpose(_flip(input, axis=(second if k % 4 == 1 else first,)), first, second)
    return _flip(input, axis=(first, second)) if k % 4 else clone(input)


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """The entries moved `shifts` places along `dims`, round the end; along the flattened tensor without `dims`.

    >>> import autodiff as ad
    >>> ad.roll(ad.tensor([[1, 2], [3, 4], [5, 6]]), 1, 0)
    tensor([[5, 6],
            [1, 2],
            [3, 4]])
    """
    steps = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    axes = () if dims is None else (dims,) if isinstance(dims, int) else tuple(dims)
    if not axes and len(steps) == 1:
        return reshape(_roll(reshape(input, -1), shifts=steps, axis=(0,)), input.shape)
    if not steps or len(steps) != len(axes):
        raise OpError(f"roll: expected as many shifts as dims, got {shifts} and {dims}")
    if not input.ndim:
        raise IndexError("roll: a 0-d tensor has no dimension to roll along; leave dims out")
    total: dict[int, int] = {}
    for step, dim in zip(steps, axes, strict=True):
        axis = positive_axis(dim, input.ndim)
        total[axis] = total.get(axis, 0) + step
    return _roll(input, shifts=tuple(total.values()), axis=tuple(total))


@implements(np.flip)
def _np_flip(m: Tensor, axis: int | Sequence[int] | None = None) -> Tensor:
    return flip(m, tuple(range(m.ndim)) if axis is None else sizes((axis,)))


@implements(np.rot90)
def _np_rot90(m: Tensor, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    return rot90(m, k, axes)


@implements(np.roll)
def _np_roll(a: Tensor, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    return roll(a, shift, axis)


implements(np.fliplr)(fliplr)
implements(np.flipud)(flipud)
