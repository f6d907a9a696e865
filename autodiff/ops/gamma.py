"""The gamma function's logarithm and derivatives, incomplete gamma functions, Hurwitz's zeta; most through SciPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.domain import POSITIVE, Domain, away_from, integers
from autodiff.op import Recorder
from autodiff.ops.blocks import by_blocks, on_vectors
from autodiff.ops.from_scipy import BLOCK, from_scipy
from autodiff.recorders import elementwise
from autodiff.tensor import Array, Tensor

# All of them have poles at 0 and at the negative whole numbers.
BETWEEN_POLES = away_from(0.0, -1.0, -2.0, -3.0, low=-3.5, high=30, margin=0.15)
# Numbers B₁₄, ..., B₄ of the series Σ B₂ₖ / x²ᵏ⁺¹; from x = 10 on float32 has digits for the last two.
_NUMBERS = (7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30)
BERNOULLI = {d: [np.array(b, d) for b in _NUMBERS[start:]] for d, start in (("f", 4), ("d", 0))}
# What stands before them, with B₂ first: 1/x + 1/2x² + 1/6x³.
FIRST = {dtype: [np.array(number, dtype) for number in (1 / 6, 1 / 2, 1)] for dtype in "fd"}
STEPS = {dtype: np.arange(11, dtype=dtype)[:, None] for dtype in "fd"}
_digamma_kernel = from_scipy("psi")
_zeta_kernel = from_scipy("zeta")
_lgamma_kernel = from_scipy("gammaln")


class NoDerivativeError(NotImplementedError):
    """The gradient of a parameter for which there is no formula was asked for."""

    def __str__(self) -> str:
        return "its first input has no derivative here; detach() it, and differentiate the second only"


def _no_derivative(g: Any, y: Any, a: Any, b: Any) -> Any:
    raise NoDerivativeError


def _trigamma_of_positive(x: Array) -> Array:
    """Ten steps of ψ₁(x) = 1/x² + ψ₁(x + 1), and Stirling's series."""
    inverses = np.reciprocal(x + STEPS[x.dtype.char])
    inverse = inverses[-1].copy()
    square = inverse * inverse
    first, *others = BERNOULLI[x.dtype.char]
    series: Array = first * square
    for number in others:
        series += number
        series *= square
    for number in FIRST[x.dtype.char]:
        series += number
        series *= inverse
    inverses *= inverses
    series += np.add.reduce(inverses[:-1], 0)
    return series


@by_blocks
@on_vectors
def _trigamma(x: Array) -> Array:
    """ψ₁(x), by reflection below 0: ψ₁(x) + ψ₁(1 - x) = π² / sin² πx. SciPy's zeta(2, x) takes 30 times as long."""
    negative = x <= 0
    # A fifth of the time of `any`.
    if not np.count_nonzero(negative):
        return _trigamma_of_positive(x)
    y = _trigamma_of_positive(np.where(negative, 1 - x, x))
    # The largest numbers are whole, and so -inf has the value of a pole, which is also the limit.
    below = x[negative].clip(-1e30)
    with np.errstate(divide="ignore"):
        y[negative] = np.square(math.pi / np.sin(math.pi * (below - np.rint(below)))) - y[negative]
    return y


def _polygamma_kernel(x: Any, n: int) -> Any:
    if n == 1:
        return _trigamma(x)
    return _digamma_kernel(x) if n == 0 else (-1) ** (n + 1) * math.factorial(n) * _zeta_kernel(n + 1, x)


