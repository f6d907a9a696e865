"""Distributions of counts and classes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import autodiff as ad
from autodiff.as_torch.behaviour import Size
from autodiff.as_torch.distributions.distribution import NONNEGATIVE, PROBABILITY, REAL, Constraint, Distribution
from autodiff.dtypes import finfo
from autodiff.tensor import Tensor
from nn import functional

SHARES: Constraint = ("a share of at least 0", lambda x: x >= 0)


def clamped(probs: Tensor) -> Tensor:
    """Probabilities whose logarithms are finite."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(eps, 1 - eps)


class OddsDistribution(Distribution):
    """Distributions given by `probs` or by `logits`, log(p / (1 - p)); the other is computed when it is asked for."""

    constraints: ClassVar = {"probs": PROBABILITY, "logits": REAL}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError(f"{type(self).__name__} expected either probs or logits, got both or none")
        self._set(validate_args, **({"logits": logits} if probs is None else {"probs": probs}))
        self._given: Tensor = vars(self)["logits" if probs is None else "probs"]

    def __getattr__(self, name: str) -> Any:
        if name == "probs" and "logits" in vars(self):
            return ad.sigmoid(self.logits)
        if name == "logits" and "probs" in vars(self):
            probs = clamped(self.probs)
            return probs.log() - ad.log1p(-probs)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def expand(self, batch_shape: Any) -> Any:
        name = "probs" if "probs" in vars(self) else "logits"
        return type(self)(**{name: self._given.expand(batch_shape)}, validate_args=False)


class Bernoulli(OddsDistribution):
    """1 with probability `probs`, else 0.

    >>> import autodiff as ad
    >>> Bernoulli(ad.tensor([0.25])).log_prob(ad.tensor([1.0])).exp()
    tensor([0.2500])
    """

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with ad.no_grad():
            return ad.bernoulli(self.probs.expand(self._shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        logits, value = ad.broadcast_tensors(self.logits, value)
        return -functional.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return functional.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    @property
    def mean(self) -> Tensor:
        return self.probs  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)  # type: ignore[no-any-return]


class Geometric(OddsDistribution):
    """The number of failures before the first success, each trial having the probability `probs`."""

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with ad.no_grad():
            u = ad.empty(self._shape(sample_shape), dtype=self._given.dtype)
            u.uniform_(finfo(u.dtype).tiny, 1)
            return (u.log() / ad.log1p(-self.probs)).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        value, probs = ad.broadcast_tensors(value, self.probs)
        # Where both are 0 the product below would be NaN.
        certain = ad.where((probs == 1) & (value == 0), 0.0, probs)
        found: Tensor = value * ad.log1p(-certain) + self.probs.log()
        return found

    def entropy(self) -> Tensor:
        mixed = functional.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        found: Tensor = mixed / self.probs
        return found

    @property
    def mean(self) -> Tensor:
        return 1.0 / self.probs - 1.0  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        return (1.0 / self.probs - 1.0) / self.probs  # type: ignore[no-any-return]


class Categorical(Distribution):
    """Classes 0, 1, ... with probabilities in proportion to `probs` or to exponentials of `logits`, (..., classes).

    >>> import autodiff as ad
    >>> Categorical(ad.tensor([1.0, 3.0])).log_prob(ad.tensor([0, 1])).exp()
    tensor([0.2500, 0.7500])
    """

    constraints: ClassVar = {"probs": SHARES, "logits": REAL}
    # How many axes of `probs` a value has: none, as the class is a number.
    _event_axes = 0

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError(f"{type(self).__name__} expected either probs or logits, got both or none")
        given = logits if probs is None else probs
        if given.ndim < 1:
            raise ValueError(f"{type(self).__name__} expected at least one axis, that of the classes, got a number")
        self._set(validate_args, **({"logits": logits} if probs is None else {"probs": probs}))
        # Normalised, as in PyTorch.
        if probs is None:
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
            self.probs = functional.softmax(self.logits, -1)
        else:
            self.probs = probs / probs.sum(-1, keepdim=True)
            self.logits = clamped(self.probs).log()
        self.batch_shape = self.batch_shape[:-1]
        self.event_shape = Size(given.shape[-1:] * self._event_axes)

    @property
    def param_shape(self) -> Size:
        return Size(self.logits.shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self._classes(sample_shape)

    def _classes(self, sample_shape: Any) -> Tensor:
        sample_shape = Size((sample_shape,) if isinstance(sample_shape, int) else sample_shape)
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        drawn: Tensor = ad.multinomial(rows, sample_shape.numel(), True).T
        return drawn.reshape((*sample_shape, *self.batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        value, logits = ad.broadcast_tensors(value.long()[..., None], self.logits)
        return logits.gather(-1, value[..., :1])[..., 0]

    def entropy(self) -> Tensor:
        surprise: Tensor = self.logits.clamp(min=finfo(self.logits.dtype).min) * self.probs
        return -surprise.sum(-1)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    @property
    def mean(self) -> Tensor:
        return ad.full(self.batch_shape, math.nan, dtype=self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        return self.mean


class OneHotCategorical(Categorical):
    """`Categorical`, its values being vectors with a 1 at the class and 0 elsewhere."""

    _event_axes = 1

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return functional.one_hot(self._classes(sample_shape), self.probs.shape[-1]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value.argmax(-1))

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)


class Multinomial(Categorical):
    """How often each class came up in `total_count` draws."""

    _event_axes = 1

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self.total_count = total_count

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        drawn = self._classes((self.total_count, *shape))
        return functional.one_hot(drawn, self.probs.shape[-1]).sum(0).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        logits, value = ad.broadcast_tensors(self.logits, value)
        logits = ad.where((value == 0) & (logits == -math.inf), 0.0, logits)
        orders: Tensor = ad.lgamma(value.sum(-1) + 1) - ad.lgamma(value + 1).sum(-1)
        found: Tensor = orders + (logits * value).sum(-1)
        return found

    def entropy(self) -> Tensor:
        raise NotImplementedError("Multinomial has no entropy here")

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)


class Poisson(Distribution):
    """Counts of means `rate`."""

    rate: Tensor
    constraints: ClassVar = {"rate": NONNEGATIVE}

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        self._set(validate_args, rate=rate)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with ad.no_grad():
            return ad.poisson(self.rate.expand(self._shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        return ad.xlogy(value, self.rate) - self.rate - ad.lgamma(value + 1)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate
