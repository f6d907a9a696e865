"""Classes that are drawn with a gradient: relaxed to shares, or straight through."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import autodiff as ad
from autodiff.as_torch.distributions.discrete import Bernoulli, Categorical, OneHotCategorical, clamped
from autodiff.as_torch.distributions.distribution import Distribution
from autodiff.as_torch.distributions.transformed import TransformedDistribution
from autodiff.as_torch.distributions.transforms import ExpTransform, SigmoidTransform, Transform
from autodiff.tensor import Tensor


def _temperature(given: Any) -> Tensor:
    return given if isinstance(given, Tensor) else ad.tensor(float(given))


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical`, whose draws pass their gradient on to `probs` (Bengio, Léonard and Courville, 2013)."""

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class _LogOfShares(Categorical):
    """The logarithms of relaxed one-hot vectors."""

    has_rsample = True
    _event_axes = 1
    sample = Distribution.sample

    def __init__(self, temperature: Tensor, probs: Any, logits: Any, validate_args: bool | None) -> None:
        super().__init__(probs, logits, validate_args)
        self.temperature = temperature

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        uniform = clamped(ad.rand(self._shape(sample_shape), dtype=self.logits.dtype))
        scores: Tensor = (self.logits - (-uniform.log()).log()) / self.temperature
        return scores - scores.logsumexp(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        classes = self.logits.shape[-1]
        score: Tensor = self.logits - value * self.temperature
        score = (score - score.logsumexp(-1, keepdim=True)).sum(-1)
        found: Tensor = score + math.lgamma(classes) + (classes - 1) * self.temperature.log()
        return found


class _Relaxed(TransformedDistribution):
    """What the `transform` makes of relaxed `logarithms`."""

    logarithms: ClassVar[Any]
    transform: ClassVar[type[Transform]]

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(self.logarithms(_temperature(temperature), probs, logits, validate_args), self.transform())
        base = self.base_dist
        self.temperature, self.probs, self.logits = base.temperature, base.probs, base.logits


class RelaxedOneHotCategorical(_Relaxed):
    """Shares of classes, the nearer to one-hot vectors the lower the temperature.

    Source: Maddison, Mnih and Teh, "The concrete distribution", 2017; Jang, Gu and Poole, "Categorical
    reparameterization with Gumbel-softmax", 2017.

    >>> import autodiff as ad
    >>> drawn = RelaxedOneHotCategorical(ad.tensor(0.5), probs=ad.tensor([0.2, 0.8])).rsample()
    >>> f"{drawn.sum():.4f}"
    '1.0000'
    """

    logarithms, transform = _LogOfShares, ExpTransform


class _LogOfOdds(Bernoulli):
    """The logits of relaxed Bernoulli numbers."""

    has_rsample = True
    sample = Distribution.sample

    def __init__(self, temperature: Tensor, probs: Any, logits: Any, validate_args: bool | None) -> None:
        super().__init__(probs, logits, validate_args)
        self.temperature = temperature

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._shape(sample_shape)
        probs = clamped(self.probs.expand(shape))
        uniform = clamped(ad.rand(shape, dtype=probs.dtype))
        odds: Tensor = uniform.log() - (-uniform).log1p() + probs.log() - (-probs).log1p()
        return odds / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        difference: Tensor = self.logits - value * self.temperature
        return self.temperature.log() + difference - 2 * difference.exp().log1p()


class RelaxedBernoulli(_Relaxed):
    """Numbers from 0 to 1, the nearer to one of these the lower the temperature; see `RelaxedOneHotCategorical`."""

    logarithms, transform = _LogOfOdds, SigmoidTransform
