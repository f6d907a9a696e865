"""The Kullback-Leibler divergence between distributions of one family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autodiff as ad
from autodiff.as_torch.distributions.continuous import Exponential, Laplace, Normal, Uniform
from autodiff.as_torch.distributions.discrete import Bernoulli, Categorical, Poisson
from autodiff.as_torch.distributions.distribution import Distribution, Independent, sum_last
from autodiff.as_torch.distributions.gamma import Beta, Dirichlet, Gamma
from autodiff.tensor import Tensor
from nn import functional

# By the families of both, most special first.
FORMULAS: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Callable[[Any, Any], Tensor]], Callable[[Any, Any], Tensor]]:
    """A decorator for a function (p, q) that gives the divergence for these families."""

    def register(formula: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
        FORMULAS[type_p, type_q] = formula
        return formula

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The mean under p of log p - log q, in nats, (batch); NotImplementedError for families without a formula.

    >>> import autodiff as ad
    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
    tensor(0.5000)
    """
    found = [pair for pair in FORMULAS if isinstance(p, pair[0]) and isinstance(q, pair[1])]
    if not found:
        raise NotImplementedError(
            f"kl_divergence has no formula for {type(p).__name__} and {type(q).__name__}: estimate it as the mean of "
            f"p.log_prob(x) - q.log_prob(x) over x = p.rsample((n,)), or give one by register_kl"
        )
    nearest = min(found, key=lambda pair: type(p).__mro__.index(pair[0]) + type(q).__mro__.index(pair[1]))
    return FORMULAS[nearest](p, q)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    inside = (q.low <= p.low) & (q.high >= p.high)
    found: Tensor = ad.where(inside, ((q.high - q.low) / (p.high - p.low)).log(), float("inf"))
    return found


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log()
        + ad.lgamma(b)
        - ad.lgamma(a)
        + (a - b) * ad.digamma(a)
        + (q.rate - p.rate) * (a / p.rate)
    )


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    constant = ad.lgamma(total) - ad.lgamma(b.sum(-1)) - (ad.lgamma(a) - ad.lgamma(b)).sum(-1)
    return constant + ((a - b) * (ad.digamma(a) - ad.digamma(total)[..., None])).sum(-1)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p.shares, q.shares)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    logits, probs = ad.broadcast_tensors(q.logits, p.probs)
    return functional.binary_cross_entropy_with_logits(logits, probs, reduction="none") - p.entropy()


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    # Where p is 0, so is the product, whatever q is; where q alone is 0 the divergence is infinite.
    terms: Tensor = p.probs * (p.logits - q.logits)
    terms = ad.where(q.probs == 0, float("inf"), terms)
    terms = ad.where((p.probs == 0) & (terms == terms), 0.0, terms)
    return terms.sum(-1)


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence expected two Independent of the same reinterpreted_batch_ndims")
    return sum_last(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)
