"""Convolutions and transposed convolutions."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import autodiff as ad
from autodiff.tensor import Tensor
from nn import functional as F
from nn import init
from nn.functional.conv import Lengths, lengths, padding_of
from nn.module import Module
from nn.parameter import Parameter

MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """What all convolutions share: their arguments, checked, their parameters and how these are drawn.

    `weight` has shape (out_channels, in_channels / groups, *kernel_size), transposed with in and out exchanged, and
    `bias` (out_channels,); both start evenly drawn from ±1 / √(entries of weight[0]).
    """

    # How many spatial dimensions there are, and the function that computes; each class has its own.
    ndim: ClassVar[int]
    transposed: bool = False
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Lengths, stride: Lengths, padding: str | Lengths,
        dilation: Lengths, groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any,
        output_padding: Lengths = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        name, ndim = type(self).__name__, self.ndim
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name} expected a positive number of groups that divides in_channels and out_channels, got "
                f"groups={groups}, in_channels={in_channels}, out_channels={out_channels}"
            )
        modes = MODES[:1] if self.transposed else MODES
        if padding_mode not in modes:
            raise ValueError(f"{name} expected a padding_mode of {', '.join(modes)}, got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels, out_channels, groups, padding_mode,
        )  # fmt: skip
        self.kernel_size = lengths(name, "kernel_size", kernel_size, ndim, 1)
        self.stride = lengths(name, "stride", stride, ndim, 1)
        self.dilation = lengths(name, "dilation", dilation, ndim, 1)
        self.output_padding = lengths(name, "output_padding", output_padding, ndim, 0)
        self.padding = padding if isinstance(padding, str) else lengths(name, "padding", padding, ndim, 0)
        if isinstance(padding, str):
            padding_of(name, padding, self.kernel_size, self.stride)
        self._make_parameters(bias, device, dtype)

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = Parameter(ad.empty(*self._weight_shape(), device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(ad.empty(self.out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(1, math.prod(self.weight.shape[1:])))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        none = (0,) * self.ndim
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        shown += [f"padding={self.padding}"] if self.padding != none else []
        shown += [f"dilation={self.dilation}"] if self.dilation != (1,) * self.ndim else []
        shown += [f"output_padding={self.output_padding}"] if self.output_padding != none else []
        shown += [f"groups={self.groups}"] if self.groups != 1 else []
        shown += ["bias=False"] if self.bias is None else []
        shown += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(shown)


class _Conv(Convolution):
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            spans = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            both = (
                padding_of(type(self).__name__, padding, spans, self.stride)
                if isinstance(padding, str)
                else [2 * p for p in padding]
            )
            if input.ndim > self.ndim:
                widths = [n for total in reversed(both) for n in (total // 2, total - total // 2)]
                input = F.pad(input, widths, self.padding_mode)
            padding = (0,) * self.ndim
        function = type(self)._function
        return function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _ConvTranspose(Convolution):
    _function: ClassVar[Callable[..., Tensor]]
    transposed = True

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype, output_padding,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """What must be added to reach `output_size`; ValueError for one that this input cannot give."""
        if output_size is None:
            return self.output_padding
        size, shape = tuple(output_size)[-self.ndim :], input.shape[-self.ndim :]
        if len(output_size) not in (self.ndim, input.ndim):
            raise ValueError(
                f"expected an output_size of {self.ndim} numbers, or of {input.ndim} with all axes, got {output_size}"
            )
        padding = lengths(type(self).__name__, "padding", self.padding, self.ndim, 0)
        each = zip(shape, self.stride, padding, self.dilation, self.kernel_size, strict=True)
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in each)
        more = tuple(n - m for n, m in zip(size, least, strict=True))
        if any(not 0 <= m < s for m, s in zip(more, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise ValueError(f"expected an output_size from {least} to {most} for an input {shape}, got {size}")
        return more

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        more = self._output_padding(input, output_size)
        function = type(self)._function
        return function(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)


class Conv1d(_Conv):
    """The convolution of (N, C, L) or (C, L): its windows times `weight`, plus `bias`.

    `padding` is the entries added on both sides, or "same" for as many as keep the lengths, or "valid" for none;
    `padding_mode` says with what: "zeros", "reflect", "replicate" or "circular". With `groups` each group of output
    channels sees one group of input channels. OpError for another number of channels, or too small an input.

    >>> import autodiff as ad, nn
    >>> nn.Conv1d(1, 2, 3)(ad.zeros(5, 1, 8)).shape
    (5, 2, 6)
    """

    ndim, _function = 1, F.conv1d


class Conv2d(_Conv):
    """The convolution of (N, C, H, W) or (C, H, W): its windows times `weight`, plus `bias`.

    `padding` is the entries added on both sides, or "same" for as many as keep the lengths, or "valid" for none;
    `padding_mode` says with what: "zeros", "reflect", "replicate" or "circular". With `groups` each group of output
    channels sees one group of input channels. OpError for another number of channels, or too small an input.

    >>> import autodiff as ad, nn
    >>> nn.Conv2d(1, 2, 3)(ad.zeros(5, 1, 8, 8)).shape
    (5, 2, 6, 6)
    """

    ndim, _function = 2, F.conv2d


class Conv3d(_Conv):
    """The convolution of (N, C, D, H, W) or (C, D, H, W): its windows times `weight`, plus `bias`.

    `padding` is the entries added on both sides, or "same" for as many as keep the lengths, or "valid" for none;
    `padding_mode` says with what: "zeros", "reflect", "replicate" or "circular". With `groups` each group of output
    channels sees one group of input channels. OpError for another number of channels, or too small an input.

    >>> import autodiff as ad, nn
    >>> nn.Conv3d(1, 2, 3)(ad.zeros(5, 1, 8, 8, 8)).shape
    (5, 2, 6, 6, 6)
    """

    ndim, _function = 3, F.conv3d


class ConvTranspose1d(_ConvTranspose):
    """Each entry of (N, C, L) or (C, L) times `weight`, summed where it lies: the adjoint of `Conv1d`.

    `padding` is cut off on both sides, less `output_padding` at the end, which `forward` computes from `output_size`
    if that is given: with a stride several lengths have the same convolution. OpError for another number of channels,
    ValueError for an `output_size` out of reach. Source: Zeiler et al. 2010.

    >>> import autodiff as ad, nn
    >>> nn.ConvTranspose1d(1, 2, 3, stride=2)(ad.zeros(5, 1, 4)).shape
    (5, 2, 9)
    """

    ndim, _function = 1, F.conv_transpose1d


class ConvTranspose2d(_ConvTranspose):
    """Each entry of (N, C, H, W) or (C, H, W) times `weight`, summed where it lies: the adjoint of `Conv2d`.

    `padding` is cut off on both sides, less `output_padding` at the end, which `forward` computes from `output_size`
    if that is given: with a stride several lengths have the same convolution. OpError for another number of channels,
    ValueError for an `output_size` out of reach. Source: Zeiler et al. 2010.

    >>> import autodiff as ad, nn
    >>> nn.ConvTranspose2d(1, 2, 3, stride=2)(ad.zeros(5, 1, 4, 4)).shape
    (5, 2, 9, 9)
    """

    ndim, _function = 2, F.conv_transpose2d


class ConvTranspose3d(_ConvTranspose):
    """Each entry of (N, C, D, H, W) or (C, D, H, W) times `weight`, summed where it lies: the adjoint of `Conv3d`.

    `padding` is cut off on both sides, less `output_padding` at the end, which `forward` computes from `output_size`
    if that is given: with a stride several lengths have the same convolution. OpError for another number of channels,
    ValueError for an `output_size` out of reach. Source: Zeiler et al. 2010.

    >>> import autodiff as ad, nn
    >>> nn.ConvTranspose3d(1, 2, 3, stride=2)(ad.zeros(5, 1, 4, 4, 4)).shape
    (5, 2, 9, 9, 9)
    """

    ndim, _function = 3, F.conv_transpose3d
