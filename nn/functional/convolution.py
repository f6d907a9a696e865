"""Convolution as an op: it, its adjoint by the input and its adjoint by the weight, each the others' derivative.

All three come from one form that is linear in each of an input x, a weight w and an output y: the sum of
``y[n, o, i] w[o, c, k] x[n, c, i stride + k dilation - padding]``. `convolution` is what y is multiplied by in it,
`conv_transpose` what x is, `conv_weight` what w is; `size` are the lengths of the result along its spatial axes. So
the derivatives of each, of any order, are the other two. Where there are groups, o and c run within one.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.recorders import operation
from autodiff.tensor import Array
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


@_in_float32
def _convolution_kernel(x: Array, weight: Array, bias: Array | None, size: Size, groups: int, **steps: Any) -> Array:
    y = np.zeros((len(x), len(weight), *size), np.result_type(x, weight, x if bias is None else bias))
    if x.size and weight.size:
        windows = Windows(x.shape, weight.shape[2:], size, y.dtype, groups=groups, **steps)
        matrix, outputs = _grouped(weight, groups, 0), _grouped(y, groups, 1)
        column = None if bias is None else bias.reshape(groups, -1, 1)
        for samples, part, columns in windows.gather(np.ascontiguousarray(x)):
            out = outputs[samples, ..., part]
            np.matmul(matrix, columns, out=out)
            if column is not None:
                out += column
    elif bias is not None:
        y += _beside_channels(bias, y.ndim)
    return y


@_in_float32
def _transpose_kernel(x: Array, weight: Array, bias: Array | None, size: Size, groups: int, **steps: Any) -> Array:
    y = np.zeros((len(x), weight.shape[1] * groups, *size), np.result_type(x, weight, x if bias is None else bias))
    if x.size and weight.size:
        windows = Windows(y.shape, weight.shape[2:], x.shape[2:], y.dtype, groups=groups, **steps)
        matrix, x = _grouped(weight, groups, 0).swapaxes(1, 2), _grouped(x, groups, 1)
        for samples, part, columns in windows.scatter(y):
            np.matmul(matrix, x[samples, ..., part], out=columns)
    if bias is not None:
        y += _beside_channels(bias, y.ndim)
    return y


@_in_float32
def _weight_kernel(x: Array, y: Array, size: Size, groups: int, **steps: Any) -> Array:
    windows = Windows(x.shape, size, y.shape[2:], np.result_type(x, y), groups=groups, **steps)
    total = np.zeros((groups, y.shape[1] // groups, windows.rows), np.result_type(x, y))
    if x.size and y.size:
        y = _grouped(y, groups, 1)
        for samples, part, columns in windows.gather(np.ascontiguousarray(x)):
            total += np.add.reduce(np.matmul(y[samples, ..., part], columns.swapaxes(-1, -2)), 0)
    return total.reshape(-1, x.shape[1] // groups, *size)


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
    saves=("b", "a"),
    domain=MODERATE,
    doc="The adjoint of a convolution by its weight, of an input (N, C, *) and a gradient (N, O, *).",
)
