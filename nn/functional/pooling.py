"""Pooling over sliding windows: their largest entry, their mean, their norm; and the inverse of max-pooling."""

import math
from typing import Any

import numpy as np

from autodiff.op import OpError, describe
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.conv import AXES, Lengths, lengths
from nn.functional.max_pooling import find_max, max_pool, pick
from nn.functional.piecewise import relu
from nn.functional.window_sums import Shape, sum_pool


def check_spatial(name: str, input: Any, ndim: int) -> Shape:
    """The lengths of the last `ndim` axes; TypeError or OpError unless there are channels, and a batch or none."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {describe(input)}; make one with ad.tensor(...)")
    if input.ndim not in (ndim + 1, ndim + 2) or 0 in input.shape[-ndim - 1 :]:
        axes = AXES[ndim]
        raise OpError(f"{name}: expected a non-empty input (N, C, {axes}) or (C, {axes}), got {input.shape}")
    return tuple(input.shape[-ndim:])


def _count(
    name: str, size: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil_mode: bool
) -> Shape:
    """How many windows there are along each axis: with `ceil_mode` also one that starts inside and ends outside."""
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(2 * p > r for p, r in zip(padding, reach, strict=True)):
        raise OpError(f"{name}: expected a padding of at most half the window {tuple(reach)}, got {padding}")
    count = []
    for n, r, s, p in zip(size, reach, stride, padding, strict=True):
        windows = (n + 2 * p - r + (s - 1) * ceil_mode) // s + 1
        if ceil_mode and (windows - 1) * s >= n + p:
            windows -= 1
        count.append(windows)
    if min(count) < 1:
        raise OpError(
            f"{name}: expected an input no smaller than the window {tuple(reach)}, got {size} with padding {padding}"
        )
    return tuple(count)


def max_pool_windows(
    ndim: int, input: Tensor, kernel_size: Lengths, stride: Lengths | None, padding: Lengths, dilation: Lengths,
    ceil_mode: bool, return_indices: bool,
) -> Any:  # fmt: skip
    name = f"max_pool{ndim}d"
    size = check_spatial(name, input, ndim)
    window = {
        "kernel": lengths(name, "kernel_size", kernel_size, ndim, 1),
        "stride": lengths(name, "stride", kernel_size if stride in (None, ()) else stride, ndim, 1),
        "padding": lengths(name, "padding", padding, ndim, 0),
        "dilation": lengths(name, "dilation", dilation, ndim, 1),
    }
    window["count"] = _count(name, size, **window, ceil_mode=ceil_mode)
    if not return_indices:
        return max_pool(input, **window)
    index = find_max.op.kernel(input.array, max_pool.op.kernel(input.array, **window), **window)
    return pick(input, index, ndim), wrap(index)


def max_pool1d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest entry of each window of (N, C, L) or (C, L), and with `return_indices` where it stands.

    Of entries that tie the first counts and has the gradient; a NaN is the largest. With `ceil_mode` a last window may
    reach past the end. OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad
    >>> max_pool1d(ad.tensor([[1.0, 5.0, 2.0, 3.0]]), 2)
    tensor([[5., 3.]])
    """
    return max_pool_windows(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest entry of each window of (N, C, H, W) or (C, H, W), and with `return_indices` where it stands.

    Of entries that tie the first counts and has the gradient; a NaN is the largest. With `ceil_mode` a last window may
    reach past the end. OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad
    >>> max_pool2d(ad.arange(8.0).reshape(1, 2, 4), 2, return_indices=True)
    (tensor([[[5., 7.]]]), tensor([[[5, 7]]]))
    """
    return max_pool_windows(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest entry of each window of (N, C, D, H, W) or (C, D, H, W), and with `return_indices` where it stands.

    Of entries that tie the first counts and has the gradient; a NaN is the largest. With `ceil_mode` a last window may
    reach past the end. OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad
    >>> max_pool3d(ad.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    return max_pool_windows(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _divisor(size: Shape, kernel: Shape, stride: Shape, padding: Shape, count: Shape, include_pad: bool) -> int | Array:
    """How many entries each window has: all the same number, or an array of them."""
    total: Any = 1
    for n, k, s, p, o in zip(size, kernel, stride, padding, count, strict=True):
        start = np.arange(o) * s - p
        stop = np.minimum(start + k, n + p)
        each = stop - start if include_pad else np.minimum(stop, n) - np.maximum(start, 0)
        total = np.multiply.outer(total, each)
    return int(total.flat[0]) if (total == total.flat[0]).all() else total


def avg_pool(
    ndim: int, input: Tensor, kernel_size: Lengths, stride: Lengths | None, padding: Lengths, ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    name = f"avg_pool{ndim}d"
    size = check_spatial(name, input, ndim)
    if not input.is_floating_point():
        raise OpError(f"{name}: expected a floating-point input, got {input.dtype}; convert it with x.float()")
    if divisor_override == 0:
        raise OpError(f"{name}: expected a divisor_override other than 0")
    window = {
        "kernel": lengths(name, "kernel_size", kernel_size, ndim, 1),
        "stride": lengths(name, "stride", kernel_size if stride in (None, ()) else stride, ndim, 1),
        "padding": lengths(name, "padding", padding, ndim, 0),
    }
    window["count"] = _count(name, size, **window, dilation=(1,) * ndim, ceil_mode=ceil_mode)
    divisor = divisor_override or _divisor(size, **window, include_pad=count_include_pad)
    sums = sum_pool(input, **window)
    return sums / (float(divisor) if isinstance(divisor, int) else wrap(divisor.astype(input.dtype)))


def avg_pool1d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L) or (C, L), its zeros beyond the ends counted if `count_include_pad`.

    With `ceil_mode` a last window may reach past the end. OpError for other dimensions, a padding over half the window,
    and too small an input.

    >>> import autodiff as ad
    >>> avg_pool1d(ad.tensor([[1.0, 5.0, 2.0, 4.0]]), 2)
    tensor([[3., 3.]])
    """
    return avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, H, W) or (C, H, W), or its sum divided by `divisor_override`.

    Zeros beyond the ends are counted if `count_include_pad`; with `ceil_mode` a last window may reach past the end.
    OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad
    >>> avg_pool2d(ad.arange(8.0).reshape(1, 2, 4), 2)
    tensor([[[2.5000, 4.5000]]])
    """
    return avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W), or its sum divided by `divisor_override`.

    Zeros beyond the ends are counted if `count_include_pad`; with `ceil_mode` a last window may reach past the end.
    OpError for other dimensions, a padding over half the window, and too small an input.

    >>> import autodiff as ad
    >>> avg_pool3d(ad.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[3.5000]]]])
    """
    return avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _lp_pool(
    ndim: int, input: Tensor, norm_type: float, kernel_size: Lengths, stride: Lengths | None, ceil_mode: bool
) -> Tensor:
    if math.isinf(norm_type):
        sign = 1 if norm_type > 0 else -1
        largest: Tensor = max_pool_windows(ndim, sign * input.abs(), kernel_size, stride, 0, 1, ceil_mode, False)
        return sign * largest
    mean = avg_pool(ndim, input**norm_type, kernel_size, stride, 0, ceil_mode, True)
    entries = math.prod(lengths(f"lp_pool{ndim}d", "kernel_size", kernel_size, ndim, 1))
    return (mean.sign() * relu(mean.abs()) * entries) ** (1 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Lengths, stride: Lengths | None = None, ceil_mode: bool = False
) -> Tensor:
    """(∑ x^p)^(1/p) over each window of (N, C, L) or (C, L), for p = `norm_type`, which may be infinite.

    OpError for other dimensions and too small an input.

    >>> import autodiff as ad
    >>> lp_pool1d(ad.tensor([[3.0, 4.0, 6.0, 8.0]]), 2, 2)
    tensor([[ 5., 10.]])
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Lengths, stride: Lengths | None = None, ceil_mode: bool = False
) -> Tensor:
    """(∑ x^p)^(1/p) over each window of (N, C, H, W) or (C, H, W), for p = `norm_type`, which may be infinite.

    OpError for other dimensions and too small an input.

    >>> import autodiff as ad
    >>> lp_pool2d(ad.ones(1, 2, 2), 2, 2)
    tensor([[[2.]]])
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Lengths, stride: Lengths | None = None, ceil_mode: bool = False
) -> Tensor:
    """(∑ x^p)^(1/p) over each window of (N, C, D, H, W) or (C, D, H, W), for p = `norm_type`, which may be infinite.

    OpError for other dimensions and too small an input.

    >>> import autodiff as ad
    >>> lp_pool3d(ad.ones(1, 2, 2, 2), 3, 2)
    tensor([[[[2.]]]])
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)
