"""Rounding, whole quotients and their remainders. The steps have the gradient 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.domain import Interval, away_from
from autodiff.op import OpError, Recorder, implements
from autodiff.ops.blocks import BLOCK
from autodiff.ops.masking import LARGE
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor
from autodiff.threads import share

# On both sides of every step, but not on it.
BETWEEN_STEPS = away_from(*range(-5, 6), *(i + 0.5 for i in range(-5, 5)), low=-5, high=5)
# Quotients of both signs, up to 9.
QUOTIENTS = (Interval(-9.0, 9.0), away_from(0.0, low=-5.0, high=5.0, margin=1.0))


def _zero_gradient(name: str, kernel: Any, doc: str, example: str) -> Recorder:
    return elementwise(
        name,
        kernel,
        vjp=lambda g, y, x: np.zeros(g.shape, g.dtype),
        domain=BETWEEN_STEPS,
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
trunc = _zero_gradient("trunc", np.trunc, "x without its fraction", "ad.trunc(ad.tensor([-1.7])) -> tensor([-1.])")
fix = trunc


def _fraction(x: Any) -> Any:
    y = np.asarray(np.trunc(x))
    return np.subtract(x, y, out=y)


frac = elementwise(
    "frac",
    _fraction,
    vjp=lambda g, y, x: g,
    domain=BETWEEN_STEPS,
    analytic=False,
    doc="The fraction of x, with the sign of x.",
    example="ad.frac(ad.tensor([1.5, -1.25])) -> tensor([ 0.5000, -0.2500])",
)


def _rounded(x: Any, decimals: int) -> Any:
    if x.dtype.kind != "f":
        return x.copy()
    if decimals == 0:
        return np.rint(x)
    scale = 10.0 ** abs(decimals)
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


_round = elementwise(
    "round",
    _rounded,
    vjp=lambda g, y, x, decimals: np.zeros(g.shape, g.dtype),
    domain=BETWEEN_STEPS,
    analytic=False,
    doc="The nearest number of so many decimals, halves to even; its gradient is 0.",
)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many `decimals`, of tens and hundreds if they are negative; halves go to even.

    OpError for decimals of integers, as in PyTorch.

    >>> import autodiff as ad
    >>> ad.round(ad.tensor([1.7, 2.5])), ad.round(ad.tensor([1.2345]), decimals=2)
    (tensor([2., 2.]), tensor([1.2300]))
    """
    if decimals and input.array.dtype.kind != "f":
        raise OpError(f"round: expected a floating-point tensor for decimals={decimals}, got {input.dtype}")
    return _round(input, decimals=decimals)


@implements(np.round)
def _np_round(x: Tensor, decimals: int = 0) -> Tensor:
    return round(x, decimals=decimals)


_BY_ZERO = "division of integers by zero; use floating-point tensors, which give inf or nan"


