"""Activations made of straight pieces; at their corners the gradients are PyTorch's."""

import math
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.domain import away_from
from autodiff.op import OpError, Recorder
from autodiff.ops.blocks import by_blocks, by_loop
from autodiff.ops.conversion import floating
from autodiff.ops.exponential import leaky_relu as _leaky_relu
from autodiff.ops.masking import LARGE, choose, keep, limit
from autodiff.ops.pieces import slope_at
from autodiff.random import default_generator
from autodiff.recorders import elementwise
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.inplace import write_into


def _between(x: Array, low: float, high: float) -> Any:
    if x.dtype.kind in "iu":
        low, high = int(low), int(high)
    return limit(x, low, high)


# At its kinks a rule gives what PyTorch's does; a product with 0 in place of `np.where` would make NaN of infinite g.
_hardtanh: Recorder = elementwise(
    "hardtanh",
    by_blocks(_between),
    vjp=lambda g, y, x, low, high: slope_at.rule(np.where((x <= low) | (x >= high), 0.0, g), x),
    fast=by_blocks(lambda g, y, x, low, high: keep(~((x <= low) | (x >= high)), g)),
    saves="x",
    arity=1,
    domain=away_from(-1.0, 0.0, 1.0, 6.0, low=-10.0, high=10.0),
    analytic=False,
    doc="x limited to [low, high]; its gradient at both ends is 0.",
)
_hardsigmoid: Recorder = elementwise(
    "hardsigmoid",
    by_blocks(lambda x: limit(x + 3, 0, 6) / 6),
    vjp=lambda g, y, x: slope_at.rule(np.where((x > -3) & (x < 3), g / 6, 0.0), x),
    fast=by_blocks(lambda g, y, x: keep((x > -3) & (x < 3), g / 6)),
    saves="x",
    domain=away_from(-3.0, 3.0, low=-10.0, high=10.0),
    analytic=False,
    doc="x / 6 + 1/2 limited to [0, 1]; its gradient at -3 and 3 is 0.",
)


def _hardswish_kernel(x: Array, *, out: Any = None) -> Any:
    y = np.asarray(np.add(x, 3, out))
    y = np.asarray(limit(y, 0, 6, out))
    y *= x
    y /= 6
    return y


def _hardswish_on_arrays(g: Array, y: Any, x: Array, *, out: Any = None) -> Any:
    if x.size >= LARGE:
        # x / 3 + 1/2 within ±3, where it jumps by 1/2: half of the time of masks.
        slope = np.divide(x, 3, out)
        np.clip(slope, -1, 1, out=slope)
        jump = np.trunc(slope)
        jump *= 0.5
        slope -= jump
        slope += 0.5
        slope *= g
        # Else 0 may have met an infinite g.
        if math.isfinite(np.dot(slope.reshape(-1), slope.reshape(-1))):
            return slope
    return keep(~(x <= -3), choose(x < 3, g * (x / 3 + 0.5), g))


