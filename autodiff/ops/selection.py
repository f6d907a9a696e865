"""Choosing between values, and reading and writing, by a mask."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.domain import BOOLEANS, REALS
from autodiff.op import OpError, Recorder, describe, implements
from autodiff.ops.conversion import astype
from autodiff.ops.masking import choose, keep
from autodiff.ops.shape import broadcast_to, reshape
from autodiff.recorders import elementwise, multilinear, operation
from autodiff.tensor import Array, Tensor, as_array, wrap, zeros_beside

_where = operation(
    "where",
    choose,
    vjp=(
        None,
        lambda g, y, condition, a, b: np.where(condition, g, 0.0),
        lambda g, y, condition, a, b: np.where(condition, 0.0, g),
    ),
    fast=(
        None,
        lambda g, y, condition, a, b: keep(condition, g),
        lambda g, y, condition, a, b: keep(~condition, g),
    ),
    saves="condition",
    domain=(BOOLEANS, REALS, REALS),
    doc="a where the condition holds, else b.",
)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where `condition` holds, else `other`; with the condition alone, the indices where it holds.

    The three broadcast. The gradient of what was not chosen is 0, but a NaN or infinity in computing it still spoils
    the gradient of what it was computed from: make the unchosen branch safe first.

    >>> import autodiff as ad
    >>> x = ad.tensor([-1.0, 2.0])
    >>> ad.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    mask = condition.array if isinstance(condition, Tensor) else as_array(condition)
    if input is None and other is None:
        return nonzero(wrap(mask), as_tuple=True)
    if input is None or other is None:
        raise TypeError("where: expected a condition alone, or with both input and other")
    if mask.dtype.kind != "b":
        raise OpError(f"where: expected a condition of dtype bool, got {describe(condition)}; use condition != 0")
    a, b = _common(input, other)
    return _where(wrap(mask), a, b)


def where_method(input: Tensor, condition: Tensor, other: Any) -> Tensor:
    """The tensor where `condition` holds, else `other`.

    >>> import autodiff as ad
    >>> x = ad.tensor([-1.0, 2.0])
    >>> x.where(x > 0, 0.0)
    tensor([0., 2.])
    """
    chosen: Tensor = where(condition, input, other)
    return chosen


def _common(a: Any, b: Any) -> list[Tensor]:
    """Both as tensors of one dtype; a Python number beside a tensor takes that tensor's."""
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.array.dtype is b.array.dtype:
        return [a, b]
    dtype = dtypes.result_dtype(*(x.array if isinstance(x, Tensor) else x for x in (a, b)))
    return [astype(x, dtype) if isinstance(x, Tensor) else wrap(as_array(x, dtype)) for x in (a, b)]


def _mask(name: str, mask: Tensor) -> Array:
    if not isinstance(mask, Tensor) or mask.array.dtype.kind != "b":
        raise OpError(f"{name}: expected a mask of dtype bool, got {describe(mask)}; use mask != 0")
    return mask.array


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`input` with `value`, a number or a 0-d tensor, at the places where `mask` holds; the shapes broadcast.

    OpError for a mask that is not bool and for a value beyond the dtype of `input`.

    >>> import autodiff as ad
    >>> ad.masked_fill(ad.tensor([1.0, 2.0]), ad.tensor([True, False]), 0)
    tensor([0., 2.])
    """
    _mask("masked_fill", mask)
    if not isinstance(value, Tensor):
        chosen = wrap(number_of("masked_fill", value, input.array.dtype))
    elif value.ndim:
        raise OpError(f"masked_fill: expected a number or a 0-d tensor, got {describe(value)}; use where()")
    else:
        chosen = astype(value, input.dtype)
    return _where(mask, chosen, input)


def number_of(name: str, value: Any, dtype: dtypes.DType) -> Array:
    """The number as an array of `dtype`, cut to an integer where that is one."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        fits = limits.min <= value <= limits.max
    else:
        fits = dtype.kind == "b" or not math.isfinite(value) or -np.finfo(dtype).max <= value <= np.finfo(dtype).max
    if not fits:
        raise OpError(f"{name}: {value} is beyond the dtype {dtype} of the tensor; convert the tensor first")
    return np.asarray(value, dtype)


