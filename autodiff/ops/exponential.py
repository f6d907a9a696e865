"""Exponentials, logarithms and the saturating functions built on them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.domain import POSITIVE, Domain, Interval, away_from
from autodiff.ops.blocks import by_blocks, by_loop
from autodiff.ops.masking import BITS, LARGE, choose, limit
from autodiff.ops.pieces import slope_at
from autodiff.recorders import elementwise


# Small arrays go past `by_loop` and `by_blocks`, whose calls cost 0.4 µs, half of a kernel on 100 numbers.
def stable_sigmoid(x: Any, *, out: Any = None) -> Any:
    # By tanh nothing overflows either, but of -12 the float32 result is wrong in the fourth digit.
    # Of eˣ, not of e⁻ˣ, so that -infinity gives 0 exactly; from 40 on, in float16 from 11, the result is 1.
    y = np.asarray(limit(x, None, 11.0 if x.dtype.itemsize == 2 else 40.0, out))
    np.exp(y, out=y)
    return np.divide(y, y + 1, out=y)


def _sigmoid_on_arrays(g: Any, y: Any, x: Any, *, out: Any = None) -> Any:
    out = np.asarray(np.subtract(1, y, out))
    out *= y
    out *= g
    return out


_large_sigmoid = by_loop(by_blocks(stable_sigmoid), "autodiff.ops.loops.sigmoid")
_large_sigmoid_slope = by_loop(by_blocks(_sigmoid_on_arrays), "autodiff.ops.loops.sigmoid_slope")


exp = elementwise(
    "exp",
    np.exp,
    vjp=lambda g, y, x: g * y,
    saves="y",
    domain=Interval(-20, 5),
    result="float",
    doc="The exponential eˣ.",
    example="ad.exp(ad.tensor([0.0, 1.0])) -> tensor([1.0000, 2.7183])",
)
exp2 = elementwise(
    "exp2",
    np.exp2,
    vjp=lambda g, y, x: g * (y * math.log(2)),
    saves="y",
    domain=Interval(-20, 7),
    result="float",
    analytic=False,
    doc="The power 2ˣ.",
    example="ad.exp2(ad.tensor([0.0, 3.0])) -> tensor([1., 8.])",
)
expm1 = elementwise(
    "expm1",
    np.expm1,
    vjp=lambda g, y, x: g * (y + 1),
    saves="y",
    domain=Interval(-20, 5),
    result="float",
    doc="eˣ - 1, exact near 0.",
    example="ad.expm1(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 1.7183])",
)
log = elementwise(
    "log",
    np.log,
    vjp=lambda g, y, x: g / x,
    saves="x",
    domain=POSITIVE,
    result="float",
    doc="The natural logarithm.",
    example="ad.log(ad.tensor([1.0, 10.0])) -> tensor([0.0000, 2.3026])",
)
log2 = elementwise(
    "log2",
    np.log2,
    vjp=lambda g, y, x: g / (x * math.log(2)),
    saves="x",
    domain=POSITIVE,
    result="float",
    doc="The logarithm to base 2.",
    example="ad.log2(ad.tensor([1.0, 8.0])) -> tensor([0., 3.])",
)
log10 = elementwise(
    "log10",
    np.log10,
    vjp=lambda g, y, x: g / (x * math.log(10)),
    saves="x",
    domain=POSITIVE,
    result="float",
    doc="The logarithm to base 10.",
    example="ad.log10(ad.tensor([1.0, 50.0])) -> tensor([0.0000, 1.6990])",
)
log1p = elementwise(
    "log1p",
    np.log1p,
    vjp=lambda g, y, x: g / (x + 1),
    saves="x",
    domain=Domain(-0.9, 50.0),
    result="float",
    doc="log(1 + x), exact near 0.",
    example="ad.log1p(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.6931])",
)
sigmoid = elementwise(
    "sigmoid",
    lambda x: stable_sigmoid(x) if x.size < LARGE else _large_sigmoid(x),
    vjp=lambda g, y, x: g * (y * (1 - y)),
    fast=lambda g, y, x: (_sigmoid_on_arrays if y.size < LARGE else _large_sigmoid_slope)(g, y, x),
    saves="y",
    domain=Interval(-15, 15),
    result="float",
    doc="The logistic function 1 / (1 + e⁻ˣ).",
    example="ad.sigmoid(ad.tensor([0.0, 2.0])) -> tensor([0.5000, 0.8808])",
)
tanh = elementwise(
    "tanh",
    np.tanh,
    vjp=lambda g, y, x: g * (1 - y * y),
    saves="y",
    domain=Interval(-8, 8),
    result="float",
    doc="The hyperbolic tangent.",
    example="ad.tanh(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.7616])",
)


def _relu_bits(g: Any, y: Any, x: Any, *, out: Any = None) -> Any:
    out = np.empty(g.shape, g.dtype) if out is None else out
    bits = out.view(BITS[g.dtype.itemsize])
    np.not_equal(y, 0, out=bits, casting="unsafe")
    bits *= g.view(bits.dtype)
    return out


_large_relu = by_loop(lambda x: limit(x, 0, None), "autodiff.ops.loops.relu")
_large_relu_slope = by_loop(by_blocks(_relu_bits), "autodiff.ops.loops.relu_slope")
relu = elementwise(
    "relu",
    lambda x: np.maximum(x, 0) if x.size < LARGE else _large_relu(x),
    # A product with 0 would make NaN of an infinite g, as in sqrt(relu(x)) at x < 0, where the gradient is 0.
    vjp=lambda g, y, x: slope_at.rule(np.where(y <= 0, 0.0, g), y),
    # y is 0, positive or NaN, and so its own condition: 32 by 16 numbers take 1.2 µs, and 1.9 with the comparison.
    fast=lambda g, y, x: np.where(y, g, 0.0) if g.size < LARGE else _large_relu_slope(g, y, x),
    saves="y",
    domain=away_from(0.0),
    analytic=False,
    doc="max(x, 0); its gradient at 0 is 0 (the course leaves the choice open).",
    example="ad.relu(ad.tensor([-1.0, 2.0])) -> tensor([0., 2.])",
)


def _leaky(x: Any, negative_slope: float, *, out: Any = None) -> Any:
    y = x * negative_slope if out is None else np.multiply(x, negative_slope, out)
    # The larger of both takes half of the time of choosing, but no slope above 1 and no 0 times infinity.
    return np.maximum(x, y, out=out) if 0 < negative_slope <= 1 else choose(x > 0, x, y, out)


def _leaky_slope(g: Any, y: Any, x: Any, negative_slope: float, *, out: Any = None) -> Any:
    if x.size < LARGE or not 0 < negative_slope <= 1:
        return choose(x > 0, g, g * negative_slope)
    slope = np.greater(x, 0, out=np.empty_like(g) if out is None else out, casting="unsafe")
    np.clip(slope, negative_slope, 1, out=slope)
    slope *= g
    return slope


_large_leaky = by_loop(by_blocks(_leaky), "autodiff.ops.loops.leaky")
_large_leaky_slope = by_loop(by_blocks(_leaky_slope), "autodiff.ops.loops.leaky_slope")
leaky_relu = elementwise(
    "leaky_relu",
    lambda x, negative_slope: (_leaky if x.size < LARGE else _large_leaky)(x, negative_slope=negative_slope),
    vjp=lambda g, y, x, negative_slope: slope_at.rule(np.where(x > 0, g, g * negative_slope), x),
    fast=lambda g, y, x, negative_slope: (_leaky_slope if x.size < LARGE else _large_leaky_slope)(
        g, y, x, negative_slope=negative_slope
    ),
    saves="x",
    arity=1,
    domain=away_from(0.0),
    analytic=False,
    doc="x where it is positive, else negative_slope * x; its gradient at 0 is the slope.",
)


def _log_of_sum(a: Any, b: Any, base: float) -> Any:
    """The larger of both, plus the logarithm of what the smaller adds."""
    peak = np.maximum(a, b)
    with np.errstate(invalid="ignore"):
        rest = np.asarray(a - b)
    if np.isinf(peak).any():
        # Equal infinities, whose difference is NaN, are their own sum.
        rest[np.broadcast_to(np.asarray(a == b), rest.shape)] = 0
    np.abs(rest, out=rest)
    rest *= -math.log(base)
    np.log1p(np.exp(rest, out=rest), out=rest)
    rest *= 1 / math.log(base)
    rest += peak
    return rest


def _logaddexp_kernel(a: Any, b: Any) -> Any:
    # NumPy calls C's functions for each element: 20 ms a million, and 2 in whole arrays.
    return np.logaddexp(a, b) if min(np.size(a), np.size(b)) < LARGE else _log_of_sum(a, b, math.e)


def _logaddexp2_kernel(a: Any, b: Any) -> Any:
    return np.logaddexp2(a, b) if min(np.size(a), np.size(b)) < LARGE else _log_of_sum(a, b, 2.0)


logaddexp = elementwise(
    "logaddexp",
    _logaddexp_kernel,
    numpy=np.logaddexp,
    vjp=(lambda g, y, a, b: g * sigmoid.rule(a - b), lambda g, y, a, b: g * sigmoid.rule(b - a)),
    saves="a b",
    result="float",
    analytic=False,
    doc="log(eᵃ + eᵇ), without overflow.",
    example="ad.logaddexp(ad.tensor([0.0]), ad.tensor([0.0])) -> tensor([0.6931])",
)
logaddexp2 = elementwise(
    "logaddexp2",
    _logaddexp2_kernel,
    numpy=np.logaddexp2,
    vjp=(
        lambda g, y, a, b: g * sigmoid.rule((a - b) * math.log(2)),
        lambda g, y, a, b: g * sigmoid.rule((b - a) * math.log(2)),
    ),
    saves="a b",
    result="float",
    analytic=False,
    doc="log₂(2ᵃ + 2ᵇ), without overflow.",
    example="ad.logaddexp2(ad.tensor([0.0]), ad.tensor([0.0])) -> tensor([1.])",
)
