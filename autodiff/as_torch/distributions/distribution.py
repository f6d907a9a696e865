"""What all distributions of `torch.distributions` have in common; `Independent`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

import autodiff as ad
from autodiff.as_torch.behaviour import Size
from autodiff.tensor import Tensor

# What a parameter must fulfil, and in which words an error says so.
Constraint = tuple[str, Callable[[Tensor], Tensor]]
REAL: Constraint = ("a real number", lambda x: x == x)
POSITIVE: Constraint = ("a number above 0", lambda x: x > 0)
NONNEGATIVE: Constraint = ("a number of at least 0", lambda x: x >= 0)
PROBABILITY: Constraint = ("a number from 0 to 1", lambda x: (x >= 0) & (x <= 1))


class Distribution:
    """A batch of distributions: those of a shape `batch_shape`, each over values of the shape `event_shape`.

    A subclass names its parameters with their constraints in `constraints`, and calls `_set` with their values. As in
    PyTorch, ValueError for a parameter that is outside its constraint.
    """

    constraints: ClassVar[dict[str, Constraint]] = {}
    has_rsample = False
    batch_shape: Size
    event_shape: Size = Size()

    def _set(self, validate: bool | None = None, **parameters: Any) -> None:
        """Take parameters, tensors or numbers, in their common shape, which is that of the batch."""
        given = [x for x in parameters.values() if isinstance(x, Tensor)]
        dtype = given[0].dtype if given else ad.get_default_dtype()
        tensors = [x if isinstance(x, Tensor) else ad.tensor(x, dtype=dtype) for x in parameters.values()]
        for name, x in zip(parameters, ad.broadcast_tensors(*tensors), strict=True):
            words, fulfilled = self.constraints[name]
            if validate is not False and not bool(fulfilled(x.detach()).all()):
                raise ValueError(f"{type(self).__name__} expected {words} for each {name}, got {x.detach()}")
            setattr(self, name, x)
        self.batch_shape = Size(x.shape)

    def _shape(self, sample_shape: Any) -> Size:
        """The shape of what is drawn."""
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        return Size((*shape, *self.batch_shape, *self.event_shape))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn from the distributions, without a graph."""
        with ad.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn such that their gradients by the parameters exist; NotImplementedError where these do not."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample: what it draws has no gradient here")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob here")

    def entropy(self) -> Tensor:
        """The mean of minus `log_prob`, in nats."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy here")

    @property
    def mean(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no mean here")

    @property
    def variance(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no variance here")

    @property
    def stddev(self) -> Tensor:
        return self.variance.sqrt()

    def cdf(self, value: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no cdf here")

    def icdf(self, value: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no icdf here")

    def expand(self, batch_shape: Any) -> Self:
        """The same distributions, broadcast to a batch of another shape."""
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        for name in self.constraints:
            x = vars(self)[name]
            setattr(new, name, x.expand((*batch_shape, *x.shape[len(self.batch_shape) :])))
        new.batch_shape = Size(batch_shape)
        return new

    def __repr__(self) -> str:
        values = {name: vars(self)[name] for name in self.constraints if name in vars(self)}
        shown = [f"{name}: {x if x.numel() == 1 else x.size()}" for name, x in values.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def sum_last(x: Tensor, axes: int) -> Tensor:
    """The sums over the last `axes` axes."""
    return x.sum(tuple(range(-axes, 0))) if axes else x


class Independent(Distribution):
    """The last axes of a batch as one value: `log_prob` is the sum over them.

    >>> import autodiff as ad
    >>> from autodiff.as_torch.distributions import Normal
    >>> Independent(Normal(ad.zeros(2), ad.ones(2)), 1).log_prob(ad.zeros(2))
    tensor(-1.8379)
    """

    def __init__(
        self, base_distribution: Any, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        split = len(base_distribution.batch_shape) - reinterpreted_batch_ndims
        if split < 0:
            raise ValueError(
                f"Independent expected at least {reinterpreted_batch_ndims} axes in the batch, got "
                f"{tuple(base_distribution.batch_shape)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        shape = base_distribution.batch_shape + base_distribution.event_shape
        self.batch_shape, self.event_shape = shape[:split], shape[split:]
        self.has_rsample = base_distribution.has_rsample

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        return sum_last(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return sum_last(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


LOG_2PI = math.log(2 * math.pi)