# A mask is turned into the places that it names, since NumPy's indexing by masks takes five times as long.
take_places: Recorder = multilinear(
    "masked_select",
    lambda x, places: np.take(x, places),
    vjp=lambda g, y, x, places: put_places.rule(g, places=places, shape=x.shape),
    doc="The elements at different places of the flattened tensor.",
)


def _put_kernel(g: Array, places: Array, shape: tuple[int, ...]) -> Array:
    out = zeros_beside(g, (math.prod(shape),))
    out[places] = g
    return out.reshape(shape)


put_places: Recorder = multilinear(
    "put_places",
    _put_kernel,
    vjp=lambda g, y, x, places, shape: take_places.rule(g, places=places),
    doc="Zeros with the elements at different places of the flattened tensor.",
)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` holds, as a vector; the shapes broadcast.

    >>> import autodiff as ad
    >>> ad.masked_select(ad.tensor([[1.0, 2.0], [3.0, 4.0]]), ad.tensor([True, False]))
    tensor([1., 3.])
    """
    holds = _mask("masked_select", mask)
    if holds.shape != input.shape:
        shape = _common_shape("masked_select", input, mask)
        input, holds = broadcast_to(input, shape), np.broadcast_to(holds, shape)
    return take_places(input, places=np.flatnonzero(holds))


def _common_shape(name: str, input: Tensor, mask: Tensor) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(input.shape, mask.shape)
    except ValueError:
        raise OpError(f"{name}: a mask of shape {mask.shape} does not broadcast with a tensor {input.shape}") from None


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with the first elements of `source`, in order, at the places where `mask` holds.

    OpError if `source` has another dtype, or fewer elements than the mask has places.

    >>> import autodiff as ad
    >>> ad.masked_scatter(ad.zeros(3), ad.tensor([True, False, True]), ad.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    holds = _mask("masked_scatter", mask)
    if source.dtype != input.dtype:
        raise OpError(f"masked_scatter: expected a source of dtype {input.dtype}, got {source.dtype}")
    shape = _common_shape("masked_scatter", input, mask)
    places = np.flatnonzero(np.broadcast_to(holds, shape))
    count = math.prod(source.shape)
    if count < len(places):
        raise OpError(f"masked_scatter: expected a source of {len(places)} elements or more, got shape {source.shape}")
    written = put_places(reshape(source, (-1,))[: len(places)], places=places, shape=shape)
    return _where(mask, written, input)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0, a row each; with `as_tuple`, one tensor an axis.

    >>> import autodiff as ad
    >>> ad.nonzero(ad.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    x = input.array
    # Of bools NumPy finds them five times as fast.
    held = x if x.dtype.kind == "b" else np.asarray(x != 0)
    found = (held if x.ndim else held.reshape(1)).nonzero()
    if as_tuple:
        return tuple(wrap(indices) for indices in found)
    if x.ndim == 1:
        return wrap(found[0].reshape(-1, 1))
    return wrap(np.ascontiguousarray(np.array(found, np.int64).T[:, : x.ndim]))


heaviside = elementwise(
    "heaviside",
    lambda x, values: choose(x == 0, np.asarray(values, x.dtype), (x > 0).astype(x.dtype)),
    arity=2,
    result="strict",
    doc="0 where x is negative, 1 where it is positive, and the value given where it is 0; it carries no gradient.",
    example="ad.heaviside(ad.tensor([-1.0, 0.0, 2.0]), ad.tensor(0.5)) -> tensor([0.0000, 0.5000, 1.0000])",
)


@implements(np.where)
def _np_where(condition: Any, *branches: Any) -> Any:
    return where(condition, *branches)
