"""Layers that pool over sliding windows, and undo it."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from autodiff.tensor import Tensor
from nn import functional as F
from nn.functional.conv import Lengths
from nn.module import Module


class _MaxPool(Module):
    """The arguments of max-pooling; `stride` is `kernel_size` by default."""

    _function: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Lengths,
        stride: Lengths | None = None,
        padding: Lengths = 0,
        dilation: Lengths = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return type(self)._function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest entry of each window of (N, C, L) or (C, L).

    With `return_indices` also where it stands, for `MaxUnpool1d`; with `ceil_mode` a last window may reach past the
    end. OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.MaxPool1d(2)(ad.zeros(1, 3, 8)).shape
    (1, 3, 4)
    """

    _function = F.max_pool1d


class MaxPool2d(_MaxPool):
    """The largest entry of each window of (N, C, H, W) or (C, H, W).

    With `return_indices` also where it stands, for `MaxUnpool2d`; with `ceil_mode` a last window may reach past the
    end. OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.MaxPool2d(2)(ad.zeros(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    _function = F.max_pool2d


class MaxPool3d(_MaxPool):
    """The largest entry of each window of (N, C, D, H, W) or (C, D, H, W).

    With `return_indices` also where it stands, for `MaxUnpool3d`; with `ceil_mode` a last window may reach past the
    end. OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.MaxPool3d(2)(ad.zeros(1, 3, 8, 8, 8)).shape
    (1, 3, 4, 4, 4)
    """

    _function = F.max_pool3d


class _AvgPool(Module):
    _function: ClassVar[Callable[..., Tensor]]
    divisor_override: int | None

    def __init__(
        self,
        kernel_size: Lengths,
        stride: Lengths | None = None,
        padding: Lengths = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return type(self)._function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(Module):
    """The mean of each window of (N, C, L) or (C, L).

    Zeros beyond the ends are counted if `count_include_pad`; with `ceil_mode` a last window may reach past the end.
    OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.AvgPool1d(2)(ad.zeros(1, 3, 8)).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        kernel_size: Lengths,
        stride: Lengths | None = None,
        padding: Lengths = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        each = [(n,) if isinstance(n, int) else n for n in (kernel_size, stride or kernel_size, padding)]
        self.kernel_size, self.stride, self.padding = each
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W) or (C, H, W), or its sum divided by `divisor_override`.

    Zeros beyond the ends are counted if `count_include_pad`; with `ceil_mode` a last window may reach past the end.
    OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.AvgPool2d(2)(ad.zeros(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    _function = F.avg_pool2d


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W), or its sum divided by `divisor_override`.

    Zeros beyond the ends are counted if `count_include_pad`; with `ceil_mode` a last window may reach past the end.
    OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.AvgPool3d(2)(ad.zeros(1, 3, 8, 8, 8)).shape
    (1, 3, 4, 4, 4)
    """

    _function = F.avg_pool3d


class _LPPool(Module):
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self, norm_type: float, kernel_size: Lengths, stride: Lengths | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return type(self)._function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(∑ x^p)^(1/p) over each window of (N, C, L) or (C, L), for p = `norm_type`.

    OpError for other dimensions and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.LPPool1d(2, 2)(ad.zeros(1, 3, 8)).shape
    (1, 3, 4)
    """

    _function = F.lp_pool1d


class LPPool2d(_LPPool):
    """(∑ x^p)^(1/p) over each window of (N, C, H, W) or (C, H, W), for p = `norm_type`.

    OpError for other dimensions and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.LPPool2d(2, 2)(ad.zeros(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    _function = F.lp_pool2d


class LPPool3d(_LPPool):
    """(∑ x^p)^(1/p) over each window of (N, C, D, H, W) or (C, D, H, W), for p = `norm_type`.

    OpError for other dimensions and too small an input.

    >>> import autodiff as ad, nn
    >>> nn.LPPool3d(2, 2)(ad.zeros(1, 3, 8, 8, 8)).shape
    (1, 3, 4, 4, 4)
    """

    _function = F.lp_pool3d


class _MaxUnpool(Module):
    ndim: ClassVar[int]
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(self, kernel_size: Lengths, stride: Lengths | None = None, padding: Lengths = 0) -> None:
        super().__init__()
        each = (kernel_size, kernel_size if stride is None else stride, padding)
        self.kernel_size, self.stride, self.padding = ((n,) * self.ndim if isinstance(n, int) else n for n in each)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return type(self)._function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Zeros with the entries of (N, C, L) or (C, L) back at `indices`, both from `MaxPool1d`.

    `forward` takes the `output_size` that tells inputs of one pooled size apart. OpError for indices that do not fit,
    ValueError for an `output_size` out of reach.

    >>> import autodiff as ad, nn
    >>> x, indices = nn.MaxPool1d(2, return_indices=True)(ad.zeros(1, 3, 8))
    >>> nn.MaxUnpool1d(2)(x, indices).shape
    (1, 3, 8)
    """

    ndim, _function = 1, F.max_unpool1d


class MaxUnpool2d(_MaxUnpool):
    """Zeros with the entries of (N, C, H, W) or (C, H, W) back at `indices`, both from `MaxPool2d`.

    `forward` takes the `output_size` that tells inputs of one pooled size apart. OpError for indices that do not fit,
    ValueError for an `output_size` out of reach.

    >>> import autodiff as ad, nn
    >>> x, indices = nn.MaxPool2d(2, return_indices=True)(ad.zeros(1, 3, 8, 8))
    >>> nn.MaxUnpool2d(2)(x, indices).shape
    (1, 3, 8, 8)
    """

    ndim, _function = 2, F.max_unpool2d


class MaxUnpool3d(_MaxUnpool):
    """Zeros with the entries of (N, C, D, H, W) or (C, D, H, W) back at `indices`, both from `MaxPool3d`.

    `forward` takes the `output_size` that tells inputs of one pooled size apart. OpError for indices that do not fit,
    ValueError for an `output_size` out of reach.

    >>> import autodiff as ad, nn
    >>> x, indices = nn.MaxPool3d(2, return_indices=True)(ad.zeros(1, 3, 8, 8, 8))
    >>> nn.MaxUnpool3d(2)(x, indices).shape
    (1, 3, 8, 8, 8)
    """

    ndim, _function = 3, F.max_unpool3d
