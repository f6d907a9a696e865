"""Sliding windows as columns, and back."""

from autodiff.tensor import Tensor
from nn import functional as F
from nn.functional.conv import Lengths
from nn.module import Module


class _Sliding(Module):
    def __init__(self, kernel_size: Lengths, dilation: Lengths = 1, padding: Lengths = 0, stride: Lengths = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Unfold(_Sliding):
    """The windows of (N, C, H, W) or (C, H, W) as columns (N, C * entries of a window, windows).

    >>> import autodiff as ad, nn
    >>> nn.Unfold(2)(ad.zeros(1, 3, 4, 5)).shape
    (1, 12, 12)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Sliding):
    """Columns (N, C * entries of a window, windows) added up where their windows lie in (N, C, *output_size).

    >>> import autodiff as ad, nn
    >>> nn.Fold((4, 5), 2)(ad.zeros(1, 12, 12)).shape
    (1, 3, 4, 5)
    """

    def __init__(
        self,
        output_size: Lengths,
        kernel_size: Lengths,
        dilation: Lengths = 1,
        padding: Lengths = 0,
        stride: Lengths = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"
