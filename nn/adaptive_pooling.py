"""Layers that pool to a given size."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from autodiff.tensor import Tensor
from nn import functional as F
from nn.functional.adaptive_pooling import Sizes
from nn.functional.conv import Lengths
from nn.module import Module


class _AdaptiveMaxPool(Module):
    _function: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return type(self)._function(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveAvgPool(Module):
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return type(self)._function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest entries of windows that divide (N, C, L) or (C, L).

    `output_size` is how many there are along each axis, None for as many as entries. OpError for other dimensions. With
    `return_indices` also where they stand.

    >>> import autodiff as ad, nn
    >>> nn.AdaptiveMaxPool1d(3)(ad.zeros(1, 2, 8)).shape
    (1, 2, 3)
    """

    _function = F.adaptive_max_pool1d


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest entries of windows that divide (N, C, H, W) or (C, H, W).

    `output_size` is how many there are along each axis, None for as many as entries. OpError for other dimensions. With
    `return_indices` also where they stand.

    >>> import autodiff as ad, nn
    >>> nn.AdaptiveMaxPool2d(3)(ad.zeros(1, 2, 8, 8)).shape
    (1, 2, 3, 3)
    """

    _function = F.adaptive_max_pool2d


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest entries of windows that divide (N, C, D, H, W) or (C, D, H, W).

    `output_size` is how many there are along each axis, None for as many as entries. OpError for other dimensions. With
    `return_indices` also where they stand.

    >>> import autodiff as ad, nn
    >>> nn.AdaptiveMaxPool3d(3)(ad.zeros(1, 2, 8, 8, 8)).shape
    (1, 2, 3, 3, 3)
    """

    _function = F.adaptive_max_pool3d


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of windows that divide (N, C, L) or (C, L).

    `output_size` is how many there are along each axis, None for as many as entries. OpError for other dimensions.

    >>> import autodiff as ad, nn
    >>> nn.AdaptiveAvgPool1d(3)(ad.zeros(1, 2, 8)).shape
    (1, 2, 3)
    """

    _function = F.adaptive_avg_pool1d


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of windows that divide (N, C, H, W) or (C, H, W).

    `output_size` is how many there are along each axis, None for as many as entries. OpError for other dimensions.

    >>> import autodiff as ad, nn
    >>> nn.AdaptiveAvgPool2d(3)(ad.zeros(1, 2, 8, 8)).shape
    (1, 2, 3, 3)
    """

    _function = F.adaptive_avg_pool2d


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of windows that divide (N, C, D, H, W) or (C, D, H, W).

    `output_size` is how many there are along each axis, None for as many as entries. OpError for other dimensions.

    >>> import autodiff as ad, nn
    >>> nn.AdaptiveAvgPool3d(3)(ad.zeros(1, 2, 8, 8, 8)).shape
    (1, 2, 3, 3, 3)
    """

    _function = F.adaptive_avg_pool3d


class _FractionalMaxPool(Module):
    ndim: ClassVar[int]
    _function: ClassVar[Callable[..., Any]]
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Lengths,
        output_size: Lengths | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        if (output_size is None) == (output_ratio is None):
            raise ValueError(
                f"{type(self).__name__} expected either an output_size or an output_ratio, got {output_size} and "
                f"{output_ratio}"
            )
        each = (kernel_size, output_size, output_ratio)
        self.kernel_size, self.output_size, self.output_ratio = (
            (n,) * self.ndim if isinstance(n, int | float) else n for n in each
        )
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"{type(self).__name__} expected an output_ratio between 0 and 1, got {output_ratio}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        return type(self)._function(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest entries of windows at pseudorandom steps over (N, C, H, W) or (C, H, W).

    There are `output_size` of them, or `output_ratio` of the entries, along each axis. ValueError unless one of the two
    is given, OpError for windows that do not fit. Source: Graham 2014.

    >>> import autodiff as ad, nn
    >>> nn.FractionalMaxPool2d(2, output_size=3)(ad.zeros(1, 2, 8, 8)).shape
    (1, 2, 3, 3)
    """

    ndim, _function = 2, F.fractional_max_pool2d


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest entries of windows at pseudorandom steps over (N, C, D, H, W) or (C, D, H, W).

    There are `output_size` of them, or `output_ratio` of the entries, along each axis. ValueError unless one of the two
    is given, OpError for windows that do not fit. Source: Graham 2014.

    >>> import autodiff as ad, nn
    >>> nn.FractionalMaxPool3d(2, output_size=3)(ad.zeros(1, 2, 8, 8, 8)).shape
    (1, 2, 3, 3, 3)
    """

    ndim, _function = 3, F.fractional_max_pool3d
