"""Distributions that are drawn from gamma numbers; what they draw has no gradient here."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

import autodiff as ad
from autodiff import random
from autodiff.as_torch.behaviour import Size
from autodiff.as_torch.distributions.distribution import POSITIVE, REAL, Distribution
from autodiff.dtypes import finfo
from autodiff.tensor import Array, Tensor, wrap

# PyTorch's constants are float32.
THIRD, SQUEEZE = np.float32(1) / np.float32(3), float(np.float32(0.0331))


def standard_gamma(shapes: Array) -> Array:
    """Gamma numbers of these shape parameters and scale 1, in float64, from the default generator, as PyTorch's.

    Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    """
    source = random.default_generator
    with source.lock:
        drawn = [_one_gamma(source, alpha) for alpha in shapes.ravel()]
    return np.array(drawn, np.float64).reshape(shapes.shape)


def _one_gamma(source: random.Generator, alpha: Any) -> float:
    """`alpha` is a NumPy number, in whose precision PyTorch computes what depends on it alone."""
    scale = 1.0
    if alpha < 1:
        # Boosted, since few are accepted otherwise.
        scale = math.pow(1 - source.unit(1, np.float64).item(), 1 / alpha)
        alpha = alpha + 1
    d = float(alpha - THIRD)
    c = 1 / math.sqrt(9 * d)
    while True:
        x = source.next_normal()
        y = 1 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u = 1 - source.unit(1, np.float64).item()
        if u < 1 - SQUEEZE * x**4 or math.log(u) < 0.5 * x * x + d * (1 - v + math.log(v)):
            return scale * d * v


class Gamma(Distribution):
    """Gamma distributions of shape `concentration`, whose means are concentration / rate."""

    concentration: Tensor
    rate: Tensor
    constraints: ClassVar = {"concentration": POSITIVE, "rate": POSITIVE}

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, concentration=concentration, rate=rate)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape, dtype = self._shape(sample_shape), self.rate.dtype
        with ad.no_grad():
            drawn = wrap(standard_gamma(np.broadcast_to(self.concentration.array, shape)).astype(dtype))
            return (drawn / self.rate).clamp(min=finfo(dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        a, rate = self.concentration, self.rate
        return ad.xlogy(a, rate) + ad.xlogy(a - 1, value) - rate * value - ad.lgamma(a)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + ad.lgamma(a) + (1 - a) * ad.digamma(a)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate**2


class Chi2(Gamma):
    """Sums of `df` squares of normal numbers."""

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * df, 0.5, validate_args)

    @property
    def df(self) -> Tensor:
        return self.concentration * 2


class Dirichlet(Distribution):
    """Shares that add up to 1; `concentration` has their axis last."""

    concentration: Tensor
    constraints: ClassVar = {"concentration": POSITIVE}

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, concentration=concentration)
        if not self.batch_shape:
            raise ValueError("Dirichlet expected a concentration with an axis of shares, got a number")
        self.batch_shape, self.event_shape = self.batch_shape[:-1], self.batch_shape[-1:]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        dtype = self.concentration.dtype
        gammas = standard_gamma(np.broadcast_to(self.concentration.array.astype(np.float64), self._shape(sample_shape)))
        shares = gammas / gammas.sum(-1, keepdims=True)
        return wrap(shares.astype(dtype).clip(finfo(dtype).tiny, np.nextafter(dtype.type(1), dtype.type(0))))

    def log_prob(self, value: Tensor) -> Tensor:
        a = self.concentration
        return ad.xlogy(a - 1, value).sum(-1) + ad.lgamma(a.sum(-1)) - ad.lgamma(a).sum(-1)

    def entropy(self) -> Tensor:
        a, total = self.concentration, self.concentration.sum(-1)
        of_sum = ad.lgamma(total) + (a.shape[-1] - total) * ad.digamma(total)
        return ad.lgamma(a).sum(-1) - of_sum - ((a - 1) * ad.digamma(a)).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def variance(self) -> Tensor:
        a, total = self.concentration, self.concentration.sum(-1, keepdim=True)
        return a * (total - a) / (total**2 * (total + 1))


class Beta(Distribution):
    """Beta distributions on (0, 1): densities in proportion to x^(concentration1 - 1) (1 - x)^(concentration0 - 1)."""

    concentration1: Tensor
    concentration0: Tensor
    constraints: ClassVar = {"concentration1": POSITIVE, "concentration0": POSITIVE}

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, concentration1=concentration1, concentration0=concentration0)

    @property
    def shares(self) -> Dirichlet:
        return Dirichlet(ad.stack([self.concentration1, self.concentration0], -1))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.shares.sample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        return self.shares.log_prob(ad.stack([value, 1.0 - value], -1))

    def entropy(self) -> Tensor:
        return self.shares.entropy()

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))


class StudentT(Distribution):
    """Student's distributions of `df` degrees of freedom, shifted by `loc` and scaled by `scale`."""

    df: Tensor
    loc: Tensor
    scale: Tensor
    constraints: ClassVar = {"df": POSITIVE, "loc": REAL, "scale": POSITIVE}

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self._set(validate_args, df=df, loc=loc, scale=scale)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape: Size = self._shape(sample_shape)
        with ad.no_grad():
            normal = ad.empty(shape, dtype=self.df.dtype).normal_()
            return self.loc + self.scale * (normal * ad.rsqrt(Chi2(self.df).sample(sample_shape) / self.df))

    def log_prob(self, value: Tensor) -> Tensor:
        y, df = (value - self.loc) / self.scale, self.df
        norm = self.scale.log() + 0.5 * (df.log() + math.log(math.pi)) + ad.lgamma(0.5 * df)
        return -0.5 * (df + 1) * ad.log1p(y**2 / df) - (norm - ad.lgamma(0.5 * (df + 1)))

    @property
    def mean(self) -> Tensor:
        found: Tensor = ad.where(self.df > 1, self.loc, math.nan)
        return found

    @property
    def variance(self) -> Tensor:
        finite = self.scale**2 * self.df / ad.where(self.df > 2, self.df - 2, 1.0)
        found: Tensor = ad.where(self.df > 2, finite, ad.where(self.df > 1, math.inf, math.nan))
        return found
