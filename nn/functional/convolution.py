"""Convolution as an op: it, its adjoint by the input and its adjoint by the weight, each the others' derivative.

All three come from one form that is linear in each of an input x, a weight w and an output y: the sum of
``y[n, o, i] w[o, c, k] x[n, c, i stride + k dilation - padding]``. `convolution` is what y is multiplied by in it,
`conv_transpose` what x is, `conv_weight` what w is; `size` are the lengths of the result along its spatial axes. So
the derivatives of each, of any order, are the other two. Where there are groups, o and c run within one.
"""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.recorders import operation
from autodiff.tensor import Array
from autodiff.threads import share_products
from nn.functional.grouped_samples import W, X, Y, of_samples
from nn.functional.windows import Windows

MODERATE = Interval(-3, 3)
Size = tuple[int, ...]


def _grouped(x: Array, groups: int, axis: int) -> Array:
    """The channels on `axis` as two axes, groups and the channels of one; all axes that follow as one."""
    return np.ascontiguousarray(x).reshape(
        *x.shape[:axis], groups, x.shape[axis] // groups, math.prod(x.shape[axis + 1 :])
    )


def _beside_channels(bias: Array, ndim: int) -> Array:
    return bias.reshape(-1, *(1,) * (ndim - 2))


def _in_float32(kernel: Callable[..., Array]) -> Callable[..., Array]:
    """The kernel, but for float16, which BLAS does not have, in float32."""

    def computed(*inputs: Any, **params: Any) -> Array:
        if inputs[0].dtype.char != "e":
            return kernel(*inputs, **params)
        wide = (None if x is None else x.astype(np.float32) for x in inputs)
        return kernel(*wide, **params).astype(np.float16)

    return computed


Work = Callable[..., Any]
# A block of samples has at least so many bytes of columns, and there are at most so many blocks.
BLOCK, BLOCKS = 1 << 19, 8
# Where so few windows stand side by side, at least so many samples are laid side by side instead. Copies of short runs
# of memory cost their number: 3 by 3 windows on 4 by 4 entries take 12 ms instead of 16. Turning takes 0.3 ns a number.
SHORT, TURNED = 8, 16


