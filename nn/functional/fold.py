"""Windows laid out as columns, and columns added up where they lie."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from autodiff.op import OpError, Recorder
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor
from nn.functional.conv import Lengths, lengths
from nn.functional.window_sums import taps
from nn.functional.windows import Windows

Shape = tuple[int, ...]


def _windows(shape: Sequence[int], kernel: Shape, dtype: Any, steps: dict[str, Shape]) -> Windows:
    return Windows(shape, kernel, blocks(shape[2:], kernel, **steps), dtype, groups=1, **steps)


def blocks(size: Sequence[int], kernel: Shape, stride: Shape, padding: Shape, dilation: Shape) -> Shape:
    """How many windows there are along each axis."""
    each = zip(size, kernel, stride, padding, dilation, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in each)


def _unfold_kernel(x: Array, kernel: Shape, **steps: Shape) -> Array:
    count = math.prod(blocks(x.shape[2:], kernel, **steps))
    out = np.empty((len(x), x.shape[1] * math.prod(kernel), count), x.dtype)
    if out.size:
        for samples, part, columns in _windows(x.shape, kernel, x.dtype, steps).gather(np.ascontiguousarray(x)):
            out[samples, :, part] = columns[:, 0]
    return out


def _fold_kernel(x: Array, size: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape) -> Array:
    out = np.zeros((len(x), x.shape[1] // math.prod(kernel), *size), x.dtype)
    count = blocks(size, kernel, stride, padding, dilation)
    axes = [taps(*axis) for axis in zip(size, kernel, stride, padding, dilation, count, strict=True)]
    columns = x.reshape(len(x), out.shape[1], math.prod(kernel), *count)
    for entry, parts in enumerate(product(*axes)):
        out[(..., *(a for a, _ in parts))] += columns[(slice(None), slice(None), entry, *(b for _, b in parts))]
    return out


def _with_samples(kernel: Callable[..., Array]) -> Callable[..., Array]:
    """The kernel for an input with samples along a further axis in front."""

    def form(x: Array, **params: Shape) -> Array:
        y = kernel(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), **params)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    return form


_unfold: Recorder = multilinear(
    "im2col",
    _unfold_kernel,
    vjp=lambda g, y, x, kernel, **steps: _fold.rule(g, size=x.shape[2:], kernel=kernel, **steps),
    batched=_with_samples(_unfold_kernel),
    doc="The windows of (N, C, *) as columns (N, C * entries of a window, windows).",
)
_fold: Recorder = multilinear(
    "col2im",
    _fold_kernel,
    vjp=lambda g, y, x, size, kernel, **steps: _unfold.rule(g, kernel=kernel, **steps),
    batched=_with_samples(_fold_kernel),
    doc="Columns added up where their windows lie: the adjoint of `im2col`.",
)


def _steps(name: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> dict[str, Shape]:
    return {
        "kernel": lengths(name, "kernel_size", kernel, 2, 1),
        "stride": lengths(name, "stride", stride, 2, 1),
        "padding": lengths(name, "padding", padding, 2, 0),
        "dilation": lengths(name, "dilation", dilation, 2, 1),
    }


def unfold(
    input: Tensor, kernel_size: Lengths, dilation: Lengths = 1, padding: Lengths = 0, stride: Lengths = 1
) -> Tensor:
    """The windows of (N, C, H, W) or (C, H, W) as columns (N, C * entries of a window, windows).

    OpError for other dimensions, and for an input smaller than a window.

    >>> import autodiff as ad
    >>> unfold(ad.arange(6.0).reshape(1, 1, 2, 3), (2, 2))
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    steps = _steps("unfold", kernel_size, dilation, padding, stride)
    if input.ndim not in (3, 4):
        raise OpError(f"unfold: expected an input (N, C, H, W) or (C, H, W), got {input.shape}")
    if min(count := blocks(input.shape[-2:], **steps)) < 1:
        raise OpError(
            f"unfold: expected an input larger than the windows, got {input.shape} with {steps}: {count} windows"
        )
    return _unfold(input, **steps) if input.ndim == 4 else _unfold(input.unsqueeze(0), **steps).squeeze(0)


def fold(
    input: Tensor,
    output_size: Lengths,
    kernel_size: Lengths,
    dilation: Lengths = 1,
    padding: Lengths = 0,
    stride: Lengths = 1,
) -> Tensor:
    """Columns (N, C * entries of a window, windows) added up in (N, C, *output_size), or without N: `unfold`'s adjoint.

    OpError for other dimensions, and for a number of rows or columns that does not fit.

    >>> import autodiff as ad
    >>> fold(ad.ones(1, 4, 2), (2, 3), (2, 2))
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    steps = _steps("fold", kernel_size, dilation, padding, stride)
    size = lengths("fold", "output_size", output_size, 2, 1)
    count, entries = blocks(size, **steps), math.prod(steps["kernel"])
    if input.ndim not in (2, 3) or input.shape[-2] % entries or min(count) < 1 or input.shape[-1] != math.prod(count):
        raise OpError(
            f"fold: expected (N, C * {entries}, {math.prod(count)}) or (C * {entries}, {math.prod(count)}) for {count} "
            f"windows {steps['kernel']} in {size}, got {input.shape}"
        )
    if input.ndim == 3:
        return _fold(input, size=size, **steps)
    return _fold(input.unsqueeze(0), size=size, **steps).squeeze(0)
