"""Linear layers."""

import math
from typing import Any

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn import init
from nn.functional import linear
from nn.module import Module
from nn.parameter import Parameter


class Linear(Module):
    """x Wᵀ + b, from inputs of shape (*, in_features) to outputs of shape (*, out_features); also called `Dense`.

    `weight` has shape (out_features, in_features) and `bias` (out_features,); both start evenly drawn from
    ±1 / √in_features.

    >>> import autodiff as ad, nn
    >>> nn.Linear(2, 3)(ad.zeros(5, 2)).shape
    (5, 3)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(ad.empty(out_features, in_features, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(ad.empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(self.in_features, 1))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """The outputs for a batch of inputs."""
        try:
            return linear(input, self.weight, self.bias)
        except OpError:
            if input.shape[-1:] == (self.in_features,):
                raise
            raise OpError(f"expected input (*, {self.in_features}), got {input.shape}") from None

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


Dense = Linear


class Identity(Module):
    """The input itself; takes and ignores any arguments, to stand in for a layer.

    >>> import autodiff as ad, nn
    >>> nn.Identity()(ad.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input
