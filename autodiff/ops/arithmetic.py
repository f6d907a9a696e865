"""Arithmetic, elementwise on inputs that broadcast. At ties and kinks the gradients are PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import POSITIVE, REALS, Domain, Interval, away_from
from autodiff.dtypes import result_dtype
from autodiff.op import Recorder
from autodiff.ops.conversion import astype
from autodiff.ops.selection import where
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor

NONZERO = away_from(0.0)


def _no_integer_by_zero(kernel: Any) -> Any:
    """`kernel`, refusing what NumPy answers with 0 and a warning."""

    def checked(a: Any, b: Any) -> Any:
        if np.result_type(a, b).kind in "iub" and not np.all(b):
            raise ZeroDivisionError("division of integers by zero; use floating-point tensors, which give inf or nan")
        return kernel(a, b)

    return checked


_add = elementwise(
    "add",
    np.add,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: g),
    doc="The sum a + b.",
)
_sub = elementwise(
    "sub",
    np.subtract,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g),
    doc="The difference a - b.",
)
mul = elementwise(
    "mul",
    np.multiply,
    vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    saves=("b", "a"),
    doc="The product a * b.",
    example="ad.mul(ad.tensor([1.0, 2.0]), 3) -> tensor([3., 6.])",
)
_div = elementwise(
    "div",
    np.true_divide,
    vjp=(lambda g, y, a, b: g / b, lambda g, y, a, b: -g * (a / b / b)),
    saves=("b", "a b"),
    domain=(REALS, NONZERO),
    result="float",
    doc="The quotient a / b; integers give the default dtype.",
)
_pow = elementwise(
    "pow",
    np.power,
    vjp=(
        lambda g, y, a, b: g * np.where(b == 0, 0.0, b * np.power(np.where(b == 0, 1.0, a), b - 1)),
        lambda g, y, a, b: g * (y * np.log(np.where((a == 0) & (b >= 0), 1.0, a))),
    ),
    saves=("a b", "y a b"),
    domain=(Domain(0.2, 4.0), Interval(-3, 3)),
    doc="The power a ** b of tensors; at a = b = 0 the gradient of both is 0.",
)
_pow_number = elementwise(
    "pow_number",
    lambda x, exponent: x**exponent,
    vjp=lambda g, y, x, exponent: g * (exponent * x ** (exponent - 1)) if exponent else np.zeros(g.shape, g.dtype),
    saves="x",
    domain=NONZERO,
    doc="The power x ** exponent with a Python number as exponent.",
)
neg = elementwise(
    "neg",
    np.negative,
    vjp=lambda g, y, x: -g,
    doc="The negative -x.",
    example="ad.neg(ad.tensor([1.0, -2.0])) -> tensor([-1.,  2.])",
)
abs = elementwise(
    "abs",
    np.absolute,
    vjp=lambda g, y, x: g * np.sign(x),
    saves="x",
    domain=away_from(0.0),
    analytic=False,
    doc="The absolute value |x|; its gradient at 0 is 0.",
    example="ad.abs(ad.tensor([1.0, -2.0])) -> tensor([1., 2.])",
)
sign = elementwise(
    "sign",
    np.sign,
    vjp=lambda g, y, x: np.zeros(g.shape, g.dtype),
    domain=away_from(0.0),
    analytic=False,
    doc="The sign -1, 0 or 1; its gradient is 0.",
    example="ad.sign(ad.tensor([3.0, 0.0, -2.0])) -> tensor([ 1.,  0., -1.])",
)
square = elementwise(
    "square",
    np.square,
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
reciprocal = elementwise(
    "reciprocal",
    lambda x: 1 / x,
    vjp=lambda g, y, x: -g * (y * y),
    saves="y",
    domain=NONZERO,
    result="float",
    numpy=np.reciprocal,
    doc="The reciprocal 1 / x.",
    example="ad.reciprocal(ad.tensor([4.0])) -> tensor([0.2500])",
)
maximum = elementwise(
    "maximum",
    np.maximum,
    vjp=(
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a < b, 0.0, g)),
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a > b, 0.0, g)),
    ),
    saves="a b",
    analytic=False,
    doc="The larger of a and b; at a tie each gets half of the gradient.",
    example="ad.maximum(ad.tensor([1.0, 5.0]), ad.tensor([3.0, 2.0])) -> tensor([3., 5.])",
)
minimum = elementwise(
    "minimum",
    np.minimum,
    vjp=(
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a > b, 0.0, g)),
        lambda g, y, a, b: np.where(a == b, g / 2, np.where(a < b, 0.0, g)),
    ),
    saves="a b",
    analytic=False,
    doc="The smaller of a and b; at a tie each gets half of the gradient.",
    example="ad.minimum(ad.tensor([1.0, 5.0]), ad.tensor([3.0, 2.0])) -> tensor([1., 2.])",
)


def _outside(x: Any, low: Any, high: Any) -> Any:
    if low is None:
        return x > high
    return x < low if high is None else (x < low) | (x > high)


_clamp = elementwise(
    "clamp",
    lambda x, low, high: np.clip(x, low, high),
    # Not x >= low, which is false for a limit that is absent (None) and for NaN.
    vjp=lambda g, y, x, low, high: np.where(_outside(x, low, high), 0.0, g),
    saves="x",
    domain=away_from(-1.0, 1.0, low=-5, high=5),
    analytic=False,
    doc="The values limited to [low, high]; at a limit the gradient passes.",
)


def _zero_gradient(name: str, kernel: Any, doc: str, example: str) -> Recorder:
    return elementwise(
        name,
        kernel,
        vjp=lambda g, y, x: np.zeros(g.shape, g.dtype),
        domain=away_from(*range(-5, 6), *(i + 0.5 for i in range(-5, 5)), low=-5, high=5),
        analytic=False,
        doc=f"{doc}; its gradient is 0.",
        example=example,
    )


floor = _zero_gradient(
    "floor", np.floor, "The largest whole number not above x", "ad.floor(ad.tensor([1.7])) -> tensor([1.])"
)
ceil = _zero_gradient(
    "ceil", np.ceil, "The smallest whole number not below x", "ad.ceil(ad.tensor([1.2])) -> tensor([2.])"
)
round = _zero_gradient(
    "round",
    lambda x: np.rint(x) if x.dtype.kind == "f" else x.copy(),
    "The nearest whole number, halves to even",
    "ad.round(ad.tensor([1.7])) -> tensor([2.])",
)
trunc = _zero_gradient("trunc", np.trunc, "x without its fraction", "ad.trunc(ad.tensor([-1.7])) -> tensor([-1.])")
remainder = elementwise(
    "remainder",
    _no_integer_by_zero(np.remainder),
    numpy=np.remainder,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor(a / b)),
    saves=("", "a b"),
    domain=(Interval(0.1, 0.9), Interval(1.0, 5.0)),
    analytic=False,
    doc="The remainder of a / b with the sign of b.",
    example="ad.remainder(ad.tensor([-3.0, 5.0]), 2) -> tensor([1., 1.])",
)
fmod = elementwise(
    "fmod",
    _no_integer_by_zero(np.fmod),
    numpy=np.fmod,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g * np.trunc(a / b)),
    saves=("", "a b"),
    domain=(Interval(0.1, 0.9), Interval(1.0, 5.0)),
    analytic=False,
    doc="The remainder of a / b with the sign of a.",
    example="ad.fmod(ad.tensor([-3.0, 5.0]), 2) -> tensor([-1.,  1.])",
)


def add(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """The sum x + alpha * other, of shapes that broadcast.

    >>> import autodiff as ad
    >>> ad.add(ad.tensor([1.0, 2.0]), ad.tensor([[10.0], [20.0]]))
    tensor([[11., 12.],
            [21., 22.]])
    """
    return _add(input, other if alpha == 1 else mul(other, alpha))


def sub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """The difference x - alpha * other, of shapes that broadcast.

    >>> import autodiff as ad
    >>> ad.sub(ad.tensor([1.0, 2.0]), 0.5)
    tensor([0.5000, 1.5000])
    """
    return _sub(input, other if alpha == 1 else mul(other, alpha))


def _trunc_kernel(a: Any, b: Any) -> Any:
    if np.result_type(a, b).kind == "f":
        return np.trunc(a / b)
    # Exact, unlike a detour over floating point.
    down = np.floor_divide(a, b)
    return down + ((down < 0) & (down * b != a))


_trunc_divide = elementwise(
    "trunc_divide",
    _no_integer_by_zero(_trunc_kernel),
    vjp=(lambda g, y, a, b: np.zeros(g.shape, g.dtype), lambda g, y, a, b: np.zeros(g.shape, g.dtype)),
    domain=(Interval(0.1, 0.9), Interval(1.0, 5.0)),
    analytic=False,
    doc="The quotient a / b rounded towards zero; its gradient is 0.",
)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """The quotient x / other; `rounding_mode` "floor" or "trunc" rounds it and keeps integers.

    >>> import autodiff as ad
    >>> ad.div(ad.tensor([-3, 5]), 2, rounding_mode="trunc")
    tensor([-1,  2])
    """
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        return _trunc_divide(input, other)
    raise ValueError(f'div: expected rounding_mode None, "floor" or "trunc", got {rounding_mode!r}')


floor_divide = elementwise(
    "floor_divide",
    _no_integer_by_zero(np.floor_divide),
    numpy=np.floor_divide,
    vjp=(lambda g, y, a, b: np.zeros(g.shape, g.dtype), lambda g, y, a, b: np.zeros(g.shape, g.dtype)),
    domain=(Interval(0.1, 0.9), Interval(1.0, 5.0)),
    analytic=False,
    doc="The quotient a / b rounded down; its gradient is 0.",
    example="ad.floor_divide(ad.tensor([-3, 5]), 2) -> tensor([-2,  2])",
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


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """The values limited to [min, max], numbers or tensors; either may be None.

    >>> import autodiff as ad
    >>> ad.clamp(ad.tensor([-2.0, 0.5, 3.0]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise ValueError("clamp: expected min, max or both, got neither")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        # Not maximum and minimum, which give half of the gradient to a limit that is met exactly.
        above = input if min is None else where(input < min, min, input)
        limited: Tensor = above if max is None else where(above > max, max, above)
        return limited
    wanted = result_dtype(input.array, *(limit for limit in (min, max) if limit is not None))
    return _clamp(astype(input, wanted), low=min, high=max)


clip = clamp


def positive(input: Tensor) -> Tensor:
    """The tensor itself: +x."""
    return input
