"""Linear layers."""

import math
from typing import Any

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn import init
from nn.functional import linear
from nn.lazy import LazyModuleMixin
from nn.module import Module
from nn.parameter import Parameter, UninitializedParameter


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


class LazyLinear(LazyModuleMixin, Linear):
    """A `Linear` whose `in_features` is the last length of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyLinear(3)
    >>> _ = layer(ad.zeros(5, 2))
    >>> layer
    Linear(in_features=2, out_features=3, bias=True)
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, once the sizes are known."""
        if self.in_features and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take `in_features` from the input, unless a state has been loaded, and draw initial values."""
        if not isinstance(self.weight, UninitializedParameter):
            self.in_features = self.weight.shape[1]
            return
        self.in_features = input.shape[-1]
        self.weight.materialize((self.out_features, self.in_features))
        if isinstance(self.bias, UninitializedParameter):
            self.bias.materialize((self.out_features,))
        self.reset_parameters()


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
