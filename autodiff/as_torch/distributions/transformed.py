"""Distributions of what transforms make of drawn numbers."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from autodiff.as_torch.distributions.distribution import Distribution, sum_last
from autodiff.as_torch.distributions.transforms import ComposeTransform, Transform
from autodiff.tensor import Tensor


class TransformedDistribution(Distribution):
    """What one or several transforms, the first first, make of the values of a distribution.

    >>> import autodiff as ad
    >>> from autodiff.as_torch.distributions import Normal
    >>> from autodiff.as_torch.distributions.transforms import ExpTransform
    >>> TransformedDistribution(Normal(0.0, 1.0), ExpTransform()).log_prob(ad.tensor(1.0))
    tensor(-0.9189)
    """

    def __init__(self, base_distribution: Any, transforms: Any, validate_args: bool | None = None) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        for transform in self.transforms:
            if not isinstance(transform, Transform):
                raise ValueError(f"TransformedDistribution expected a Transform or several, got {transform!r}")
        self.base_dist = base_distribution
        self._all = ComposeTransform(self.transforms)
        shape = base_distribution.batch_shape + base_distribution.event_shape
        self._own = len(base_distribution.event_shape)
        split = len(shape) - max(self._own, self._all.event_dim)
        self.batch_shape, self.event_shape = shape[:split], shape[split:]
        self.has_rsample = base_distribution.has_rsample

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with ad.no_grad():
            return self._all(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._all(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        axes, y = len(self.event_shape), value
        slopes: Any = 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            slopes = slopes + sum_last(transform.log_abs_det_jacobian(x, y), axes - transform.event_dim)
            y = x
        found: Tensor = sum_last(self.base_dist.log_prob(y), axes - self._own) - slopes
        return found

    def _monotone(self, value: Tensor) -> Tensor:
        found: Tensor = self._all.sign * (value - 0.5) + 0.5
        return found

    def cdf(self, value: Tensor) -> Tensor:
        return self._monotone(self.base_dist.cdf(self._all.inv(value)))

    def icdf(self, value: Tensor) -> Tensor:
        return self._all(self.base_dist.icdf(self._monotone(value)))
