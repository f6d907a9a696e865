"""Distributions of real numbers that are drawn from uniform, normal or exponential ones."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import autodiff as ad
from autodiff.as_torch.distributions.distribution import LOG_2PI, POSITIVE, REAL, Distribution
from autodiff.dtypes import finfo
from autodiff.tensor import Tensor

EULER = 0.57721566490153286060


class LocationScale(Distribution):
    """loc + scale · deviate: a family given by the density of its `deviate`."""

    loc: Tensor
    scale: Tensor
    constraints: ClassVar = {"loc": REAL, "scale": POSITIVE}
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, loc=loc, scale=scale)

    def _drawn(self, shape: Any) -> Tensor:
        """Deviates."""
        raise NotImplementedError

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc + self._drawn(self._shape(sample_shape)) * self.scale

    def _deviate(self, value: Tensor) -> Tensor:
        return (value - self.loc) / self.scale

    @property
    def mean(self) -> Tensor:
        return self.loc


class Normal(LocationScale):
    """Normal distributions of means `loc` and standard deviations `scale`.

    >>> import autodiff as ad
    >>> Normal(0.0, 1.0).log_prob(ad.tensor(0.0))
    tensor(-0.9189)
    """

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._shape(sample_shape)
        with ad.no_grad():
            return ad.normal(self.loc.expand(shape), self.scale.expand(shape))

    def _drawn(self, shape: Any) -> Tensor:
        return ad.empty(shape, dtype=self.loc.dtype).normal_()

    def log_prob(self, value: Tensor) -> Tensor:
        return -((value - self.loc) ** 2) / (2 * self.scale**2) - self.scale.log() - LOG_2PI / 2

    def entropy(self) -> Tensor:
        return 0.5 + LOG_2PI / 2 + self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        return 0.5 * (1 + ad.erf(self._deviate(value) / math.sqrt(2)))

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * ad.erfinv(2 * value - 1) * math.sqrt(2)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale**2


class LogNormal(Normal):
    """Exponentials of normal numbers of means `loc` and standard deviations `scale`."""

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return super().sample(sample_shape).exp()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return super().rsample(sample_shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value.log()) - value.log()

    def entropy(self) -> Tensor:
        return super().entropy() + self.loc

    def cdf(self, value: Tensor) -> Tensor:
        return super().cdf(value.log())

    def icdf(self, value: Tensor) -> Tensor:
        return super().icdf(value).exp()

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Tensor:
        return (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp()


class Laplace(LocationScale):
    """Laplace distributions, whose density is exp(-|x - loc| / scale) / (2 scale)."""

    def _drawn(self, shape: Any) -> Tensor:
        u = ad.empty(shape, dtype=self.loc.dtype).uniform_(finfo(self.loc.dtype).eps - 1, 1)
        return -u.sign() * ad.log1p(-u.abs())

    def log_prob(self, value: Tensor) -> Tensor:
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()

    def cdf(self, value: Tensor) -> Tensor:
        apart = value - self.loc
        return 0.5 - 0.5 * apart.sign() * ad.expm1(-apart.abs() / self.scale)

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale**2


class Cauchy(LocationScale):
    """Cauchy distributions; mean and variance are not defined, and NaN and infinite as in PyTorch."""

    def _drawn(self, shape: Any) -> Tensor:
        return ad.empty(shape, dtype=self.loc.dtype).cauchy_()

    def log_prob(self, value: Tensor) -> Tensor:
        return -math.log(math.pi) - self.scale.log() - ad.log1p(self._deviate(value) ** 2)

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        return ad.atan(self._deviate(value)) / math.pi + 0.5

    @property
    def mean(self) -> Tensor:
        return ad.full_like(self.loc, math.nan)

    @property
    def variance(self) -> Tensor:
        return ad.full_like(self.loc, math.inf)


class Gumbel(LocationScale):
    """Gumbel distributions, those of the largest of many numbers."""

    def _drawn(self, shape: Any) -> Tensor:
        limits = finfo(self.loc.dtype)
        # PyTorch draws from the uniform numbers between these.
        u = limits.tiny + ad.rand(shape, dtype=self.loc.dtype) * (1 - limits.eps - limits.tiny)
        return -(-u.log()).log()

    def log_prob(self, value: Tensor) -> Tensor:
        y = -self._deviate(value)
        return (y - y.exp()) - self.scale.log()

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + EULER)

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * EULER

    @property
    def variance(self) -> Tensor:
        return self.scale**2 * (math.pi**2 / 6)


class Uniform(Distribution):
    """Uniform distributions on [low, high)."""

    low: Tensor
    high: Tensor
    constraints: ClassVar = {"low": REAL, "high": REAL}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, low=low, high=high)
        if validate_args is not False and not bool((self.low < self.high).all()):
            raise ValueError(f"Uniform is not defined when low >= high: got low={self.low} and high={self.high}")

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.low + ad.rand(self._shape(sample_shape), dtype=self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value >= self.low) & (value < self.high)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12


class Exponential(Distribution):
    """Exponential distributions, whose means are 1 / rate."""

    rate: Tensor
    constraints: ClassVar = {"rate": POSITIVE}
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, rate=rate)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return ad.empty(self._shape(sample_shape), dtype=self.rate.dtype).exponential_() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        return self.rate.log() - self.rate * value

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()

    def cdf(self, value: Tensor) -> Tensor:
        return -ad.expm1(-self.rate * value)

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate**-2


class HalfNormal(Distribution):
    """Absolute values of normal numbers of mean 0 and standard deviations `scale`."""

    scale: Tensor
    constraints: ClassVar = {"scale": POSITIVE}
    has_rsample = True

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, scale=scale)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return Normal(ad.zeros_like(self.scale), self.scale).sample(sample_shape).abs()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return Normal(ad.zeros_like(self.scale), self.scale).rsample(sample_shape).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        density = Normal(ad.zeros_like(self.scale), self.scale).log_prob(value) + math.log(2)
        found: Tensor = ad.where(value >= 0, density, -math.inf)
        return found

    def entropy(self) -> Tensor:
        return 0.5 + LOG_2PI / 2 + self.scale.log() - math.log(2)

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale**2 * (1 - 2 / math.pi)
