"""Convolutions that take the number of their input channels from their first input."""

from typing import Any

from autodiff.op import OpError
from autodiff.tensor import Tensor
from nn.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    Convolution,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from nn.functional.conv import AXES, Lengths
from nn.lazy import LazyModuleMixin
from nn.parameter import UninitializedParameter


class _LazyConvolution(LazyModuleMixin, Convolution):
    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.register_parameter("bias", UninitializedParameter(device=device, dtype=dtype) if bias else None)

    def reset_parameters(self) -> None:
        """Draw new initial values, once the sizes are known."""
        if self.in_channels and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take `in_channels` from the input, unless a state has been loaded, and draw initial values."""
        if not isinstance(self.weight, UninitializedParameter):
            shape = self.weight.shape
            self.in_channels = shape[0] if self.transposed else shape[1] * self.groups
            return
        if input.ndim not in (self.ndim + 1, self.ndim + 2):
            axes = AXES[self.ndim]
            raise OpError(f"expected an input (N, C, {axes}) or (C, {axes}), got {input.shape}")
        channels = input.shape[-self.ndim - 1]
        if channels % self.groups:
            raise ValueError(f"expected channels that {self.groups} groups divide, got {channels} of {input.shape}")
        self.in_channels = channels
        self.weight.materialize(self._weight_shape())
        if isinstance(self.bias, UninitializedParameter):
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LazyConv(_LazyConvolution):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Lengths,
        stride: Lengths = 1,
        padding: str | Lengths = 0,
        dilation: Lengths = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        Convolution.__init__(
            self, 0, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )


class _LazyConvTranspose(_LazyConvolution):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Lengths,
        stride: Lengths = 1,
        padding: Lengths = 0,
        output_padding: Lengths = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Lengths = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        Convolution.__init__(
            self, 0, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype,
            output_padding,
        )  # fmt: skip


class LazyConv1d(_LazyConv, Conv1d):
    """A `Conv1d` whose `in_channels` is that of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyConv1d(2, 3)
    >>> _ = layer(ad.zeros(1, 4, 5))
    >>> layer.in_channels
    4
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A `Conv2d` whose `in_channels` is that of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyConv2d(2, 3)
    >>> _ = layer(ad.zeros(1, 4, 5, 5))
    >>> layer.in_channels
    4
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A `Conv3d` whose `in_channels` is that of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyConv3d(2, 3)
    >>> _ = layer(ad.zeros(1, 4, 5, 5, 5))
    >>> layer.in_channels
    4
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A `ConvTranspose1d` whose `in_channels` is that of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyConvTranspose1d(2, 3)
    >>> _ = layer(ad.zeros(1, 4, 5))
    >>> layer.in_channels
    4
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A `ConvTranspose2d` whose `in_channels` is that of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyConvTranspose2d(2, 3)
    >>> _ = layer(ad.zeros(1, 4, 5, 5))
    >>> layer.in_channels
    4
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A `ConvTranspose3d` whose `in_channels` is that of its first input.

    >>> import autodiff as ad, nn
    >>> layer = nn.LazyConvTranspose3d(2, 3)
    >>> _ = layer(ad.zeros(1, 4, 5, 5, 5))
    >>> layer.in_channels
    4
    """

    cls_to_become = ConvTranspose3d
