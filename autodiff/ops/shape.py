"""Reshaping, moving, expanding and flipping axes. Views where PyTorch gives views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from autodiff.op import OpError, implements
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor

Shape = tuple[int, ...]


@lru_cache(maxsize=64)
def _ones(count: int, dtype: Any) -> Array:
    return np.ones(count, dtype)


def sum_rows(x: Array) -> Array:
    """The sum of the rows of a matrix: of 32 by 16 numbers 0.3 µs as a product with ones, where np.sum takes 1.3."""
    out: Array = _ones(len(x), x.dtype).dot(x) if x.dtype.char in "fd" else np.add.reduce(x, 0)
    return out


def _sum_to(x: Array, shape: Shape) -> Array:
    extra = x.ndim - len(shape)
    if extra:
        x = np.add.reduce(x, tuple(range(extra)))
    ones = tuple(i for i, (have, want) in enumerate(zip(x.shape, shape, strict=True)) if want == 1 != have)
    return np.add.reduce(x, ones, keepdims=True) if ones else x


# Each is the other's derivative, and the engine's edge contract already is that derivative: the rules pass g on.
sum_to = multilinear(
    "sum_to",
    _sum_to,
    vjp=lambda g, y, x, shape: g,
    doc="The sum over the axes along which `shape` was broadcast.",
)
broadcast = multilinear(
    "broadcast_to",
    lambda x, shape: np.broadcast_to(x, shape),
    vjp=lambda g, y, x, shape: g,
    view=True,
    doc="The elements repeated along axes of length 1 and new axes in front, without a copy.",
)
_reshape = multilinear(
    "reshape",
    lambda x, shape: x.reshape(shape),
    vjp=lambda g, y, x, shape: np.reshape(g, x.shape),
    view=True,
    doc="The same elements in row-major order under another shape.",
)
_permute = multilinear(
    "permute",
    lambda x, axes: x.transpose(axes),
    vjp=lambda g, y, x, axes: np.transpose(g, sorted(range(len(axes)), key=axes.__getitem__)),
    view=True,
    doc="The axes in another order.",
)
_flip = multilinear(
    "flip",
    lambda x, axis: np.flip(x, axis).copy(),
    vjp=lambda g, y, x, axis: np.flip(g, axis),
    doc="The order reversed along some axes.",
)
_tril = multilinear(
    "tril",
    lambda x, k: np.tril(x, k),
    vjp=lambda g, y, x, k: np.tril(g, k),
    doc="The lower triangle of matrices, zeros elsewhere.",
)
_triu = multilinear(
    "triu",
    lambda x, k: np.triu(x, k),
    vjp=lambda g, y, x, k: np.triu(g, k),
    doc="The upper triangle of matrices, zeros elsewhere.",
)


def sizes(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a call like ``x.view(2, 3)`` or ``x.view((2, 3))``, flat."""
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], tuple | list) else args


