"""The larger and the smaller of two, and limits to values. At ties and kinks the gradients are PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import away_from
from autodiff.dtypes import result_dtype
from autodiff.op import implements
from autodiff.ops.conversion import astype
from autodiff.ops.masking import LARGE, choose, keep, limit
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor


def _shared(g: Any, a: Any, b: Any, beaten: Any) -> Any:
    """`g` where the input is not beaten by the other, and half of it where they are equal."""
    tie = a == b
    if g.size < LARGE:
        return np.where(tie, g / 2, np.where(beaten, 0.0, g))
    kept = keep(~beaten, g)
    return choose(tie, g / 2, kept) if np.any(tie) else kept


maximum = elementwise(
    "maximum",
    np.maximum,
    vjp=(
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a < b, 0.0, g)),
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a > b, 0.0, g)),
    ),
    fast=(
        lambda g, y, a, b: _shared(g, a, b, a < b),
        lambda g, y, a, b: _shared(g, a, b, a > b),
    ),
    saves="a b",
    analytic=False,
    doc="The larger of a and b, NaN if either is; at a tie each gets half of the gradient.",
    example="ad.maximum(ad.tensor([1.0, 5.0]), ad.tensor([3.0, 2.0])) -> tensor([3., 5.])",
)
minimum = elementwise(
    "minimum",
    np.minimum,
    vjp=(
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a > b, 0.0, g)),
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a < b, 0.0, g)),
    ),
    fast=(
        lambda g, y, a, b: _shared(g, a, b, a > b),
        lambda g, y, a, b: _shared(g, a, b, a < b),
    ),
    saves="a b",
    analytic=False,
    doc="The smaller of a and b, NaN if either is; at a tie each gets half of the gradient.",
    example="ad.minimum(ad.tensor([1.0, 5.0]), ad.tensor([3.0, 2.0])) -> tensor([1., 2.])",
)
fmax = elementwise(
    "fmax",
    np.fmax,
    vjp=(
        lambda g, y, a, b: np.where((a >= b) | (b != b), g, 0.0),
        lambda g, y, a, b: np.where((a >= b) | (b != b), 0.0, g),
    ),
    fast=(
        lambda g, y, a, b: keep((a >= b) | (b != b), g),
        lambda g, y, a, b: keep(~((a >= b) | (b != b)), g),
    ),
    saves="a b",
    analytic=False,
    doc="The larger of a and b, the other one if one is NaN; at a tie a gets the gradient.",
    example='ad.fmax(ad.tensor([1.0, 5.0]), ad.tensor([3.0, float("nan")])) -> tensor([3., 5.])',
)
fmin = elementwise(
    "fmin",
    np.fmin,
    vjp=(
        lambda g, y, a, b: np.where((a <= b) | (b != b), g, 0.0),
        lambda g, y, a, b: np.where((a <= b) | (b != b), 0.0, g),
    ),
    fast=(
        lambda g, y, a, b: keep((a <= b) | (b != b), g),
        lambda g, y, a, b: keep(~((a <= b) | (b != b)), g),
    ),
    saves="a b",
    analytic=False,
    doc="The smaller of a and b, the other one if one is NaN; at a tie a gets the gradient.",
    example='ad.fmin(ad.tensor([1.0, 5.0]), ad.tensor([3.0, float("nan")])) -> tensor([1., 5.])',
)


def _outside(x: Any, low: Any, high: Any) -> Any:
    if low is None:
        return x > high
    return x < low if high is None else (x < low) | (x > high)


_clamp = elementwise(
    "clamp",
    limit,
    # Not x >= low, which is false for a limit that is absent (None) and for NaN.
    vjp=lambda g, y, x, low, high: np.where(_outside(x, low, high), 0.0, g),
    fast=lambda g, y, x, low, high: keep(~_outside(x, low, high), g),
    saves="x",
    domain=away_from(-1.0, 1.0, low=-5, high=5),
    analytic=False,
    doc="The values limited to [low, high]; at a limit the gradient passes.",
)


_at_least = elementwise(
    "clamp_min",
    np.maximum,
    vjp=(lambda g, y, a, b: np.where(a < b, 0.0, g), lambda g, y, a, b: np.where(a < b, g, 0.0)),
    fast=(lambda g, y, a, b: keep(~(a < b), g), lambda g, y, a, b: keep(a < b, g)),
    saves="a b",
    analytic=False,
    doc="a, but no less than b; at a tie a gets the gradient.",
)
_at_most = elementwise(
    "clamp_max",
    np.minimum,
    vjp=(lambda g, y, a, b: np.where(a > b, 0.0, g), lambda g, y, a, b: np.where(a > b, g, 0.0)),
    fast=(lambda g, y, a, b: keep(~(a > b), g), lambda g, y, a, b: keep(a > b, g)),
    saves="a b",
    analytic=False,
    doc="a, but no more than b; at a tie a gets the gradient.",
)
_clamp_between = elementwise(
    "clamp_between",
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    vjp=(
        lambda g, y, x, low, high: np.where((x < low) | (x > high), 0.0, g),
        lambda g, y, x, low, high: np.where((x < low) & (low < high), g, 0.0),
        lambda g, y, x, low, high: np.where((x > high) | (low > high), g, 0.0),
    ),
    fast=(
        lambda g, y, x, low, high: keep(~((x < low) | (x > high)), g),
        lambda g, y, x, low, high: keep((x < low) & (low < high), g),
        lambda g, y, x, low, high: keep((x > high) | (low > high), g),
    ),
    saves="x low high",
    analytic=False,
    doc="x limited to [low, high]; the upper limit wins, and below equal limits nothing gets the gradient.",
)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """The values limited to [min, max], numbers or tensors; either may be None.

    The gradient passes where the value is not changed, at a limit too; a limit that is a tensor gets it elsewhere.

    >>> import autodiff as ad
    >>> ad.clamp(ad.tensor([-2.0, 0.5, 3.0]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        if max is None:
            return _at_least(input, min)
        return _at_most(input, max) if min is None else _clamp_between(input, min, max)
    if min is None and max is None:
        raise ValueError("clamp: expected min, max or both, got neither")
    if input.array.dtype.kind != "f":
        input = astype(input, result_dtype(input.array, *(number for number in (min, max) if number is not None)))
    return _clamp(input, low=min, high=max)


clip = clamp


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """The values, but no less than `min`, a number or a tensor.

    >>> import autodiff as ad
    >>> ad.clamp_min(ad.tensor([-2.0, 0.5]), 0)
    tensor([0.0000, 0.5000])
    """
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """The values, but no more than `max`, a number or a tensor.

    >>> import autodiff as ad
    >>> ad.clamp_max(ad.tensor([0.5, 3.0]), 1)
    tensor([0.5000, 1.0000])
    """
    return clamp(input, max=max)


def _without_nan(x: Any, nan: float | None, posinf: float | None, neginf: float | None) -> Any:
    if x.dtype.kind != "f" or np.isfinite(x).all():
        return x.copy()
    extremes = np.finfo(x.dtype)
    y = x
    for mask, value in (
        (x != x, 0.0 if nan is None else nan),
        (x == np.inf, extremes.max if posinf is None else posinf),
        (x == -np.inf, extremes.min if neginf is None else neginf),
    ):
        y = choose(mask, np.asarray(value, x.dtype), y)
    return y


_nan_to_num = elementwise(
    "nan_to_num",
    _without_nan,
    vjp=lambda g, y, x, nan, posinf, neginf: np.where(np.isfinite(x), g, 0.0),
    fast=lambda g, y, x, nan, posinf, neginf: keep(np.isfinite(x), g),
    saves="x",
    analytic=False,
    doc="The values with numbers in place of NaN and of infinities, where the gradient is 0.",
)


def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """The values with `nan` for NaN and the largest and smallest numbers, or `posinf` and `neginf`, for infinities.

    >>> import autodiff as ad
    >>> ad.nan_to_num(ad.tensor([1.0, float("nan"), float("inf")]), posinf=9.0)
    tensor([1., 0., 9.])
    """
    return _nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


@implements(np.nan_to_num)
def _np_nan_to_num(x: Tensor, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    return nan_to_num(x, nan, posinf, neginf)