def _in_double(compute: Callable[[Any, Any, Any], Any], a: Any, b: Any) -> Any:
    """What `compute` makes of float32 numbers in double precision, or None where that might not be exact.

    A quotient of two float32 numbers, if it is no whole number, is at least 2⁻²⁵ away from one: below 2²⁸ that is more
    than double precision rounds away. So the whole quotient is exact, and then its product with b and the difference
    from a. NumPy's functions call C's fmod for each element: a million takes 20 ms, and 2 in this way.
    """
    shape = np.broadcast(a, b).shape
    a, b = (np.broadcast_to(np.asarray(x, np.float32), shape).reshape(-1) for x in (a, b))
    out = np.empty(shape, np.float32)
    flat = out.reshape(-1)
    exact = True

    def work(i: int) -> None:
        nonlocal exact
        at = slice(i * BLOCK, (i + 1) * BLOCK)
        if exact:
            x, y = a[at].astype(np.float64), b[at].astype(np.float64)
            quotient = x / y
            # The least and the largest number of an array are nan if there is one.
            exact = bool(
                np.min(y) > -math.inf and np.max(y) < math.inf
                and np.min(quotient) > -(2**28) and np.max(quotient) < 2**28
            )  # fmt: skip
            flat[at] = compute(x, y, quotient)

    with np.errstate(all="ignore"):
        share(work, -(-a.size // BLOCK))
    return out if exact else None


def _divided(kernel: np.ufunc, in_double: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`kernel`, faster for large arrays, and refusing what NumPy answers with 0 and a warning."""

    def divided(a: Any, b: Any) -> Any:
        alike = type(a) is type(b) is np.ndarray and a.shape == b.shape and a.dtype is b.dtype
        dtype = a.dtype if alike else np.result_type(a, b)
        if dtype.char == "f":
            large = (a.size if alike else np.broadcast(a, b).size) >= LARGE
            found = _in_double(in_double, a, b) if large else None
            return kernel(a, b) if found is None else found
        if dtype.kind in "iub" and not np.all(b):
            raise ZeroDivisionError(_BY_ZERO)
        return kernel(a, b)

    return divided


def _rest_after(rounded: np.ufunc) -> Callable[[Any, Any, Any], Any]:
    """a without whole quotients of b."""

    def rest(a: Any, b: Any, quotient: Any) -> Any:
        rounded(quotient, out=quotient)
        quotient *= b
        a -= quotient
        return a

    return rest


def _minus_whole(rounded: np.ufunc) -> Callable[..., Any]:
    def on_arrays(g: Any, y: Any, a: Any, b: Any) -> Any:
        out = np.asarray(a / b)
        rounded(out, out=out)
        out *= g
        return np.negative(out, out=out)

    return on_arrays


remainder = elementwise(
    "remainder",
    _divided(np.remainder, _rest_after(np.floor)),
    numpy=np.remainder,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor(a / b)),
    fast=(lambda g, y, a, b: g, _minus_whole(np.floor)),
    saves=("", "a b"),
    domain=QUOTIENTS,
    analytic=False,
    doc="The remainder of a / b with the sign of b.",
    example="ad.remainder(ad.tensor([-3.0, 5.0]), 2) -> tensor([1., 1.])",
)
fmod = elementwise(
    "fmod",
    _divided(np.fmod, _rest_after(np.trunc)),
    numpy=np.fmod,
    vjp=(lambda g, y, a, b: g, lambda g, y, a, b: -g * np.trunc(a / b)),
    fast=(lambda g, y, a, b: g, _minus_whole(np.trunc)),
    saves=("", "a b"),
    domain=QUOTIENTS,
    analytic=False,
    doc="The remainder of a / b with the sign of a.",
    example="ad.fmod(ad.tensor([-3.0, 5.0]), 2) -> tensor([-1.,  1.])",
)
floor_divide = elementwise(
    "floor_divide",
    _divided(np.floor_divide, lambda a, b, quotient: np.floor(quotient, out=quotient)),
    numpy=np.floor_divide,
    vjp=(lambda g, y, a, b: np.zeros(g.shape, g.dtype), lambda g, y, a, b: np.zeros(g.shape, g.dtype)),
    domain=QUOTIENTS,
    analytic=False,
    doc="The quotient a / b rounded down; its gradient is 0.",
    example="ad.floor_divide(ad.tensor([-3, 5]), 2) -> tensor([-2,  2])",
)


def _trunc_kernel(a: Any, b: Any) -> Any:
    if np.result_type(a, b).kind == "f":
        return np.trunc(a / b)
    if not np.all(b):
        raise ZeroDivisionError(_BY_ZERO)
    # Exact, unlike a detour over floating point.
    down = np.floor_divide(a, b)
    return down + ((down < 0) & (down * b != a))


trunc_divide = elementwise(
    "trunc_divide",
    _trunc_kernel,
    vjp=(lambda g, y, a, b: np.zeros(g.shape, g.dtype), lambda g, y, a, b: np.zeros(g.shape, g.dtype)),
    domain=QUOTIENTS,
    analytic=False,
    doc="The quotient a / b rounded towards zero; its gradient is 0.",
)
