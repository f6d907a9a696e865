"""Special functions made of exponentials, logarithms and sines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.domain import POSITIVE, REALS, Domain, Interval
from autodiff.op import Recorder
from autodiff.ops.blocks import by_blocks, on_vectors
from autodiff.ops.masking import with_sign_of
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor


def _sinc_kernel(x: Any) -> Any:
    # Near a zero of the sine the digits of πx are those of the distance to a whole number, which is exact.
    whole = np.rint(x)
    odd = whole - 2 * np.rint(0.5 * whole)
    sine = np.sin(math.pi * (x - whole)) * (1 - 2 * odd * odd)
    zero = x == 0
    # 1 where x is 0, so that nothing is divided by 0.
    return np.where(zero, 1, sine / (math.pi * x + zero))


def _sinc_slope(y: Any, x: Any) -> Any:
    """(cos z - y) / x with z = πx; near 0, where the difference has no digits left, its series in z²."""
    z = math.pi * x
    near = np.abs(x) < 0.05
    square = np.where(near, z * z, 0.0)
    series = -math.pi / 3 * z * (1 - square / 10 * (1 - square / 28 * (1 - square / 54 * (1 - square / 88))))
    return np.where(near, series, (np.cos(z) - y) / np.where(near, 1.0, x))


@by_blocks
def _sinc_on_arrays(g: Any, y: Any, x: Any) -> Any:
    if (np.abs(x) < 0.05).any():
        return g * _sinc_slope(y, x)
    slope = np.asarray(np.cos(math.pi * x))
    slope -= y
    slope /= x
    slope *= g
    return slope


sinc = elementwise(
    "sinc",
    by_blocks(on_vectors(_sinc_kernel)),
    vjp=lambda g, y, x: g * _sinc_slope(y, x),
    fast=_sinc_on_arrays,
    saves="x y",
    domain=Interval(-8, 8),
    result="float",
    numpy=np.sinc,
    doc="sin(πx) / πx, and 1 at 0.",
    example="ad.sinc(ad.tensor([0.0, 0.5])) -> tensor([1.0000, 0.6366])",
)


def _limited(x: Any, eps: float | None) -> Any:
    return x if eps is None else np.where(x < eps, eps, np.where(x > 1 - eps, 1 - eps, x))


@by_blocks
def _logit_kernel(x: Any, eps: float | None, *, out: Any = None) -> Any:
    x = _limited(x, eps)
    # log(x / (1 - x)) has no digits left near 0.5. Adding 0 makes 0 of -0, so that both give -inf.
    end = np.asarray(1 - x)
    np.minimum(x, end, out=end)
    end += 0.0
    distance = np.asarray(2 * x)
    distance -= 1
    y = np.asarray(np.abs(distance, out))
    y /= end
    np.log1p(y, out=y)
    return with_sign_of(distance, y)


def _logit_slope(x: Any, eps: float | None) -> Any:
    if eps is None:
        product = x * (1 - x)
        return np.where(product < 0, math.nan, 1 / product)
    outside = (x < eps) | (x > 1 - eps)
    inside = np.where(outside, 0.5, x)
    return np.where(outside, 0.0, 1 / (inside * (1 - inside)))


def _logit_on_arrays(g: Any, y: Any, x: Any, eps: float | None) -> Any:
    if eps is not None:
        return g * _logit_slope(x, eps)
    product = np.asarray(1 - x)
    product *= x
    # The least number is nan if there is one.
    if not np.minimum.reduce(product, None, initial=0) >= 0:
        product[product < 0] = math.nan
    return np.divide(g, product, out=product)


_logit = elementwise(
    "logit",
    _logit_kernel,
    vjp=lambda g, y, x, eps: g * _logit_slope(x, eps),
    fast=_logit_on_arrays,
    saves="x",
    arity=1,
    domain=Domain(0.02, 0.98),
    result="float",
    analytic=False,
    doc="log(x / (1 - x)), the inverse of sigmoid.",
)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; `eps` limits x to [eps, 1 - eps], else 0 and 1 give infinities.

    >>> import autodiff as ad
    >>> ad.logit(ad.tensor([0.5, 1.0]), eps=0.1)
    tensor([0.0000, 2.1972])
    """
    return _logit(input, eps=None if eps is None or eps < 0 else eps)


def _entropy(x: Any) -> Any:
    positive = x > 0
    return np.where(positive, -x * np.log(np.where(positive, x, 1)), np.where(x < 0, -math.inf, x))


entr = elementwise(
    "entr",
    _entropy,
    vjp=lambda g, y, x: g * (-1 - np.log(x)),
    saves="x",
    domain=POSITIVE,
    result="float",
    analytic=False,
    doc="-x log x, one term of an entropy: 0 at 0 and -inf below; its gradient at 0 is infinite.",
    example="ad.special.entr(ad.tensor([0.0, 0.5])) -> tensor([0.0000, 0.3466])",
)


def _log1p_weighted(a: Any, b: Any) -> Any:
    # As a number times 0 is 0, except for NaN, the logarithm may be any number there.
    return a * np.log1p(np.where((a == 0) & (b == b), np.zeros((), np.result_type(a, b)), b))


def _log1p_rule(g: Any, y: Any, a: Any, b: Any) -> Any:
    dead = (a == 0) & (b <= -1)
    return np.where(dead, 0.0, g * np.log1p(np.where(dead, 0.0, b)))


xlog1py: Recorder = elementwise(
    "xlog1py",
    _log1p_weighted,
    vjp=(_log1p_rule, lambda g, y, a, b: g * (a / (b + 1))),
    saves="a b",
    domain=(REALS, Domain(-0.9, 50.0)),
    result="float",
    doc="a · log(1 + b), and 0 where a is 0, unless b is NaN.",
    example="ad.special.xlog1py(ad.tensor([0.0, 2.0]), ad.tensor([-1.0, 1.0])) -> tensor([0.0000, 1.3863])",
)