_large_hardswish = by_loop(by_blocks(_hardswish_kernel), "nn.functional.loops.hardswish")
_large_hardswish_slope = by_loop(by_blocks(_hardswish_on_arrays), "nn.functional.loops.hardswish_slope")
_hardswish: Recorder = elementwise(
    "hardswish",
    lambda x: _hardswish_kernel(x) if x.size < LARGE else _large_hardswish(x),
    vjp=lambda g, y, x: np.where(x <= -3, 0.0, np.where(x < 3, g * (x / 3 + 0.5), g)),
    fast=lambda g, y, x: (_hardswish_on_arrays if x.size < LARGE else _large_hardswish_slope)(g, y, x),
    saves="x",
    domain=away_from(-3.0, 3.0, low=-10.0, high=10.0),
    analytic=False,
    doc="x hardsigmoid(x); its gradient at -3 is 0 and at 3 is 1.",
)
_hardshrink: Recorder = elementwise(
    "hardshrink",
    by_blocks(lambda x, lambd: keep(~((x >= -lambd) & (x <= lambd)), x)),
    vjp=lambda g, y, x, lambd: slope_at.rule(np.where((x >= -lambd) & (x <= lambd), 0.0, g), x),
    fast=by_blocks(lambda g, y, x, lambd: keep(~((x >= -lambd) & (x <= lambd)), g)),
    saves="x",
    arity=1,
    domain=away_from(-0.5, 0.5, low=-5.0, high=5.0),
    analytic=False,
    doc="x where |x| > lambd, else 0; its gradient at -lambd and lambd is 0.",
)
_softshrink: Recorder = elementwise(
    "softshrink",
    by_blocks(lambda x, lambd: x - limit(x, -lambd, lambd)),
    vjp=lambda g, y, x, lambd: slope_at.rule(np.where((x >= -lambd) & (x <= lambd), 0.0, g), x),
    fast=by_blocks(lambda g, y, x, lambd: keep(~((x >= -lambd) & (x <= lambd)), g)),
    saves="x",
    arity=1,
    domain=away_from(-0.5, 0.5, low=-5.0, high=5.0),
    analytic=False,
    doc="x nearer to 0 by lambd, and 0 within; its gradient at -lambd and lambd is 0.",
)
_threshold: Recorder = elementwise(
    "threshold",
    by_blocks(lambda x, threshold, value: choose(x <= threshold, np.full_like(x, value), x)),
    vjp=lambda g, y, x, threshold, value: slope_at.rule(np.where(x <= threshold, 0.0, g), x),
    fast=by_blocks(lambda g, y, x, threshold, value: keep(~(x <= threshold), g)),
    saves="x",
    arity=1,
    domain=away_from(0.5, low=-5.0, high=5.0),
    analytic=False,
    doc="x where it is above the threshold, else the value; its gradient at the threshold is 0.",
)
_prelu: Recorder = elementwise(
    "prelu",
    lambda a, b: choose(a > 0, a, a * b),
    vjp=(
        lambda g, y, a, b: slope_at.rule(np.where(a > 0, g, g * b), a),
        lambda g, y, a, b: np.where(a > 0, 0.0, g * a),
    ),
    fast=(lambda g, y, a, b: choose(a > 0, g, g * b), lambda g, y, a, b: keep(~(a > 0), g * a)),
    saves=("a b", "a"),
    domain=(away_from(0.0, low=-5.0, high=5.0), away_from(low=-2.0, high=2.0)),
    result="strict",
    analytic=False,
    doc="a where it is positive, else b a; its gradient at 0 is b.",
)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), elementwise; its gradient at 0 is 0.

    >>> import autodiff as ad
    >>> relu(ad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    output = ad.relu(input)
    return write_into(input, output) if inplace else output


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is positive, else negative_slope · x; its gradient at 0 is the slope.

    >>> import autodiff as ad
    >>> leaky_relu(ad.tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """
    output = _leaky_relu(floating("leaky_relu", input), negative_slope=negative_slope)
    return write_into(input, output) if inplace else output


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where it is positive, else weight · x, with one weight for all or one for each channel (dimension 1).

    Its gradient at 0 is the weight. OpError for another number of weights. Source: He et al. 2015.

    >>> import autodiff as ad
    >>> prelu(ad.tensor([[-1.0, -1.0]]), ad.tensor([0.5, 0.25]))
    tensor([[-0.5000, -0.2500]])
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise OpError(
            f"prelu expected one weight, or one for each of the {channels} channels of an input of shape "
            f"{input.shape}, got weights of shape {weight.shape}"
        )
    if weight.numel() > 1 and input.ndim > 2:
        weight = weight.reshape(-1, *(1,) * (input.ndim - 2))
    elif weight.numel() == 1:
        weight = weight.reshape(())
    output: Tensor = _prelu(input, weight)
    return output


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """x where it is positive, else a slope times x: each its own from [lower, upper) in training, then their mean.

    The slopes come from the default generator and are PyTorch's after the same seed. ValueError for lower > upper.
    Source: Xu et al. 2015.

    >>> import autodiff as ad
    >>> rrelu(ad.tensor([-1.0, 2.0]), 0.25, 0.75)
    tensor([-0.5000,  2.0000])
    """
    if lower > upper:
        raise ValueError(f"rrelu expected lower <= upper, got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    x = floating("rrelu", input).array
    negative = x <= 0
    slopes = np.ones(x.shape, x.dtype)
    # PyTorch rounds the bounds to the dtype, and here, unlike in `uniform_`, the product before the sum.
    low, high = float(x.dtype.type(lower)), float(x.dtype.type(upper))
    slopes[negative] = default_generator.uniform((int(np.count_nonzero(negative)),), np.float64) * (high - low) + low
    output = input * wrap(slopes)
    return write_into(input, output) if inplace else output


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6), elementwise; its gradient at 0 and 6 is 0.

    >>> import autodiff as ad
    >>> relu6(ad.tensor([-1.0, 2.0, 7.0]))
    tensor([0., 2., 6.])
    """
    return hardtanh(input, 0, 6, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x limited to [min_val, max_val]; its gradient at both ends is 0. ValueError for min_val > max_val.

    >>> import autodiff as ad
    >>> hardtanh(ad.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh expected min_val <= max_val, got {min_val} and {max_val}")
    output: Tensor = _hardtanh(input, low=min_val, high=max_val)
    return write_into(input, output) if inplace else output


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2 limited to [0, 1]; its gradient at -3 and 3 is 0.

    >>> import autodiff as ad
    >>> hardsigmoid(ad.tensor([-4.0, 0.0]))
    tensor([0.0000, 0.5000])
    """
    output: Tensor = _hardsigmoid(floating("hardsigmoid", input))
    return write_into(input, output) if inplace else output


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x); its gradient at -3 is 0 and at 3 is 1. Source: Howard et al. 2019.

    >>> import autodiff as ad
    >>> hardswish(ad.tensor([-4.0, 1.5, 4.0]))
    tensor([-0.0000, 1.1250, 4.0000])
    """
    output: Tensor = _hardswish(floating("hardswish", input))
    return write_into(input, output) if inplace else output


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0; its gradient at -lambd and lambd is 0.

    >>> import autodiff as ad
    >>> hardshrink(ad.tensor([-0.5, 0.75]))
    tensor([0.0000, 0.7500])
    """
    output: Tensor = _hardshrink(floating("hardshrink", input), lambd=lambd)
    return output


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x nearer to 0 by lambd, and 0 within; its gradient at -lambd and lambd is 0. ValueError for a negative lambd.

    >>> import autodiff as ad
    >>> softshrink(ad.tensor([-0.75, 0.25, 2.0]))
    tensor([-0.2500,  0.0000,  1.5000])
    """
    if not lambd >= 0:
        raise ValueError(f"softshrink expected lambd of at least 0, got {lambd}")
    output: Tensor = _softshrink(floating("softshrink", input), lambd=lambd)
    return output


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above the threshold, else the value; its gradient at the threshold is 0.

    >>> import autodiff as ad
    >>> threshold(ad.tensor([0.0, 2.0]), 1.0, -5.0)
    tensor([-5.,  2.])
    """
    output: Tensor = _threshold(input, threshold=threshold, value=value)
    return write_into(input, output) if inplace else output


def relu_(input: Tensor) -> Tensor:
    """`relu`, written into the input."""
    return relu(input, inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, written into the input."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """`rrelu`, written into the input."""
    return rrelu(input, lower, upper, training, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, written into the input."""
    return hardtanh(input, min_val, max_val, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, written into the input."""
    return write_into(input, _threshold(input, threshold=threshold, value=value))
