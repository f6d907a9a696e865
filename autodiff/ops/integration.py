"""Differences along an axis, and areas under sampled curves by the trapezoidal rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.op import OpError, Recorder, describe, implements
from autodiff.ops.comparison import logical_xor
from autodiff.ops.conversion import clone
from autodiff.ops.indexing import narrow
from autodiff.ops.joining import cat
from autodiff.ops.reduction import numpy_names, sum
from autodiff.ops.scan import cumsum
from autodiff.ops.shape import positive_axis
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, as_array, wrap, zeros_beside


def _adjacent_kernel(x: Array, axis: int, sign: int) -> Array:
    before = (slice(None),) * axis
    left, right = x[(*before, slice(None, -1))], x[(*before, slice(1, None))]
    return right + left if sign > 0 else right - left


def _from_adjacent_kernel(x: Array, axis: int, sign: int) -> Array:
    before = (slice(None),) * axis
    out = zeros_beside(x, (*x.shape[:axis], x.shape[axis] + 1, *x.shape[axis + 1 :]))
    out[(*before, slice(1, None))] = x
    out[(*before, slice(None, -1))] += x if sign > 0 else -x
    return out


_adjacent = multilinear(
    "adjacent",
    _adjacent_kernel,
    vjp=lambda g, y, x, axis, sign: _from_adjacent.rule(g, axis=axis, sign=sign),
    doc="The sums (sign 1) or differences (sign -1) of neighbours along an axis.",
)
_from_adjacent: Recorder = multilinear(
    "from_adjacent",
    _from_adjacent_kernel,
    vjp=lambda g, y, x, axis, sign: _adjacent.rule(g, axis=axis, sign=sign),
    doc="The elements added to the two neighbours, with a sign to the left one, that they would come from.",
)


@numpy_names
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """The `n`-th difference between neighbours along `dim`, after joining `prepend` and `append`; bools are compared.

    OpError for a 0-d tensor, a negative `n`, or parts of other lengths across `dim`.

    >>> import autodiff as ad
    >>> ad.diff(ad.tensor([1, 4, 9]), prepend=ad.tensor([0]))
    tensor([1, 3, 5])
    """
    if not input.ndim or n < 0:
        raise OpError(f"diff: expected at least one dimension and n >= 0, got {describe(input)} and n={n}")
    axis = positive_axis(dim, input.ndim)
    if not n:
        return clone(input)
    parts = [part for part in (prepend, input, append) if part is not None]
    out = cat(parts, axis) if len(parts) > 1 else input
    for _ in range(min(n, out.shape[axis])):
        if out.array.dtype.kind == "b":
            out = logical_xor(*(narrow(out, axis, start, out.shape[axis] - 1) for start in (0, 1)))
        else:
            out = _adjacent(out, axis=axis, sign=-1)
    return out


def _widths(name: str, y: Tensor, x: Tensor | None, dx: Any, axis: int) -> Any:
    """The distances between neighbouring samples: a number, or a tensor that broadcasts with all but one of them."""
    if not y.ndim:
        raise IndexError(f"{name}: expected samples along at least one dimension, got a 0-d tensor")
    if "b" in [part.array.dtype.kind for part in (y, x) if part is not None]:
        raise RuntimeError(f"{name}: expected numbers, got a bool tensor; convert it with .float()")
    if x is None:
        return 1 if dx is None else dx
    if dx is not None:
        raise TypeError(f"{name}: expected the places x or their distance dx, got both")
    if x.ndim == 1:
        if x.shape[0] != y.shape[axis]:
            raise OpError(f"{name}: expected a place in x for each of {y.shape[axis]} samples, got {x.shape[0]}")
        x = x.reshape(*(1,) * axis, -1, *(1,) * (y.ndim - axis - 1))
    elif x.ndim < y.ndim:
        x = x.reshape(*(1,) * (y.ndim - x.ndim), *x.shape)
    return _adjacent(x, axis=axis, sign=-1)


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The area under the samples `y` along `dim` by the trapezoidal rule, at places `x` or a distance of `dx` (1).

    `x` is a vector, or has a shape that broadcasts with that of `y`. RuntimeError for bools.

    >>> import autodiff as ad
    >>> ad.trapezoid(ad.tensor([1.0, 2.0, 3.0]), ad.tensor([0.0, 1.0, 3.0]))
    tensor(6.5000)
    """
    axis = positive_axis(dim, y.ndim)
    width = _widths("trapezoid", y, x, dx, axis)
    if not y.shape[axis]:
        return wrap(np.zeros(y.shape[:axis] + y.shape[axis + 1 :], y.dtype))
    if y.dtype.kind in "iu" and x is None:
        # As in PyTorch: sums of two neighbours would wrap around in small integers, that of all is int64.
        ends = narrow(y, axis, 0, 1) + narrow(y, axis, y.shape[axis] - 1, 1)
        area: Tensor = (sum(y, axis) - sum(ends * 0.5, axis)) * width
        return area
    pairs = _adjacent(y, axis=axis, sign=1)
    return sum(pairs, axis) * (width / 2.0) if x is None else sum(pairs * width, axis) / 2.0


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The areas of `trapezoid` from the first sample to each of the others.

    >>> import autodiff as ad
    >>> ad.cumulative_trapezoid(ad.tensor([1.0, 2.0, 3.0]), dx=2)
    tensor([3., 8.])
    """
    axis = positive_axis(dim, y.ndim)
    width = _widths("cumulative_trapezoid", y, x, dx, axis)
    sums = _adjacent(y, axis=axis, sign=1)
    return cumsum(sums * (width / 2.0), axis) if x is None else cumsum(sums * width, axis) / 2.0


@implements(np.diff)
def _np_diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    return diff(_tensor(a), n, axis, *(part if part is None else _tensor(part) for part in (prepend, append)))


@implements(np.trapezoid)
def _np_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    return trapezoid(_tensor(y), dx=dx, dim=axis) if x is None else trapezoid(_tensor(y), _tensor(x), dim=axis)


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else wrap(as_array(x))
