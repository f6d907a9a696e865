"""Normalisation of each sample by itself: over layers, groups of channels, and neighbouring channels."""

from collections.abc import Sequence
from typing import Any

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn import functional as F
from nn import init
from nn.module import Module
from nn.parameter import Parameter


def _parameter(shape: Sequence[int], device: Any, dtype: Any) -> Parameter:
    return Parameter(ad.empty(*shape, device=device, dtype=dtype or ad.get_default_dtype()))


class _AffineNorm(Module):
    """What these layers share: a weight, 1 at first, and a bias, 0 at first, either of which may be None."""

    weight: Parameter | None
    bias: Parameter | None

    def reset_parameters(self) -> None:
        """Start anew: no shift and no scaling."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_AffineNorm):
    """Shifts and scales the last dimensions, `normalized_shape`, to mean 0 and variance 1, then by `weight` and `bias`.

    Takes (*, *normalized_shape); OpError for another shape. Source: Ba, Kiros and Hinton 2016.

    >>> import autodiff as ad, nn
    >>> nn.LayerNorm(2, elementwise_affine=False)(ad.tensor([[1.0, 3.0], [0.0, 8.0]]))
    tensor([[-1.0000,  1.0000],
            [-1.0000,  1.0000]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _lengths(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        for name, present in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            self.register_parameter(name, _parameter(self.normalized_shape, device, dtype) if present else None)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(_AffineNorm):
    """Divides the last dimensions, `normalized_shape`, by the root of their mean square, then multiplies by `weight`.

    Takes (*, *normalized_shape); OpError for another shape. By default `eps` is the distance from 1 to the next number
    of the dtype. Source: Zhang and Sennrich 2019.

    >>> import autodiff as ad, nn
    >>> nn.RMSNorm(2, elementwise_affine=False)(ad.tensor([3.0, 4.0]))
    tensor([0.8485, 1.1314])
    """

    bias = None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _lengths(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = _parameter(self.normalized_shape, device, dtype) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_AffineNorm):
    """Shifts and scales each of `num_groups` groups of channels of each sample, then each channel if `affine`.

    Takes (N, C, *); ValueError if the groups do not divide the channels, OpError for another number of channels.
    Source: Wu and He 2018.

    >>> import autodiff as ad, nn
    >>> nn.GroupNorm(2, 4, affine=False)(ad.tensor([[1.0, 3.0, 0.0, 8.0]]))
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"GroupNorm expected num_channels divisible by num_groups, got {num_channels}, {num_groups}"
            )
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        for name, present in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, _parameter((num_channels,), device, dtype) if present else None)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 2 or (self.affine and input.shape[1] != self.num_channels):
            raise OpError(f"expected input (N, {self.num_channels}, *), got {input.shape}")
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """x / (k + alpha · mean of x² over the `size` channels around)^beta.

    Takes (N, C, *) with at least three dimensions; OpError for fewer. Source: Krizhevsky et al. 2012.

    >>> import autodiff as ad, nn
    >>> nn.LocalResponseNorm(2)(ad.ones(1, 3, 4)).shape
    (1, 3, 4)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _lengths(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)
