"""Between two values, and differences between neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.op import OpError
from autodiff.ops.conversion import astype, floating
from autodiff.ops.indexing import narrow
from autodiff.ops.joining import cat
from autodiff.ops.masking import choose
from autodiff.ops.reduction import axes_of
from autodiff.ops.shape import reshape
from autodiff.recorders import elementwise
from autodiff.tensor import Tensor, wrap


def _between(a: Any, b: Any, weight: Any) -> Any:
    # From the nearer end, so that weights 0 and 1 give the ends exactly.
    far = np.abs(weight) >= 0.5
    if np.ndim(weight) == 0:
        y = np.asarray(b - a)
        y *= weight - 1 if far else weight
        y += b if far else a
        return y
    return choose(far, b, a) + (weight - far) * (b - a)


_lerp = elementwise(
    "lerp",
    _between,
    vjp=(
        lambda g, y, a, b, weight: g * (1 - weight),
        lambda g, y, a, b, weight: g * weight,
        lambda g, y, a, b, weight: g * (b - a),
    ),
    saves=("weight", "weight", "a b"),
    result="strict",
    doc="a + weight · (b - a).",
)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """The value between `input` and `end`: input + weight · (end - input); `weight` is a number or a tensor.

    OpError if the dtypes differ, RuntimeError for integers.

    >>> import autodiff as ad
    >>> ad.lerp(ad.tensor([0.0, 10.0]), ad.tensor([1.0, 20.0]), 0.25)
    tensor([ 0.2500, 12.5000])
    """
    floating("lerp", input)
    if not isinstance(weight, Tensor):
        weight = wrap(np.asarray(weight, input.array.dtype))
    elif not weight.ndim:
        weight = astype(weight, input.dtype)
    return _lerp(input, end, weight)


def gradient(
    input: Tensor, *, spacing: Any = 1, dim: int | Sequence[int] | None = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """The slopes of sampled values along each of `dim` (all if None), by differences, each of the shape of `input`.

    `spacing` is the distance of the samples: a number, or for each of `dim` a number or a vector of coordinates. Inside
    the differences are exact for parabolas, at the two ends for polynomials of degree `edge_order`, 1 or 2. OpError
    for fewer than edge_order + 1 samples.

    >>> import autodiff as ad
    >>> ad.gradient(ad.tensor([0.0, 1.0, 4.0, 9.0]), edge_order=2)
    (tensor([0., 2., 4., 6.]),)
    """
    if edge_order not in (1, 2):
        raise OpError(f"gradient: expected edge_order 1 or 2, got {edge_order}")
    if input.dtype == dtypes.uint8:
        raise OpError("gradient: expected signed numbers, got uint8, whose differences wrap; use x.float()")
    if dim is not None and not input.ndim:
        raise IndexError(f"gradient: expected dim=None for a tensor without dimensions, got {dim}")
    axes = _axes(input, dim)
    spacing = 1 if spacing is None else spacing
    steps = list(spacing) if isinstance(spacing, list | tuple) else [spacing] * len(axes)
    if len(steps) != len(axes):
        raise OpError(f"gradient: expected a spacing for each of {len(axes)} dimensions, got {len(steps)}")
    x = input if input.dtype.kind == "f" else astype(input, dtypes.get_default_dtype())
    return tuple(_slope(x, axis, step, edge_order) for axis, step in zip(axes, steps, strict=True))


def _axes(x: Tensor, dim: int | Sequence[int] | None) -> list[int]:
    """The axes in the order in which they were asked for; RuntimeError if one is named twice."""
    if dim is None or isinstance(dim, int):
        return list(axes_of(x, dim))
    axes_of(x, dim)
    return [d % x.ndim for d in dim]


def _slope(x: Tensor, axis: int, step: Any, edge_order: int) -> Tensor:
    n = x.shape[axis]
    if n <= edge_order:
        raise OpError(f"gradient: expected at least {edge_order + 1} samples along dim {axis}, got shape {x.shape}")
    gaps: Any = step
    # How much of the two gaps around a sample lies before it, and that beside the two ends.
    before: Any = 0.5
    ends: Any = (0.5, 0.5)
    if isinstance(step, Tensor) and step.ndim:
        if step.shape != (n,):
            raise OpError(f"gradient: expected {n} coordinates along dim {axis}, got shape {step.shape}")
        gaps = reshape(step[1:] - step[:-1], (n - 1,) + (1,) * (x.ndim - axis - 1))
        before = gaps[:-1] / (gaps[:-1] + gaps[1:])
        ends = before[:1], before[-1:]
    slopes = (narrow(x, axis, 1, n - 1) - narrow(x, axis, 0, n - 1)) / gaps
    first, last = narrow(slopes, axis, 0, 1), narrow(slopes, axis, n - 2, 1)
    if n == 2:
        return cat([first, last], axis)
    bends = narrow(slopes, axis, 1, n - 2) - narrow(slopes, axis, 0, n - 2)
    inside = narrow(slopes, axis, 0, n - 2) + before * bends
    if edge_order == 2:
        first = first - ends[0] * narrow(bends, axis, 0, 1)
        last = last + (1 - ends[1]) * narrow(bends, axis, n - 3, 1)
    return cat([first, inside, last], axis)