def positive_axis(dim: int, ndim: int) -> int:
    """`dim` counted from the front; IndexError if there is no such axis."""
    reach = max(ndim, 1)
    if not -reach <= dim < reach:
        raise IndexError(f"dimension out of range: expected {-reach} to {reach - 1} for a {ndim}-d tensor, got {dim}")
    return dim % reach


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in row-major order under another shape; one length may be -1.

    A view where the memory allows it, else a copy. OpError if the number of elements differs.

    >>> import autodiff as ad
    >>> ad.reshape(ad.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return _reshape(input, shape=_checked("reshape", sizes(shape)))


def _checked(name: str, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(n < -1 for n in shape):
        raise OpError(f"{name}: expected lengths of at least 0, or one -1, got {shape}")
    return shape


def view(input: Tensor, *shape: Any) -> Tensor:
    """As `reshape`, but an OpError where that would copy.

    >>> import autodiff as ad
    >>> ad.arange(4).view(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    out = _reshape(input, shape=_checked("view", sizes(shape)))
    if not np.may_share_memory(out.array, input.array) and input.array.size:
        raise OpError(
            f"view: shape {out.shape} cannot be laid over memory of shape {input.shape} and strides {input.stride()} "
            f"without a copy; use reshape()"
        )
    return out


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """``x.view`` with the shape of `other`."""
    return view(input, other.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """``x.reshape`` to the shape of `other`."""
    return reshape(input, other.shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Axes `start_dim` to `end_dim` merged into one.

    >>> import autodiff as ad
    >>> ad.flatten(ad.zeros(2, 3, 4), start_dim=1).shape
    (2, 12)
    """
    start, end = positive_axis(start_dim, input.ndim), positive_axis(end_dim, input.ndim)
    if not input.ndim:
        return _reshape(input, shape=(1,))
    if start > end:
        raise OpError(f"flatten: expected start_dim not after end_dim, got {start_dim} and {end_dim}")
    merged = math.prod(input.shape[start : end + 1])
    return input if start == end else _reshape(input, shape=(*input.shape[:start], merged, *input.shape[end + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Axis `dim` split into axes of the lengths `sizes`, one of which may be -1.

    >>> import autodiff as ad
    >>> ad.unflatten(ad.zeros(2, 12), 1, (3, -1)).shape
    (2, 3, 4)
    """
    axis = positive_axis(dim, input.ndim)
    lengths = list(sizes)
    if -1 in lengths:
        lengths[lengths.index(-1)] = input.shape[axis] // max(-math.prod(lengths), 1)
    if math.prod(lengths) != input.shape[axis]:
        raise OpError(f"unflatten: expected lengths whose product is {input.shape[axis]}, got {tuple(sizes)}")
    return _reshape(input, shape=(*input.shape[:axis], *lengths, *input.shape[axis + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """The elements in row-major order along one axis."""
    return _reshape(input, shape=(-1,))


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without the axes of length 1, or without those of `dim` that have it.

    >>> import autodiff as ad
    >>> ad.squeeze(ad.zeros(1, 3, 1)).shape
    (3,)
    """
    axes = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    gone = {positive_axis(axis, input.ndim) for axis in axes}
    return _reshape(input, shape=tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in gone))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new axis of length 1 at `dim`.

    >>> import autodiff as ad
    >>> ad.unsqueeze(ad.zeros(3), -1).shape
    (3, 1)
    """
    axis = positive_axis(dim, input.ndim + 1)
    return _reshape(input, shape=(*input.shape[:axis], 1, *input.shape[axis:]))


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The axes in the order `dims`.

    >>> import autodiff as ad
    >>> ad.permute(ad.zeros(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    order = tuple(positive_axis(dim, input.ndim) for dim in sizes(dims))
    if sorted(order) != list(range(input.ndim)):
        raise OpError(f"permute: expected each of {input.ndim} axes once, got {sizes(dims)}")
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


swapaxes = swapdims = transpose


def t(input: Tensor) -> Tensor:
    """A matrix transposed; vectors and 0-d tensors unchanged."""
    if input.ndim > 2:
        raise OpError(f"t: expected at most 2 dimensions, got shape {input.shape}; use transpose(dim0, dim1) or .mT")
    return _permute(input, axes=tuple(reversed(range(input.ndim))))


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


def expand(input: Tensor, *shape: Any) -> Tensor:
    """The elements repeated along axes of length 1, without a copy; -1 keeps a length.

    >>> import autodiff as ad
    >>> ad.zeros(3, 1).expand(-1, 4).shape
    (3, 4)
    """
    wanted = sizes(shape)
    new = len(wanted) - input.ndim
    if new < 0 or any(n < -1 for n in wanted) or -1 in wanted[:new]:
        raise OpError(
            f"expand: expected at least {input.ndim} lengths, -1 only for axes of {input.shape}, got {wanted}"
        )
    own = (1,) * new + input.shape
    return broadcast(input, shape=tuple(have if want == -1 else want for have, want in zip(own, wanted, strict=False)))


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of `other`."""
    return broadcast(input, shape=other.shape)


def broadcast_to(input: Tensor, shape: Sequence[int]) -> Tensor:
    """The elements repeated to `shape` by the rules of broadcasting, without a copy.

    >>> import autodiff as ad
    >>> ad.broadcast_to(ad.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, *shape)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape."""
    shape = np.broadcast_shapes(*(x.shape for x in tensors))
    return tuple(broadcast(x, shape=shape) for x in tensors)


def flip(input: Tensor, *dims: Any) -> Tensor:
    """A copy with the order reversed along the axes `dims`.

    >>> import autodiff as ad
    >>> ad.flip(ad.tensor([1, 2, 3]), 0)
    tensor([3, 2, 1])
    """
    axes = tuple(positive_axis(d, input.ndim) for d in sizes(dims))
    return _flip(input, axis=axes if input.ndim else ())


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of matrices (..., m, n) up to a diagonal, zeros elsewhere.

    >>> import autodiff as ad
    >>> ad.tril(ad.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _tril(_matrices("tril", input), k=diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of matrices (..., m, n) from a diagonal, zeros elsewhere.

    >>> import autodiff as ad
    >>> ad.triu(ad.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _triu(_matrices("triu", input), k=diagonal)


def _matrices(name: str, x: Tensor) -> Tensor:
    if x.ndim < 2:
        raise OpError(f"{name}: expected at least 2 dimensions, got shape {x.shape}")
    return x


@implements(np.transpose)
def _np_transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    return permute(x, tuple(reversed(range(x.ndim))) if axes is None else tuple(axes))


@implements(np.expand_dims)
def _np_expand_dims(x: Tensor, axis: int | Sequence[int]) -> Tensor:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    new = {positive_axis(d, x.ndim + len(axes)) for d in axes}
    own = iter(x.shape)
    return _reshape(x, shape=tuple(1 if i in new else next(own) for i in range(x.ndim + len(axes))))


@implements(np.flip)
def _np_flip(x: Tensor, axis: int | Sequence[int] | None = None) -> Tensor:
    return flip(x, *(range(x.ndim) if axis is None else sizes((axis,))))


@implements(np.reshape)
def _np_reshape(x: Tensor, shape: Any) -> Tensor:
    return reshape(x, *sizes((shape,)))


implements(np.ravel)(ravel)
implements(np.squeeze)(lambda x, axis=None: squeeze(x, axis))
implements(np.swapaxes)(transpose)
implements(np.moveaxis)(movedim)
implements(np.broadcast_to)(broadcast_to)
implements(np.tril)(lambda x, k=0: tril(x, k))
implements(np.triu)(lambda x, k=0: triu(x, k))
implements(np.shape)(lambda x: x.shape)
implements(np.ndim)(lambda x: x.ndim)
implements(np.size)(lambda x, axis=None: x.numel() if axis is None else x.shape[axis])