def _in_blocks(work: Work, x: Array, y: Array, window: Size, count: Size, fills: bool, **steps: Size) -> list[Any]:
    """What `work` gives for some samples of `x` and `y` at a time; threads share the blocks.

    Where there are few windows side by side, it gets the samples as a last axis, of windows of length 1.
    """
    nbytes = math.prod(window) * math.prod(count) * x.shape[1] * x.itemsize
    turned = count[-1] <= SHORT and len(x) > 1 and math.prod(window) > 1
    blocks = max(1, min(BLOCKS, len(x) * nbytes // BLOCK, len(x) // TURNED if turned else len(x)))
    if turned:
        window, steps = (*window, 1), {name: (*each, name != "padding") for name, each in steps.items()}
    results: list[Any] = [None] * blocks

    def run(i: int) -> None:
        part = slice(i * len(x) // blocks, (i + 1) * len(x) // blocks)
        xs, ys = x[part], y[part]
        if turned:
            xs = _samples_last(xs)
            ys = np.empty((1, *y.shape[1:], len(ys)), y.dtype) if fills else _samples_last(ys)
        results[i] = work(xs, ys, window, **steps)
        if turned and fills:
            y[part] = np.moveaxis(ys[0], -1, 0)

    share_products(run, blocks)
    return results


def _samples_last(x: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(x, 0, -1))[None]


def _convolve(x: Array, y: Array, weight: Array, groups: int, **steps: Size) -> None:
    """Put the convolution of `x` by `weight` into `y`."""
    windows = Windows(x.shape, weight.shape[2:], y.shape[2:], y.dtype, groups=groups, **steps)
    out = y if y.flags.c_contiguous else np.empty(y.shape, y.dtype)
    matrix, outputs = _grouped(weight, groups, 0), _grouped(out, groups, 1)
    for samples, part, columns in windows.gather(x):
        np.matmul(matrix, columns, out=outputs[samples, ..., part])
    if out is not y:
        y[...] = out


def _convolve_back(x: Array, y: Array, weight: Array, groups: int, **steps: Size) -> None:
    """Put the adjoint of a convolution into `y`, as convolutions of stride 1 by parts of the weight, turned around.

    What lies a stride apart in `y` comes from the same entries of the windows: for each axis there are as many parts as
    its stride has numbers, and nothing is added up in memory.
    """
    inputs, outputs, *window = weight.shape
    across = weight.reshape(groups, inputs // groups, outputs, *window).swapaxes(1, 2)
    across = across.reshape(groups * outputs, inputs // groups, *window)
    axes = zip(y.shape[2:], window, steps["stride"], steps["padding"], steps["dilation"], strict=True)
    for phase in product(*(_phases(*axis) for axis in axes)):
        places, entries, padding, dilation = zip(*phase, strict=True)
        target, part = y[(..., *places)], across[(..., *entries)]
        if part.size:
            part = np.flip(part, tuple(range(2, part.ndim)))
            _convolve(x, target, part, groups, stride=(1,) * len(window), padding=padding, dilation=dilation)
        else:
            target[...] = 0


def _phases(length: int, kernel: int, stride: int, padding: int, dilation: int) -> list[tuple[slice, slice, int, int]]:
    """For each remainder by the stride: where, by which entries of a window, and with what padding and dilation."""
    step, found = stride // math.gcd(stride, dilation), []
    for rest in range(min(stride, length)):
        first = next((k for k in range(step) if (rest + padding - k * dilation) % stride == 0), kernel)
        entries, apart = range(first, kernel, step), step * dilation // stride
        before = apart * (len(entries) - 1) - (rest + padding - first * dilation) // stride
        found.append((slice(rest, length, stride), slice(first, kernel, step), before, apart))
    return found


def _correlate(x: Array, y: Array, window: Size, groups: int, **steps: Size) -> Array:
    """The adjoint by the weight, (groups, entries of a window, outputs)."""
    windows = Windows(x.shape, window, y.shape[2:], x.dtype, groups=groups, **steps)
    total = np.zeros((groups, windows.rows, y.shape[1] // groups), x.dtype)
    outputs = _grouped(y, groups, 1)
    for samples, part, columns in windows.gather(x):
        # This way around OpenBLAS takes two thirds of the time, or half of it.
        total += np.add.reduce(np.matmul(columns, outputs[samples, ..., part].swapaxes(-1, -2)), 0)
    return total


@_in_float32
def _convolution_kernel(x: Array, weight: Array, bias: Array | None, size: Size, groups: int, **steps: Size) -> Array:
    dtype = np.result_type(x, weight, x if bias is None else bias)
    y = np.zeros((len(x), len(weight), *size), dtype)
    if x.size and weight.size:
        x, weight = x.astype(dtype, copy=False), weight.astype(dtype, copy=False)

        def work(x: Array, y: Array, window: Size, **steps: Size) -> None:
            _convolve(x, y, weight.reshape(*weight.shape[:2], *window), groups, **steps)

        _in_blocks(work, x, y, weight.shape[2:], size, True, **steps)
    if bias is not None:
        y += _beside_channels(bias, y.ndim)
    return y


@_in_float32
def _transpose_kernel(x: Array, weight: Array, bias: Array | None, size: Size, groups: int, **steps: Size) -> Array:
    dtype = np.result_type(x, weight, x if bias is None else bias)
    y = np.zeros((len(x), weight.shape[1] * groups, *size), dtype)
    if x.size and weight.size:
        x, weight = x.astype(dtype, copy=False), weight.astype(dtype, copy=False)

        def work(x: Array, y: Array, window: Size, **steps: Size) -> None:
            _convolve_back(x, y, weight.reshape(*weight.shape[:2], *window), groups, **steps)

        _in_blocks(work, x, y, weight.shape[2:], x.shape[2:], True, **steps)
    if bias is not None:
        y += _beside_channels(bias, y.ndim)
    return y


@_in_float32
def _weight_kernel(x: Array, y: Array, size: Size, groups: int, **steps: Size) -> Array:
    dtype = np.result_type(x, y)
    outputs, inputs = y.shape[1], x.shape[1] // groups
    if not (x.size and y.size):
        return np.zeros((outputs, inputs, *size), dtype)
    x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)

    def work(x: Array, y: Array, window: Size, **steps: Size) -> Array:
        return _correlate(x, y, window, groups, **steps)

    total: Array = sum(_in_blocks(work, x, y, size, y.shape[2:], False, **steps))
    return total.swapaxes(1, 2).reshape(outputs, inputs, *size)


def _sum_channels(g: Any) -> Any:
    return np.sum(g, axis=(0, *range(2, g.ndim)))


def _sum_channels_fast(g: Array) -> Array:
    """Along contiguous memory first: a third of the time of np.sum over both axes."""
    sums: Array = np.add.reduce(np.add.reduce(g.reshape(*g.shape[:2], math.prod(g.shape[2:])), 2), 0)
    return sums


def _input_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any, size: Size, **steps: Any) -> Any:
    return conv_transpose.rule(g, weight, None, size=x.shape[2:], **steps)


def _weight_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any, size: Size, **steps: Any) -> Any:
    return conv_weight.rule(x, g, size=weight.shape[2:], **steps)


def _transpose_input_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any, size: Size, **steps: Any) -> Any:
    return convolution.rule(g, weight, None, size=x.shape[2:], **steps)


def _transpose_weight_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any, size: Size, **steps: Any) -> Any:
    return conv_weight.rule(g, x, size=weight.shape[2:], **steps)


convolution: Recorder = operation(
    "convolution",
    _convolution_kernel,
    vjp=(_input_rule, _weight_rule, lambda g, y, x, weight, bias, size, **steps: _sum_channels(g)),
    fast=(_input_rule, _weight_rule, lambda g, y, x, weight, bias, size, **steps: _sum_channels_fast(g)),
    batched=of_samples(_convolution_kernel, X, W, Y),
    saves=("weight", "x", ""),
    domain=MODERATE,
    doc="The convolution of (N, C, *) by a weight (O, C / groups, *window), plus a bias (O,) or None.",
)
conv_transpose: Recorder = operation(
    "conv_transpose",
    _transpose_kernel,
    vjp=(
        _transpose_input_rule,
        _transpose_weight_rule,
        lambda g, y, x, weight, bias, size, **steps: _sum_channels(g),
    ),
    fast=(
        _transpose_input_rule,
        _transpose_weight_rule,
        lambda g, y, x, weight, bias, size, **steps: _sum_channels_fast(g),
    ),
    batched=of_samples(_transpose_kernel, Y, W, X),
    saves=("weight", "x", ""),
    domain=MODERATE,
    doc="The adjoint of a convolution by its input: of (N, O, *) by a weight (O, C / groups, *window), plus a bias.",
)
conv_weight: Recorder = operation(
    "conv_weight",
    _weight_kernel,
    vjp=(
        lambda g, y, a, b, size, **steps: conv_transpose.rule(b, g, None, size=a.shape[2:], **steps),
        lambda g, y, a, b, size, **steps: convolution.rule(a, g, None, size=b.shape[2:], **steps),
    ),
    batched=of_samples(_weight_kernel, X, Y, W),
    saves=("b", "a"),
    domain=MODERATE,
    doc="The adjoint of a convolution by its weight, of an input (N, C, *) and a gradient (N, O, *).",
)
