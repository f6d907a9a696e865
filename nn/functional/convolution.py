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
from nn.functional.rows import Rows, rows_of
from nn.functional.windows import Windows

MODERATE = Interval(-3, 3)
Size = tuple[int, ...]


def _grouped(x: Array, groups: int, axis: int) -> Array:
    """The channels on `axis` as two axes, groups and the channels of one; all axes that follow as one."""
    return np.ascontiguousarray(x).reshape(
        *x.shape[:axis], groups, x.shape[axis] // groups, math.prod(x.shape[axis + 1 :])
    )


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
# Where so few windows stand side by side, samples are laid side by side instead, at least TURNED of them: copies of
# short runs of memory cost their number. Turning takes 0.3 to 0.7 ns a number, which products of rows earn sooner.
SHORT, SHORT_ROWS, TURNED = 8, 16, 32


def _in_blocks(
    work: Work, x: Array, y: Array, shape: Size, count: Size, groups: int, fills: bool, bias: Array | None,
    **steps: Size,
) -> list[Any]:  # fmt: skip
    """What `work` gives for some samples of `x` and `y` at a time; threads share the blocks.

    If it `fills` y, the bias is added to that. The weight has the given `shape`. Where there are few windows side by
    side, `work` gets the samples as a last axis, of windows of length 1.
    """
    window = shape[2:]
    nbytes = math.prod(window) * math.prod(count) * x.shape[1] * x.itemsize
    short = count[-1] <= SHORT or (count[-1] <= SHORT_ROWS and _by_rows(shape, groups, **steps))
    turned = short and len(x) > 1 and math.prod(window) > 1
    blocks = max(1, min(BLOCKS, len(x) // TURNED if turned else len(x), len(x) * nbytes // BLOCK))
    if turned:
        window, steps = (*window, 1), {name: (*each, name != "padding") for name, each in steps.items()}
    results: list[Any] = [None] * blocks

    def run(i: int) -> None:
        part = slice(i * len(x) // blocks, (i + 1) * len(x) // blocks)
        xs, ys = x[part], y[part]
        if turned:
            xs = np.ascontiguousarray(np.moveaxis(xs, 0, -1))[None]
            ys = np.empty((1, *y.shape[1:], len(ys)), y.dtype) if fills else np.moveaxis(ys, 0, -1)[None]
        results[i] = work(xs, ys, window, **steps)
        if turned and fills:
            y[part] = np.moveaxis(ys[0], -1, 0)
        if bias is not None:
            y[part] += bias

    share_products(run, blocks)
    return results


# OpenBLAS multiplies matrices of up to so many products without packing them first, and is fastest where the columns
# are a multiple of 64: 32 by 288 times 288 by 1024 takes 0.136 ms at once, and 0.085 in 16 parts.
UNPACKED, COLUMNS = 10**6, 64
# Products with fewer outputs, fewer entries of windows, and of fewer windows in a row, are not worth being apart.
OUTPUTS, ENTRIES, ROW, LONG = 4, 24, 24, 128


def _by_rows(shape: Size, groups: int, stride: Size, padding: Size, dilation: Size) -> bool:
    """Whether a weight of this shape is small enough, and not too small, for products for each row of windows."""
    outputs, entries = shape[0] // groups, math.prod(shape[1:])
    single = len(shape) == 3 or math.prod(shape[2:]) == 1
    return not single and dilation[0] == 1 and ENTRIES <= entries <= UNPACKED // COLUMNS // outputs


def _multiply(a: Array, b: Array, out: Array) -> None:
    """np.matmul, some columns at a time where that is faster."""
    n, count = b.shape[-1], b.shape[-1] // COLUMNS
    if count < 2 or a.shape[-2] < OUTPUTS or not ENTRIES <= a.shape[-1] <= UNPACKED // COLUMNS // a.shape[-2]:
        np.matmul(a, b, out=out)
        return
    whole = count * COLUMNS
    b_parts, parts = (x[..., :whole].reshape(*x.shape[:-1], count, -1).swapaxes(-2, -3) for x in (b, out))
    np.matmul(a[..., None, :, :], b_parts, out=parts)
    if whole < n:
        np.matmul(a, b[..., whole:], out=out[..., whole:])


def _convolve(x: Array, y: Array, weight: Array, groups: int, **steps: Size) -> None:
    """Put the convolution of `x` by `weight` into `y`."""
    out, window, count = y if y.flags.c_contiguous else np.empty(y.shape, y.dtype), weight.shape[2:], y.shape[2:]
    if math.prod(count[1:]) >= ROW and _by_rows(weight.shape, groups, **steps):
        rows = rows_of(x.shape[1:], window, count, groups=groups, **steps)
        matrix = _grouped(weight.swapaxes(1, 2), groups, 0)[:, None]
        outputs = out.reshape(len(x), groups, -1, count[0], math.prod(count[1:])).swapaxes(2, 3)
        for samples, columns in rows.gather(x):
            _multiply(matrix, columns[:, :, 0], outputs[samples])
    else:
        windows = Windows(x.shape, window, count, y.dtype, groups=groups, **steps)
        matrix, outputs = _grouped(weight, groups, 0), _grouped(out, groups, 1)
        for samples, part, columns in windows.gather(x):
            _multiply(matrix, columns, outputs[samples, ..., part])
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


def _correlate(x: Array, y: Array, shape: Size, groups: int, **steps: Size) -> Array:
    """The adjoint by the weight of that shape, (groups, C * entries of a window, outputs)."""
    window, count, outputs = shape[2:], y.shape[2:], y.shape[1] // groups
    rows = _rows_for_weight(x, shape, groups, count, **steps)
    total = np.zeros((groups, math.prod(shape[1:]), outputs), x.dtype)
    if rows is not None:
        for samples, columns in rows.gather(x):
            across = _outputs_last(y[samples]).reshape(len(columns), *columns.shape[3:6:2], groups, outputs)
            products = np.matmul(columns, np.moveaxis(across, 3, 1)[:, :, None])
            total += np.add.reduce(np.add.reduce(products, 3), 0).reshape(total.shape)
        first = total.reshape(groups, window[0], shape[1], -1, outputs)
        return first.swapaxes(1, 2).reshape(total.shape)
    windows = Windows(x.shape, window, count, x.dtype, groups=groups, **steps)
    across = _grouped(y, groups, 1).swapaxes(-1, -2)
    for samples, part, columns in windows.gather(x):
        # This way around OpenBLAS takes two thirds of the time, or half of it.
        total += np.add.reduce(np.matmul(columns, across[samples, :, part]), 0)
    return total


def _rows_for_weight(x: Array, shape: Size, groups: int, count: Size, **steps: Size) -> Rows | None:
    """Windows that overlap in memory, for a weight of that shape, where sums over them are fast."""
    rows = {"shape": x.shape[1:], "window": shape[2:], "count": count, "groups": groups, **steps}
    row, others = math.prod(count[1:]), math.prod(shape[1:]) // shape[2]
    if row >= LONG and _by_rows(shape, groups, **steps):
        return rows_of(**rows)
    if len(count) < 2 or row < ROW or others < ENTRIES or steps["stride"][0] > 1:
        return None
    # Parts that OpenBLAS need not pack, or else all windows at once.
    span = UNPACKED // (others * shape[0] // groups)
    return rows_of(**rows, by_entry=True, span=span if span >= LONG else math.prod(count))


def _outputs_last(y: Array) -> Array:
    """`y` with its second axis last in memory; a copy of what lies a power of two apart takes three times as long."""
    if y.flags.c_contiguous:
        apart = np.empty((*y.shape[:2], math.prod(y.shape[2:]) + 16), y.dtype)[..., :-16]
        apart[...] = y.reshape(apart.shape)
        y = apart
    return np.ascontiguousarray(np.moveaxis(y, 1, -1))


def _applied(
    apply: Work, x: Array, weight: Array, bias: Array | None, y_shape: Size, count: Size, groups: int, **steps: Any
) -> Array:
    """What `apply` makes of `x` and `weight`, with `count` windows, plus the bias."""
    dtype = np.result_type(x, weight, x if bias is None else bias)
    y, bias = np.empty(y_shape, dtype), None if bias is None else bias.reshape(-1, *(1,) * (x.ndim - 2))
    if not (x.size and weight.size):
        y[...] = 0
        return y if bias is None else y + bias
    x, weight = x.astype(dtype, copy=False), weight.astype(dtype, copy=False)

    def work(x: Array, y: Array, window: Size, **steps: Size) -> None:
        apply(x, y, weight.reshape(*weight.shape[:2], *window), groups, **steps)

    _in_blocks(work, x, y, weight.shape, count, groups, True, bias, **steps)
    return y


@_in_float32
def _convolution_kernel(x: Array, weight: Array, bias: Array | None, size: Size, groups: int, **steps: Size) -> Array:
    return _applied(_convolve, x, weight, bias, (len(x), len(weight), *size), size, groups, **steps)


@_in_float32
def _transpose_kernel(x: Array, weight: Array, bias: Array | None, size: Size, groups: int, **steps: Size) -> Array:
    shape = (len(x), weight.shape[1] * groups, *size)
    return _applied(_convolve_back, x, weight, bias, shape, x.shape[2:], groups, **steps)


@_in_float32
def _weight_kernel(x: Array, y: Array, size: Size, groups: int, **steps: Size) -> Array:
    dtype, shape = np.result_type(x, y), (y.shape[1], x.shape[1] // groups, *size)
    if not (x.size and y.size):
        return np.zeros(shape, dtype)
    x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)

    def work(x: Array, y: Array, window: Size, **steps: Size) -> Array:
        return _correlate(x, y, (*shape[:2], *window), groups, **steps)

    total: Array = sum(_in_blocks(work, x, y, shape, y.shape[2:], groups, False, None, **steps))
    return total.swapaxes(1, 2).reshape(shape)


def _sum_channels(g: Any) -> Any:
    return np.sum(g, axis=(0, *range(2, g.ndim)))


def _sum_channels_fast(g: Array) -> Array:
    """By a product with ones along contiguous memory first: a fifth of the time of np.sum over both axes."""
    if g.dtype.char == "e":
        return np.asarray(_sum_channels(g))
    length = math.prod(g.shape[2:])
    rows = g.reshape(g.shape[0] * g.shape[1], length).dot(np.ones(length, g.dtype))
    sums: Array = np.add.reduce(rows.reshape(g.shape[:2]), 0)
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
