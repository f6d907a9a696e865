"""`torch.distributions`: the families that programs use, drawing PyTorch's numbers after the same seed."""

from autodiff.as_torch.distributions import constraints, transforms
from autodiff.as_torch.distributions.continuous import (
    Cauchy,
    Exponential,
    Gumbel,
    HalfNormal,
    Laplace,
    LogNormal,
    Normal,
    Uniform,
)
from autodiff.as_torch.distributions.discrete import (
    Bernoulli,
    Categorical,
    Geometric,
    Multinomial,
    OneHotCategorical,
    Poisson,
)
from autodiff.as_torch.distributions.distribution import Distribution, Independent
from autodiff.as_torch.distributions.divergence import kl_divergence, register_kl
from autodiff.as_torch.distributions.gamma import Beta, Chi2, Dirichlet, Gamma, StudentT
from autodiff.as_torch.distributions.mixture import MixtureSameFamily
from autodiff.as_torch.distributions.multivariate import MultivariateNormal
from autodiff.as_torch.distributions.relaxed import (
    OneHotCategoricalStraightThrough,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from autodiff.as_torch.distributions.transformed import TransformedDistribution
from autodiff.as_torch.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    SoftplusTransform,
    TanhTransform,
    Transform,
)

__all__ = [
    "AffineTransform", "Bernoulli", "Beta", "Categorical", "Cauchy", "Chi2", "ComposeTransform", "Dirichlet",
    "Distribution", "ExpTransform", "Exponential", "Gamma", "Geometric", "Gumbel", "HalfNormal", "Independent",
    "Laplace", "LogNormal", "MixtureSameFamily", "Multinomial", "MultivariateNormal", "Normal",
    "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson", "PowerTransform", "RelaxedBernoulli",
    "RelaxedOneHotCategorical", "SigmoidTransform", "SoftplusTransform", "StudentT", "TanhTransform",
    "Transform", "TransformedDistribution", "Uniform", "constraints", "kl_divergence", "register_kl",
    "transforms",
]  # fmt: skip
