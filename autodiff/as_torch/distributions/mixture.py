"""Mixtures of distributions of one family."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from autodiff.as_torch.distributions.discrete import Categorical
from autodiff.as_torch.distributions.distribution import Distribution
from autodiff.tensor import Tensor


class MixtureSameFamily(Distribution):
    """Each value from one of the components, the last axis of their batch, which a Categorical chooses.

    >>> import autodiff as ad
    >>> from autodiff.as_torch.distributions import Categorical, Normal
    >>> both = MixtureSameFamily(Categorical(ad.ones(2)), Normal(ad.tensor([-1.0, 1.0]), 0.5))
    >>> both.mean, both.variance
    (tensor(0.), tensor(1.2500))
    """

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical) or not isinstance(component_distribution, Distribution):
            raise ValueError(
                f"MixtureSameFamily expected a Categorical and a distribution of components, got "
                f"{type(mixture_distribution).__name__} and {type(component_distribution).__name__}"
            )
        counts = mixture_distribution.logits.shape[-1], (component_distribution.batch_shape or (None,))[-1]
        if counts[0] != counts[1]:
            raise ValueError(
                f"MixtureSameFamily expected as many components as weights, got {counts[1]} for {counts[0]}"
            )
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        self.batch_shape = component_distribution.batch_shape[:-1]
        self.event_shape = component_distribution.event_shape

    def _beside(self, value: Tensor) -> Tensor:
        """Values with an axis for the components."""
        return value.unsqueeze(-1 - len(self.event_shape))

    def _averaged(self, of_components: Tensor) -> Tensor:
        weights = self.mixture_distribution.probs
        weights = weights.reshape((*weights.shape, *[1] * len(self.event_shape)))
        return (weights * of_components).sum(-1 - len(self.event_shape))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with ad.no_grad():
            chosen = self.mixture_distribution.sample(sample_shape)
            drawn = self.component_distribution.sample(sample_shape)
            axis = drawn.ndim - len(self.event_shape) - 1
            index = chosen.reshape((*chosen.shape, *[1] * (drawn.ndim - axis)))
            shape = (*drawn.shape[:axis], 1, *self.event_shape)
            return drawn.gather(axis, index.expand(shape)).squeeze(axis)

    def log_prob(self, value: Tensor) -> Tensor:
        weights = ad.log_softmax(self.mixture_distribution.logits, -1)
        return ad.logsumexp(self.component_distribution.log_prob(self._beside(value)) + weights, -1)

    def cdf(self, value: Tensor) -> Tensor:
        return (self.component_distribution.cdf(self._beside(value)) * self.mixture_distribution.probs).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self._averaged(self.component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        spread = (self.component_distribution.mean - self._beside(self.mean)) ** 2
        return self._averaged(self.component_distribution.variance) + self._averaged(spread)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
