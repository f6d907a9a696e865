"""GELU, by the normal distribution function and by its approximation with tanh."""

import math
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.blocks import by_blocks, by_loop
from autodiff.ops.conversion import floating
from autodiff.ops.error_function import ERFCX, evaluate, ndtr
from autodiff.ops.exponential import sigmoid as _sigmoid
from autodiff.ops.masking import LARGE
from autodiff.ops.reduction import wide
from autodiff.recorders import elementwise
from autodiff.tensor import Array, Tensor

# Half of `ERFCX`: Φ(-x) is erfc(x / √2) / 2.
HALF_ERFCX = {dtype: [[c / 2 for c in over], under] for dtype, (over, under) in ERFCX.items()}
ROOT, DENSITY = math.sqrt(2), 1 / math.sqrt(2 * math.pi)


def _gelu_into(x: Array, y: Array, slope: Array) -> None:
    """Put x Φ(x) into `y` and its derivative, Φ(x) + x φ(x), into `slope`, both from one exponential.

    Not by 1 + erf(x / √2), of which left of -4 hardly a digit is right: Φ(-|x|) is exact but for half a place of x.
    """
    # Beyond 40 it is 0, and the infinite would give inf - inf.
    np.clip(x, -40, 40, out=slope)
    size = np.abs(slope)
    density = np.multiply(slope, slope, out=y)
    density *= -0.5
    np.exp(density, out=density)
    size += ROOT
    t = np.divide(ROOT, size, out=size)
    share = evaluate(HALF_ERFCX, t)
    share *= t
    share *= density
    # |Φ(-|x|) - 1| for positive x, else |Φ(-|x|) - 0|.
    share -= np.greater(x, 0, out=t, casting="unsafe")
    np.abs(share, out=share)
    slope *= density
    slope *= DENSITY
    slope += share
    np.multiply(x, share, out=y)


def _gelu_kernel(x: Array, *, out: Any = None) -> Any:
    if out is None or x.dtype.char == "e":
        flat = wide(x).reshape(-1)
        found = np.empty_like(flat), np.empty_like(flat)
        _gelu_into(flat, *found)
        return [part.reshape(x.shape).astype(x.dtype, copy=False) for part in found]
    _gelu_into(x, *out)
    return out


def _density(x: Any) -> Any:
    return np.exp(x * x * -0.5) * DENSITY


_large_gelu = by_loop(by_blocks(_gelu_kernel, results=2), "nn.functional.loops.gelu", results=2)
_gelu: Recorder = elementwise(
    "gelu",
    lambda x: _gelu_kernel(x) if x.size < LARGE else _large_gelu(x),
    vjp=lambda g, y, x: g * (ndtr.rule(x) + x * _density(x)),
    fast=lambda g, y, x, memo: g * memo,
    memo=True,
    saves="x",
    domain=Interval(-6, 6),
    analytic=False,
    doc="x Φ(x) with the normal distribution function Φ.",
)
CUBE, SLOPE = 0.044715, 2 * math.sqrt(2 / math.pi)


def _gelu_tanh_kernel(x: Array) -> Any:
    # (1 + tanh(u)) / 2 is sigmoid(2 u), which is exact in its tails.
    gate = _sigmoid.rule(x * (x * x * (CUBE * SLOPE) + SLOPE))
    return x * gate, gate


def _gelu_tanh_slope(x: Any, y: Any, gate: Any) -> Any:
    return gate + y * ((1 - gate) * (x * x * (3 * CUBE * SLOPE) + SLOPE))


_gelu_tanh: Recorder = elementwise(
    "gelu_tanh",
    by_blocks(_gelu_tanh_kernel, results=2),
    vjp=lambda g, y, x: g * _gelu_tanh_slope(x, y, _sigmoid.rule(x * (x * x * (CUBE * SLOPE) + SLOPE))),
    fast=by_blocks(lambda g, y, x, memo: g * _gelu_tanh_slope(x, y, memo)),
    memo=True,
    saves="x y",
    domain=Interval(-3, 3),
    doc="x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.",
)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x) with the normal distribution function Φ; with `approximate` "tanh" by a formula with tanh.

    ValueError for another `approximate`. Source: Hendrycks and Gimpel 2016.

    >>> import autodiff as ad
    >>> gelu(ad.tensor([0.0, 2.0]))
    tensor([0.0000, 1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu expected approximate="none" or "tanh", got {approximate!r}')
    record = _gelu if approximate == "none" else _gelu_tanh
    return record(floating("gelu", input))
