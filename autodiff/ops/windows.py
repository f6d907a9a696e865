"""Windows on a tensor's memory: `unfold` and `as_strided`, whose windows may overlap, and their adjoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import grad_mode
from autodiff.op import OpError, Recorder
from autodiff.ops.axes import permute
from autodiff.ops.memory import address, laid
from autodiff.ops.shape import positive_axis, reshape
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, wrap, zeros_beside
from autodiff.writes import owner

Shape = tuple[int, ...]


def _unfold_kernel(x: Array, axis: int, size: int, step: int) -> Array:
    if type(x) is not np.ndarray:
        # Arrays inside vmap have no memory to lay windows on.
        windows = np.lib.stride_tricks.sliding_window_view(x, size, axis)
        return windows[(*(slice(None),) * axis, slice(None, None, step))]
    shape = (*x.shape[:axis], (x.shape[axis] - size) // step + 1, *x.shape[axis + 1 :], size)
    stride = x.strides[axis]
    return laid(x, x.dtype, shape, (*x.strides[:axis], stride * step, *x.strides[axis + 1 :], stride))


def _sum_windows_kernel(g: Array, axis: int, step: int, shape: Shape) -> Array:
    out = zeros_beside(g, shape)
    count, size = g.shape[axis], g.shape[-1]
    before: tuple[Any, ...] = (slice(None),) * axis
    if not g.size:
        return out
    if step >= size and type(out) is np.ndarray:
        _unfold_kernel(out, axis, size, step)[...] = g
    elif size <= count:
        for i in range(size):
            out[(*before, slice(i, i + (count - 1) * step + 1, step))] += g[..., i]
    else:
        for i in range(count):
            out[(*before, slice(i * step, i * step + size))] += np.moveaxis(g[(*before, i)], -1, axis)
    return out


_unfold: Recorder = multilinear(
    "unfold",
    _unfold_kernel,
    vjp=lambda g, y, x, axis, size, step: sum_windows.rule(g, axis=axis, step=step, shape=x.shape),
    view=True,
    doc="The windows along an axis, their entries along a new last axis.",
)
sum_windows: Recorder = multilinear(
    "sum_windows",
    _sum_windows_kernel,
    vjp=lambda g, y, x, axis, step, shape: _unfold.rule(g, axis=axis, size=x.shape[-1], step=step),
    doc="Windows added up where they lie on an axis: the adjoint of `unfold`.",
)


def _as_strided_kernel(x: Array, size: Shape, stride: Shape, offset: int) -> Array:
    flat = np.ascontiguousarray(x)
    return laid(flat, x.dtype, size, tuple(step * x.itemsize for step in stride), offset * x.itemsize)


def _overlap(size: Shape, stride: Shape) -> bool:
    """Whether two elements may lie at one place: unless each axis steps over all that smaller steps reach."""
    reach = 0
    for step, length in sorted(zip(stride, size, strict=True)):
        if length > 1 and step <= reach:
            return True
        reach += step * (length - 1)
    return False


def _sum_strided_kernel(g: Array, stride: Shape, offset: int, shape: Shape) -> Array:
    out = np.zeros(shape, g.dtype)
    if not g.size:
        return out
    if _overlap(g.shape, stride):
        places = _as_strided_kernel(np.arange(out.size), g.shape, stride, offset)
        np.add.at(out.reshape(-1), places.reshape(-1), g.reshape(-1))
    else:
        _as_strided_kernel(out, g.shape, stride, offset)[...] = g
    return out


_as_strided: Recorder = multilinear(
    "as_strided",
    _as_strided_kernel,
    vjp=lambda g, y, x, size, stride, offset: sum_strided.rule(g, stride=stride, offset=offset, shape=x.shape),
    view=True,
    doc="The elements, in row-major order, at multiples of strides from an offset.",
)
sum_strided: Recorder = multilinear(
    "sum_strided",
    _sum_strided_kernel,
    vjp=lambda g, y, x, stride, offset, shape: _as_strided.rule(g, size=x.shape, stride=stride, offset=offset),
    doc="Elements added up at multiples of strides from an offset: the adjoint of `as_strided`.",
)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """The windows of `size` entries along `dimension`, `step` apart: a view, their entries along a new last axis.

    >>> import autodiff as ad
    >>> ad.arange(5).unfold(0, 3, 1)
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 4]])
    """
    axis = positive_axis(dimension, input.ndim)
    length = input.shape[axis] if input.ndim else 1
    if not 0 <= size <= length or step <= 0:
        raise OpError(
            f"unfold: expected a size from 0 to {length}, the length of dimension {dimension}, and a positive step, "
            f"got size {size} and step {step}"
        )
    if not input.ndim:
        return reshape(_unfold(reshape(input, 1), axis=0, size=size, step=step), size)
    return _unfold(input, axis=axis, size=size, step=step)


def _places_before(x: Array) -> int:
    """How many elements lie in memory before the first of `x`."""
    return 0 if x.base is None else (address(x) - address(owner(x))) // x.itemsize


def storage_offset(input: Tensor) -> int:
    """How many elements lie in memory before the first one of this tensor, which may be a view of another.

    >>> import autodiff as ad
    >>> ad.arange(6)[2:].storage_offset()
    2
    """
    return _places_before(input.array)


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """A view of shape `size` on the memory of `input`, with steps of `stride` elements from `storage_offset`.

    Elements that share memory add up in the gradient. OpError for what lies outside of the memory, and where
    gradients are recorded for what is not an element of `input`.

    >>> import autodiff as ad
    >>> ad.as_strided(ad.arange(5), (2, 3), (2, 1))
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    shape, strides, x = tuple(size), tuple(stride), input.array
    if len(shape) != len(strides) or min((0, *shape, *strides, storage_offset or 0)) < 0:
        raise OpError(
            f"as_strided: expected a stride for each length, and none of them negative, got size {shape}, stride "
            f"{strides}, storage_offset {storage_offset}"
        )
    own = _places_before(x)
    first = own if storage_offset is None else storage_offset
    # A tensor without elements may lie anywhere.
    end = 0 if 0 in shape else first + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + 1
    memory = owner(x)
    if end * x.itemsize > memory.nbytes:
        raise OpError(
            f"as_strided: size {shape} with stride {strides} from {first} reaches {end} elements into a memory of "
            f"{memory.nbytes // x.itemsize}"
        )
    order = sorted(range(x.ndim), key=lambda i: -x.strides[i])
    if x.transpose(order).flags.c_contiguous and (not end or first >= own) and end <= own + x.size:
        return _as_strided(permute(input, order), size=shape, stride=strides, offset=first - own)
    if input.node is not None and grad_mode.is_grad_enabled():
        raise OpError(
            f"as_strided: expected to stay within the {x.size} elements of a tensor without gaps, since no gradient "
            f"flows to its neighbours in memory, got shape {x.shape} with stride {input.stride()}; call it on the "
            f"tensor that this one is a view of, or on x.contiguous()"
        )
    return wrap(laid(memory, x.dtype, shape, tuple(step * x.itemsize for step in strides), first * x.itemsize))
