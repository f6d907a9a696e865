"""Squares, roots and powers."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import POSITIVE, REALS, Domain, Interval, away_from
from autodiff.dtypes import float64, get_default_dtype
from autodiff.op import Recorder
from autodiff.ops.arithmetic import mul
from autodiff.ops.conversion import astype
from autodiff.ops.exponential import exp2
from autodiff.ops.masking import LARGE
from autodiff.recorders import elementwise, multilinear
from autodiff.tensor import Tensor

square = elementwise(
    "square",
    lambda x: np.square(x) if x.dtype.kind != "b" else x.astype(np.int64),
    numpy=np.square,
    vjp=lambda g, y, x: g * (2 * x),
    saves="x",
    doc="The square x².",
    example="ad.square(ad.tensor([1.0, -3.0])) -> tensor([1., 9.])",
)
sqrt = elementwise(
    "sqrt",
    np.sqrt,
    vjp=lambda g, y, x: g / (2 * y),
    saves="y",
    domain=POSITIVE,
    result="float",
    doc="The square root; its gradient at 0 is infinite.",
    example="ad.sqrt(ad.tensor([4.0, 9.0])) -> tensor([2., 3.])",
)
rsqrt = elementwise(
    "rsqrt",
    lambda x: 1 / np.sqrt(x),
    vjp=lambda g, y, x: -0.5 * g * (y * y * y),
    saves="y",
    domain=POSITIVE,
    result="float",
    doc="The reciprocal of the square root.",
    example="ad.rsqrt(ad.tensor([4.0])) -> tensor([0.5000])",
)


def _length(a: Any, b: Any) -> Any:
    if np.size(a) >= LARGE and np.size(b) >= LARGE:
        # np.hypot calls C's for each element, 5 ms a million, where the plain formula takes 0.7; its squares overflow
        # only far beyond these limits.
        with np.errstate(all="ignore"):
            y = np.sqrt(a * a + b * b)
        if y.dtype != np.float16 and np.min(y) > 1e-12 and np.max(y) < 1e12:
            return y
    return np.hypot(a, b)


hypot = elementwise(
    "hypot",
    _length,
    numpy=np.hypot,
    vjp=(lambda g, y, a, b: g * (a / y), lambda g, y, a, b: g * (b / y)),
    saves=("y a", "y b"),
    domain=(REALS, away_from(0.0)),
    result="float",
    analytic=False,
    doc="The length √(a² + b²), without overflow; its gradient at the origin is NaN.",
    example="ad.hypot(ad.tensor([3.0]), ad.tensor([4.0])) -> tensor([5.])",
)


def _power(a: Any, b: Any) -> Any:
    if np.asarray(b).dtype.kind != "i" or not (negative := np.asarray(b) < 0).any() or np.asarray(a).dtype.kind == "f":
        return np.power(a, b)
    # NumPy refuses negative powers of integers; PyTorch has 1 of 1, ±1 of -1 and 0 of all else.
    of_ones = np.where(a == 1, 1, np.where(a == -1, 1 - 2 * (b % 2), 0))
    return np.where(negative, of_ones, np.power(a, np.maximum(b, 0))).astype(np.result_type(a, b))


_pow = elementwise(
    "pow",
    _power,
    numpy=np.power,
    vjp=(
        lambda g, y, a, b: g * np.where(b == 0, 0.0, b * np.power(np.where(b == 0, 1.0, a), b - 1)),
        lambda g, y, a, b: g * (y * np.log(np.where((a == 0) & (b >= 0), 1.0, a))),
    ),
    saves=("a b", "y a b"),
    domain=(Domain(0.2, 4.0), Interval(-3, 3)),
    doc="The power a ** b of tensors; at a = b = 0 the gradient of both is 0.",
)


def _to_number(x: Any, exponent: Any) -> Any:
    # NumPy's power of a negative base is slow: a million cubes take 50 ms, and 0.1 in this way.
    if exponent == 3:
        return x * x * x
    if exponent == 4:
        return np.square(np.square(x))
    if x.dtype.kind == "f" and exponent % 1 == 0 and not -1 <= exponent <= 2:
        y = np.abs(x) ** exponent
        return np.copysign(y, x) if exponent % 2 else y
    return x**exponent


_pow_number = elementwise(
    "pow_number",
    _to_number,
    vjp=lambda g, y, x, exponent: g * (exponent * x ** (exponent - 1)) if exponent else np.zeros(g.shape, g.dtype),
    fast=lambda g, y, x, exponent: (
        g * (exponent * (x if exponent == 2 else _to_number(x, exponent - 1)))
        if exponent
        else np.zeros(g.shape, g.dtype)
    ),
    saves="x",
    domain=away_from(0.0),
    doc="The power x ** exponent with a Python number as exponent.",
)


def pow(input: Any, exponent: Any) -> Tensor:
    """The power x ** exponent; either may be a number.

    >>> import autodiff as ad
    >>> ad.pow(ad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if (
        type(exponent) in (int, float)
        and isinstance(input, Tensor)
        and (input.array.dtype.kind == "f" or (type(exponent) is int and input.array.dtype.kind != "b"))
    ):
        return _pow_number(input, exponent=exponent)
    return _pow(input, exponent)


def float_power(input: Any, exponent: Any) -> Tensor:
    """The power x ** exponent computed in float64; either may be a number.

    >>> import autodiff as ad
    >>> ad.float_power(ad.tensor([1, 2, 3]), -1)
    tensor([1.0000, 0.5000, 0.3333], dtype=float64)
    """
    base, exponent = (astype(x, float64) if isinstance(x, Tensor) else float(x) for x in (input, exponent))
    return pow(base, exponent)


_ldexp: Recorder = multilinear(
    "ldexp",
    lambda x, exponent: np.ldexp(x, exponent),
    vjp=lambda g, y, x, exponent: _ldexp.rule(g, exponent=exponent),
    analytic=False,
    doc="x · 2**exponent for whole exponents, exact even where the power itself is beyond the dtype.",
)


def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input · 2**other; exact for integers of `other`.

    >>> import autodiff as ad
    >>> ad.ldexp(ad.tensor([1.0, 3.0]), ad.tensor([2, -1]))
    tensor([4.0000, 1.5000])
    """
    exponent = other.array if isinstance(other, Tensor) else np.asarray(other)
    if exponent.dtype.kind == "f":
        return mul(input, exp2(other))
    return _ldexp(input if input.array.dtype.kind == "f" else astype(input, get_default_dtype()), exponent=exponent)