_polygamma: Recorder = elementwise(
    "polygamma",
    _polygamma_kernel,
    vjp=lambda g, y, x, n: g * _polygamma.rule(x, n=n + 1),
    saves="x",
    arity=1,
    domain=BETWEEN_POLES,
    result="float",
    analytic=False,
    doc="The derivative of order n of digamma.",
)
digamma = elementwise(
    "digamma",
    _digamma_kernel,
    vjp=lambda g, y, x: g * _polygamma.rule(x, n=1),
    fast=lambda g, y, x: g * _trigamma(x),
    saves="x",
    domain=BETWEEN_POLES,
    result="float",
    analytic=False,
    doc="The derivative of log Γ(x). SciPy computes it.",
    example="ad.digamma(ad.tensor([1.0, 2.0])) -> tensor([-0.5772,  0.4228])",
)
psi = digamma
lgamma = elementwise(
    "lgamma",
    # SciPy has -inf at -inf; C and PyTorch have inf, as at all the other poles.
    by_blocks(lambda x: np.where(x == -math.inf, math.inf, _lgamma_kernel(x)), BLOCK),
    vjp=lambda g, y, x: g * digamma.rule(x),
    saves="x",
    domain=BETWEEN_POLES,
    result="float",
    analytic=False,
    doc="log |Γ(x)|. SciPy computes it.",
    example="ad.lgamma(ad.tensor([1.0, 5.0])) -> tensor([0.0000, 3.1781])",
)
gammaln = lgamma
zeta: Recorder = elementwise(
    "zeta",
    _zeta_kernel,
    vjp=(_no_derivative, lambda g, y, a, b: -g * (a * zeta.rule(a + 1, b))),
    saves=("", "a b"),
    domain=(integers(2, 6), Domain(0.3, 20.0)),
    result="float",
    analytic=False,
    doc="Hurwitz's zeta function Σ (b + k)⁻ᵃ over k from 0; differentiable in b. SciPy computes it.",
    example="ad.special.zeta(ad.tensor([2.0]), ad.tensor([1.0])) -> tensor([1.6449])",
)


def _density(a: Any, b: Any) -> Any:
    """bᵃ⁻¹ e⁻ᵇ / Γ(a), the density of the gamma distribution."""
    return np.exp((a - 1) * np.log(b) - b - lgamma.rule(a))


gammainc = elementwise(
    "gammainc",
    from_scipy("gammainc"),
    vjp=(_no_derivative, lambda g, y, a, b: g * _density(a, b)),
    saves=("", "a b"),
    domain=(integers(1, 5), POSITIVE),
    result="float",
    analytic=False,
    doc="The regularised lower incomplete gamma function P(a, b); differentiable in b. SciPy computes it.",
    example="ad.special.gammainc(ad.tensor([1.0]), ad.tensor([2.0])) -> tensor([0.8647])",
)
gammaincc = elementwise(
    "gammaincc",
    from_scipy("gammaincc"),
    vjp=(_no_derivative, lambda g, y, a, b: -g * _density(a, b)),
    saves=("", "a b"),
    domain=(integers(1, 5), POSITIVE),
    result="float",
    analytic=False,
    doc="The regularised upper incomplete gamma function 1 - P(a, b); differentiable in b. SciPy computes it.",
    example="ad.special.gammaincc(ad.tensor([1.0]), ad.tensor([2.0])) -> tensor([0.1353])",
)


def polygamma(n: int, input: Tensor) -> Tensor:
    """The derivative of order `n` of digamma; OpError for a negative one. SciPy computes it.

    >>> import autodiff as ad
    >>> ad.polygamma(1, ad.tensor([1.0, 2.0]))
    tensor([1.6449, 0.6449])
    """
    if n < 0:
        raise ValueError(f"polygamma: expected an order n from 0, got {n}")
    return _polygamma(input, n=n)


def polygamma_of(input: Tensor, n: int) -> Tensor:
    """The derivative of order `n` of digamma, as the method ``x.polygamma(n)``."""
    return polygamma(n, input)


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`: Σ lgamma(x - j/2) + p (p - 1) / 4 · log π.

    ValueError for a dimension below 1. SciPy computes it.

    >>> import autodiff as ad
    >>> ad.mvlgamma(ad.tensor([3.0]), 2)
    tensor([1.5502])
    """
    if p < 1:
        raise ValueError(f"mvlgamma: expected a dimension p from 1, got {p}")
    total = lgamma(input)
    for j in range(1, p):
        total = total + lgamma(input - 0.5 * j)
    return total + p * (p - 1) / 4 * math.log(math.pi)


multigammaln = mvlgamma
