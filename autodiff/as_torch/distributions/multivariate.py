"""The normal distribution of vectors."""

from __future__ import annotations

from typing import Any

import autodiff as ad
from autodiff.as_torch.behaviour import Size
from autodiff.as_torch.distributions.distribution import LOG_2PI, Distribution
from autodiff.tensor import Tensor


class MultivariateNormal(Distribution):
    """Normal distributions of vectors: of means `loc` (..., n) and one of three square matrices (..., n, n).

    `scale_tril` is the lower triangle L of the covariance L Lᵀ; `precision_matrix` is the inverse of the covariance.
    ValueError unless exactly one is given, and LinAlgError for one that is not positive definite.
    """

    has_rsample = True

    def __init__(
        self, loc: Tensor, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None, validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        given = [x for x in (covariance_matrix, precision_matrix, scale_tril) if x is not None]
        if len(given) != 1:
            raise ValueError(
                "MultivariateNormal expected exactly one of covariance_matrix, precision_matrix and scale_tril"
            )
        if loc.ndim < 1 or given[0].ndim < 2:
            raise ValueError(
                f"MultivariateNormal expected a loc of at least one axis and a matrix of at least two, got "
                f"{tuple(loc.shape)} and {tuple(given[0].shape)}"
            )
        if precision_matrix is not None:
            covariance_matrix = ad.linalg.inv(precision_matrix)
        lower = scale_tril if covariance_matrix is None else ad.linalg.cholesky(covariance_matrix)
        assert lower is not None
        self.batch_shape = Size(ad.broadcast_shapes(lower.shape[:-2], loc.shape[:-1]))
        self.event_shape = loc.shape[-1:]  # type: ignore[assignment]
        self.loc = loc.expand((*self.batch_shape, *self.event_shape))
        self.scale_tril = lower.expand((*self.batch_shape, *self.event_shape, *self.event_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        deviates = ad.empty(self._shape(sample_shape), dtype=self.loc.dtype).normal_()
        return self.loc + (self.scale_tril @ deviates[..., None])[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        apart = value - self.loc
        shape = (*apart.shape, apart.shape[-1])
        solved = ad.linalg.solve_triangular(self.scale_tril.expand(shape), apart[..., None], upper=False)[..., 0]
        return -0.5 * (apart.shape[-1] * LOG_2PI + (solved**2).sum(-1)) - self._half_log_det()

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def entropy(self) -> Tensor:
        return 0.5 * self.loc.shape[-1] * (1.0 + LOG_2PI) + self._half_log_det()

    @property
    def covariance_matrix(self) -> Tensor:
        return self.scale_tril @ self.scale_tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        return ad.linalg.inv(self.covariance_matrix)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self.scale_tril**2).sum(-1)

    def __repr__(self) -> str:
        return f"MultivariateNormal(loc: {self.loc.size()}, scale_tril: {self.scale_tril.size()})"
