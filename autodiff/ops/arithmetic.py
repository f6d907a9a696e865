"""Arithmetic, elementwise on inputs that broadcast. At ties and kinks the gradients are PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.domain import POSITIVE, REALS, away_from
from autodiff.dtypes import bool_, result_dtype
from autodiff.op import OpError, Recorder, implements
from autodiff.ops.conversion import astype
from autodiff.ops.masking import sign as sign_of
from autodiff.ops.rounding import floor_divide, trunc_divide
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor

NONZERO = away_from(0.0)

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
multiply = mul
true_divide = elementwise(
    "div",
    np.true_divide,
    vjp=(lambda g, y, a, b: g / b, lambda g, y, a, b: -g * (a / b / b)),
    saves=("b", "a b"),
    domain=(REALS, NONZERO),
    result="float",
    doc="The quotient a / b; integers give the default dtype.",
    example="ad.true_divide(ad.tensor([1, 3]), 2) -> tensor([0.5000, 1.5000])",
)
neg = elementwise(
    "neg",
    np.negative,
    vjp=lambda g, y, x: -g,
    doc="The negative -x.",
    example="ad.neg(ad.tensor([1.0, -2.0])) -> tensor([-1.,  2.])",
)
negative = neg


def _abs_on_arrays(g: Any, y: Any, x: Any) -> Any:
    out = np.asarray(sign_of(x))
    out *= g
    return out


abs = elementwise(
    "abs",
    np.absolute,
    vjp=lambda g, y, x: g * np.sign(x),
    fast=_abs_on_arrays,
    saves="x",
    domain=NONZERO,
    analytic=False,
    doc="The absolute value |x|; its gradient at 0 is 0.",
    example="ad.abs(ad.tensor([1.0, -2.0])) -> tensor([1., 2.])",
)
absolute = abs
sign = elementwise(
    "sign",
    lambda x: sign_of(x) if x.dtype.kind != "b" else x.copy(),
    numpy=np.sign,
    vjp=lambda g, y, x: np.zeros(g.shape, g.dtype),
    domain=NONZERO,
    analytic=False,
    doc="The sign -1, 0 or 1; its gradient is 0.",
    example="ad.sign(ad.tensor([3.0, 0.0, -2.0])) -> tensor([ 1.,  0., -1.])",
)
sgn = sign
signbit = elementwise(
    "signbit",
    lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0,
    arity=1,
    numpy=np.signbit,
    doc="Whether x is negative; of floats the sign bit, which -0 has too.",
    example="ad.signbit(ad.tensor([1.0, -0.0, -2.0])) -> tensor([False,  True,  True])",
)
copysign = elementwise(
    "copysign",
    np.copysign,
    vjp=(lambda g, y, a, b: g * (np.sign(y) * np.sign(a)), lambda g, y, a, b: np.zeros(g.shape, g.dtype)),
    saves=("y a", ""),
    domain=(NONZERO, NONZERO),
    result="float",
    analytic=False,
    doc="|a| with the sign of b; its gradient at a = 0 is 0.",
    example="ad.copysign(ad.tensor([1.0, -2.0]), ad.tensor([-1.0, 3.0])) -> tensor([-1.,  2.])",
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
deg2rad = elementwise(
    "deg2rad",
    lambda x: x * (math.pi / 180),
    vjp=lambda g, y, x: g * (math.pi / 180),
    result="float",
    numpy=np.deg2rad,
    doc="Degrees as radians.",
    example="ad.deg2rad(ad.tensor([180.0])) -> tensor([3.1416])",
)
rad2deg = elementwise(
    "rad2deg",
    lambda x: x * (180 / math.pi),
    vjp=lambda g, y, x: g * (180 / math.pi),
    result="float",
    numpy=np.rad2deg,
    doc="Radians as degrees.",
    example="ad.rad2deg(ad.tensor([3.0])) -> tensor([171.8873])",
)
implements(np.radians)(deg2rad)
implements(np.degrees)(rad2deg)


def _scaled(name: str, input: Any, other: Any, alpha: Any) -> Any:
    """alpha * other, computed in the dtype of the result."""
    dtype = result_dtype(*(x.array if isinstance(x, Tensor) else x for x in (input, other)))
    if isinstance(alpha, float) and dtype.kind != "f":
        raise OpError(f"{name}: expected an integer alpha for a result of dtype {dtype}, got {alpha}")
    if isinstance(alpha, bool) and dtype is not bool_:
        raise OpError(f"{name}: expected a number as alpha for a result of dtype {dtype}, got {alpha}")
    if dtype is bool_:
        alpha = bool(alpha)
    return mul(astype(other, dtype), alpha) if isinstance(other, Tensor) else other * alpha


def add(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """The sum x + alpha * other, of shapes that broadcast.

    >>> import autodiff as ad
    >>> ad.add(ad.tensor([1.0, 2.0]), ad.tensor([[10.0], [20.0]]))
    tensor([[11., 12.],
            [21., 22.]])
    """
    return _add(input, other if type(alpha) is int and alpha == 1 else _scaled("add", input, other, alpha))


def sub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """The difference x - alpha * other, of shapes that broadcast.

    >>> import autodiff as ad
    >>> ad.sub(ad.tensor([1.0, 2.0]), 0.5)
    tensor([0.5000, 1.5000])
    """
    return _sub(input, other if type(alpha) is int and alpha == 1 else _scaled("sub", input, other, alpha))


subtract = sub


def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """The difference other - alpha * x: `sub` with its operands exchanged.

    >>> import autodiff as ad
    >>> ad.rsub(ad.tensor([1.0, 2.0]), 3)
    tensor([2., 1.])
    """
    return sub(other, input, alpha=alpha)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """The quotient x / other; `rounding_mode` "floor" or "trunc" rounds it and keeps integers.

    >>> import autodiff as ad
    >>> ad.div(ad.tensor([-3, 5]), 2, rounding_mode="trunc")
    tensor([-1,  2])
    """
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        return trunc_divide(input, other)
    raise ValueError(f'div: expected rounding_mode None, "floor" or "trunc", got {rounding_mode!r}')


divide = div


def positive(input: Tensor) -> Tensor:
    """The tensor itself: +x."""
    return input


def _in_dtype_of(products: Any, value: Any) -> Any:
    """`value` times `products`; a fraction times integers is cut to an integer first, as in PyTorch."""
    if value == 1:
        return products
    return products * (int(value) if products.dtype.kind in "iub" else value)


_addcmul = elementwise(
    "addcmul",
    lambda a, b, c, value: a + _in_dtype_of(b * c, value),
    vjp=(
        lambda g, y, a, b, c, value: g,
        lambda g, y, a, b, c, value: g * (value * c),
        lambda g, y, a, b, c, value: g * (value * b),
    ),
    saves=("", "c", "b"),
    doc="a + value · b · c.",
)
_addcdiv = elementwise(
    "addcdiv",
    lambda a, b, c, value: a + _in_dtype_of(b / c, value),
    vjp=(
        lambda g, y, a, b, c, value: g,
        lambda g, y, a, b, c, value: g * (value / c),
        lambda g, y, a, b, c, value: -g * (value * (b / c / c)),
    ),
    saves=("", "c", "b c"),
    domain=(REALS, REALS, NONZERO),
    result="float",
    doc="a + value · b / c.",
)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value · tensor1 · tensor2, of shapes that broadcast.

    >>> import autodiff as ad
    >>> ad.addcmul(ad.tensor([1.0]), ad.tensor([2.0]), ad.tensor([3.0]), value=0.5)
    tensor([4.])
    """
    return _addcmul(input, tensor1, tensor2, value=value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value · tensor1 / tensor2, of shapes that broadcast; OpError for a quotient of integers.

    >>> import autodiff as ad
    >>> ad.addcdiv(ad.tensor([1.0]), ad.tensor([2.0]), ad.tensor([4.0]))
    tensor([1.5000])
    """
    dtypes = [x.dtype for x in (tensor1, tensor2) if isinstance(x, Tensor)]
    if dtypes and all(dtype.kind != "f" for dtype in dtypes):
        raise OpError(f"addcdiv: expected a floating-point tensor1 or tensor2, got {dtypes}; convert with x.float()")
    return _addcdiv(input, tensor1, tensor2, value=value)


def _log_weighted(a: Any, b: Any) -> Any:
    # As a number times 0 is 0, except for NaN, the logarithm may be any number there.
    dtype = np.result_type(a, b)
    zero = (a == 0) & (b == b)
    return a * np.log(np.where(zero, np.ones((), dtype), b) if np.count_nonzero(zero) else b, dtype=dtype)


def _log_rule(g: Any, y: Any, a: Any, b: Any) -> Any:
    dead = (a == 0) & (b <= 0)
    return np.where(dead, 0.0, xlogy.rule(g, np.where(dead, 1.0, b)))


xlogy: Recorder = elementwise(
    "xlogy",
    _log_weighted,
    vjp=(_log_rule, lambda g, y, a, b: g * (a / b)),
    saves="a b",
    domain=(REALS, POSITIVE),
    result="float",
    doc="a · log(b), and 0 where a is 0, unless b is NaN.",
    example="ad.xlogy(ad.tensor([0.0, 2.0]), ad.tensor([0.0, 3.0])) -> tensor([0.0000, 2.1972])",
)
