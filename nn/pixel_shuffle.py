"""Layers that turn channels into pixels, pixels into channels, and deal out groups of channels."""

from autodiff.tensor import Tensor
from nn import functional as F
from nn.module import Module


class PixelShuffle(Module):
    """(*, C r², H, W) as (*, C, H r, W r), for r = `upscale_factor`. OpError for other shapes.

    >>> import autodiff as ad, nn
    >>> nn.PixelShuffle(2)(ad.zeros(1, 8, 3, 3)).shape
    (1, 2, 6, 6)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(*, C, H r, W r) as (*, C r², H, W), for r = `downscale_factor`. OpError for other shapes.

    >>> import autodiff as ad, nn
    >>> nn.PixelUnshuffle(2)(ad.zeros(1, 2, 6, 6)).shape
    (1, 8, 3, 3)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """(N, C, *) with the channels dealt out from `groups` groups in turn. OpError for other shapes.

    >>> import autodiff as ad, nn
    >>> nn.ChannelShuffle(2)(ad.arange(4).reshape(1, 4, 1)).flatten()
    tensor([0, 2, 1, 3])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
