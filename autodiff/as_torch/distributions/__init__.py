"""`torch.distributions`: the families that programs use, drawing PyTorch's numbers after the same seed."""

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
from autodiff.as_torch.distributions.multivariate import MultivariateNormal

__all__ = [
    "Bernoulli", "Beta", "Categorical", "Cauchy", "Chi2", "Dirichlet", "Distribution", "Exponential", "Gamma",
    "Geometric", "Gumbel", "HalfNormal", "Independent", "Laplace", "LogNormal", "Multinomial", "MultivariateNormal",
    "Normal", "OneHotCategorical", "Poisson", "StudentT", "Uniform", "kl_divergence", "register_kl",
]  # fmt: skip
