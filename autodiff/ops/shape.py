"""Reshaping and broadcasting. Views where PyTorch gives views."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.op import OpError, implements
from autodiff.ops.memory import laid
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, wrap

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
    # A list in half of the time of a generator.
    ones = [i for i, want in enumerate(shape) if want == 1 != x.shape[i]]
    return np.add.reduce(x, tuple(ones), keepdims=True) if ones else x


def _broadcast_kernel(x: Array, shape: Shape) -> Array:
    """np.broadcast_to in half of its time; not locked, because part of an expanded tensor may be written to."""
    if not isinstance(x, np.ndarray | np.generic):
        return np.broadcast_to(x, shape)
    # A NumPy number has memory that no array owns.
    x = np.asarray(x)
    extra = len(shape) - x.ndim
    strides = [0] * extra
    for have, want, step in zip(x.shape, shape[extra:], x.strides, strict=True):
        if have != want and have != 1:
            raise ValueError(f"could not broadcast {x.shape} to {shape}")
        strides.append(step if have == want else 0)
    return laid(x, x.dtype, shape, tuple(strides))


# Each is the other's derivative, and the engine's edge contract already is that derivative: the rules pass g on.
sum_to = multilinear(
    "sum_to",
    _sum_to,
    vjp=lambda g, y, x, shape: g,
    doc="The sum over the axes along which `shape` was broadcast.",
)
broadcast = multilinear(
    "broadcast_to",
    _broadcast_kernel,
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


def sizes(args: tuple[Any, ...], named: Any = None) -> tuple[Any, ...]:
    """The numbers in a call like ``x.view(2, 3)``, ``x.view((2, 3))`` or ``x.view(size=(2, 3))``."""
    if args and named is None:
        return tuple(args[0]) if len(args) == 1 and isinstance(args[0], tuple | list) else args
    if args or named is None:
        raise TypeError(f"expected numbers, or one tuple of them, got {args} and {named}")
    return tuple(named)


def positive_axis(dim: int, ndim: int) -> int:
    """`dim` counted from the front; IndexError if there is no such axis."""
    reach = max(ndim, 1)
    if not isinstance(dim, int | np.integer):
        raise TypeError(f"expected an int as dim, got {dim!r}")
    if not -reach <= dim < reach:
        raise IndexError(f"dimension out of range: expected {-reach} to {reach - 1} for a {ndim}-d tensor, got {dim}")
    return dim % reach


def reshape(input: Tensor, *lengths: Any, shape: Sequence[int] | None = None) -> Tensor:
    """The same elements in row-major order under another shape; one length may be -1.

    A view where the memory allows it, else a copy. OpError if the number of elements differs.

    >>> import autodiff as ad
    >>> ad.reshape(ad.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return _reshape(input, shape=_checked("reshape", sizes(lengths, shape)))


def _checked(name: str, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(n < -1 for n in shape):
        raise OpError(f"{name}: expected lengths of at least 0, or one -1, got {shape}")
    return shape


def view(input: Tensor, *lengths: Any, size: Sequence[int] | None = None, dtype: Any = None) -> Tensor:
    """As `reshape`, but an OpError where that would copy; given a dtype, the same bytes read as that dtype.

    What is read as another dtype carries no gradient.

    >>> import autodiff as ad
    >>> ad.arange(4).view(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    given = lengths[0] if len(lengths) == 1 else 0
    if isinstance(given, type) or not (hasattr(given, "__index__") or isinstance(given, Sequence)):
        dtype = given
    if dtype is not None:
        return _reinterpreted(input, dtypes.as_dtype(dtype))
    out = _reshape(input, shape=_checked("view", sizes(lengths, size)))
    if not np.may_share_memory(out.array, input.array) and input.array.size:
        raise OpError(
            f"view: shape {out.shape} cannot be laid over memory of shape {input.shape} and strides {input.stride()} "
            f"without a copy; use reshape()"
        )
    return out


def _reinterpreted(x: Tensor, dtype: dtypes.DType) -> Tensor:
    try:
        return wrap(x.array.view(dtype))
    except ValueError as error:
        raise OpError(
            f"view: the bytes of a {x.dtype} tensor of shape {x.shape} cannot be read as {dtype} ({error}); "
            f"use x.to({str(dtype)!r}) to convert the values"
        ) from error


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
    if len(gone) < len(axes):
        raise OpError(f"squeeze: expected each dimension once, got {dim} for shape {input.shape}")
    return _reshape(input, shape=tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in gone))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new axis of length 1 at `dim`.

    >>> import autodiff as ad
    >>> ad.unsqueeze(ad.zeros(3), -1).shape
    (3, 1)
    """
    axis = positive_axis(dim, input.ndim + 1)
    return _reshape(input, shape=(*input.shape[:axis], 1, *input.shape[axis:]))


def expand(input: Tensor, *lengths: Any, size: Sequence[int] | None = None) -> Tensor:
    """The elements repeated along axes of length 1, without a copy; -1 keeps a length.

    >>> import autodiff as ad
    >>> ad.zeros(3, 1).expand(-1, 4).shape
    (3, 4)
    """
    wanted = sizes(lengths, size)
    new = len(wanted) - input.ndim
    if new < 0 or min(wanted, default=0) < -1 or -1 in wanted[:new]:
        raise OpError(
            f"expand: expected at least {input.ndim} lengths, -1 only for axes of {input.shape}, got {wanted}"
        )
    own = (1,) * new + input.shape
    # A list in half of the time of a generator.
    shape = [have if want == -1 else want for have, want in zip(own, wanted, strict=False)]
    return broadcast(input, shape=tuple(shape))


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of `other`."""
    return broadcast(input, shape=other.shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """The elements repeated to the shape `size` by the rules of broadcasting, without a copy.

    >>> import autodiff as ad
    >>> ad.broadcast_to(ad.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, size=size)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape.

    >>> import autodiff as ad
    >>> ad.broadcast_tensors(ad.tensor([1, 2]), ad.tensor([[0], [3]]))[0]
    tensor([[1, 2],
            [1, 2]])
    """
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(broadcast(x, shape=shape) for x in tensors)


def broadcast_shapes(*shapes: Any) -> Shape:
    """The shape to which tensors of these shapes (a number stands for one length) broadcast together.

    >>> import autodiff as ad
    >>> ad.broadcast_shapes((2, 1), (3,), 1)
    (2, 3)
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise OpError(
            f"broadcast_shapes: expected lengths that are equal, or 1, counted from the right, got {shapes}"
        ) from error


def atleast_1d(*tensors: Any) -> Any:
    """The tensor, or each of several, with one axis if it had none.

    >>> import autodiff as ad
    >>> ad.atleast_1d(ad.tensor(7))
    tensor([7])
    """
    return _at_least(tensors, lambda shape: shape or (1,))


def atleast_2d(*tensors: Any) -> Any:
    """The tensor, or each of several, with axes of length 1 in front up to two.

    >>> import autodiff as ad
    >>> ad.atleast_2d(ad.tensor([7, 8]))
    tensor([[7, 8]])
    """
    return _at_least(tensors, lambda shape: (1,) * (2 - len(shape)) + shape)


def atleast_3d(*tensors: Any) -> Any:
    """The tensor, or each of several, with three axes: (n,) becomes (1, n, 1), and (m, n) becomes (m, n, 1).

    >>> import autodiff as ad
    >>> ad.atleast_3d(ad.tensor([7, 8])).shape
    (1, 2, 1)
    """
    return _at_least(tensors, lambda shape: (1,) * (2 - len(shape)) + shape + (1,) * (len(shape) < 3))


def _at_least(tensors: tuple[Any, ...], grown: Callable[[Shape], Shape]) -> Any:
    several = len(tensors) != 1 or isinstance(tensors[0], tuple | list)
    each = tensors[0] if several and len(tensors) == 1 else tensors
    if not all(isinstance(x, Tensor) for x in each):
        raise TypeError(f"expected Tensors, or one list of them, got {[type(x).__name__ for x in each]}")
    views = tuple(_reshape(x, shape=grown(x.shape)) for x in each)
    return views if several else views[0]


@implements(np.expand_dims)
def _np_expand_dims(x: Tensor, axis: int | Sequence[int]) -> Tensor:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    new = {positive_axis(d, x.ndim + len(axes)) for d in axes}
    own = iter(x.shape)
    return _reshape(x, shape=tuple(1 if i in new else next(own) for i in range(x.ndim + len(axes))))


@implements(np.reshape)
def _np_reshape(x: Tensor, shape: Any) -> Tensor:
    return reshape(x, sizes((shape,)))


implements(np.ravel)(ravel)
implements(np.squeeze)(lambda x, axis=None: squeeze(x, axis))
implements(np.broadcast_to)(lambda array, shape: broadcast_to(array, shape))
implements(np.atleast_1d)(atleast_1d)
implements(np.atleast_2d)(atleast_2d)
implements(np.atleast_3d)(atleast_3d)
implements(np.shape)(lambda x: x.shape)
implements(np.ndim)(lambda x: x.ndim)
implements(np.size)(lambda x, axis=None: x.numel() if axis is None else x.shape[axis])
