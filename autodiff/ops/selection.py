"""Choosing between values by a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.domain import BOOLEANS, REALS
from autodiff.op import OpError, describe, implements
from autodiff.ops.conversion import astype
from autodiff.recorders import operation
from autodiff.tensor import Tensor, wrap

_where = operation(
    "where",
    np.where,
    vjp=(
        None,
        lambda g, y, condition, a, b: np.where(condition, g, 0.0),
        lambda g, y, condition, a, b: np.where(condition, 0.0, g),
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
    mask = condition.array if isinstance(condition, Tensor) else np.asarray(condition)
    if input is None and other is None:
        return nonzero(wrap(mask), as_tuple=True)
    if mask.dtype.kind != "b":
        raise OpError(f"where: expected a condition of dtype bool, got {describe(condition)}; use condition != 0")
    a, b = _common(input, other)
    return _where(wrap(mask), a, b)


def _common(a: Any, b: Any) -> list[Tensor]:
    """Both as tensors of one dtype; a Python number beside a tensor takes that tensor's."""
    dtype = dtypes.result_dtype(*(x.array if isinstance(x, Tensor) else x for x in (a, b)))
    return [astype(x, dtype) if isinstance(x, Tensor) else wrap(np.asarray(x, dtype)) for x in (a, b)]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`input` with `value` at the places where `mask` holds.

    >>> import autodiff as ad
    >>> ad.masked_fill(ad.tensor([1.0, 2.0]), ad.tensor([True, False]), 0)
    tensor([0., 2.])
    """
    if isinstance(value, Tensor) and value.ndim:
        raise OpError(f"masked_fill: expected a number or a 0-d tensor, got {describe(value)}; use where()")
    chosen = astype(value, input.dtype) if isinstance(value, Tensor) else wrap(np.asarray(value, input.dtype))
    filled: Tensor = where(mask, chosen, input)
    return filled


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0, a row each; with `as_tuple`, one tensor an axis.

    >>> import autodiff as ad
    >>> ad.nonzero(ad.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    found = np.nonzero(input.array) if input.ndim else np.nonzero(input.array.reshape(1))
    if as_tuple:
        return tuple(wrap(indices) for indices in found)
    return wrap(np.stack(found, axis=1) if input.ndim else np.zeros((len(found[0]), 0), np.int64))


@implements(np.where)
def _np_where(condition: Any, *branches: Any) -> Any:
    return where(condition, *branches)
