"""The distance between two points, and those between all pairs of two sets of points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.op import OpError, describe
from autodiff.ops.products import MODERATE, matmul, multiply
from autodiff.ops.reduction import add_reduce
from autodiff.ops.vector_norm import vector_norm
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor

MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
# Up to so many differences are simply computed; beyond, the product of matrices is faster, in blocks of rows that stay
# in the cache: 1000 by 1000 distances in a third of the time.
FEW = 4096
BLOCK = 65536
# |x|² + |y|² - 2xy loses what |x - y|² is smaller than |x|² + |y|²: at most four of float64's sixteen digits.
CLOSE = 1e-4


def _kernel(a: Array, b: Array) -> Any:
    dtype = a.dtype
    if a.size * b.shape[-2] <= FEW:
        # In float64, for the differences of large numbers.
        apart = np.subtract(a[..., :, None, :], b[..., None, :, :], dtype=np.float64)
        return np.sqrt(np.vecdot(apart, apart)).astype(dtype, copy=False)
    a, b = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
    out = np.empty((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-2]), dtype)
    rows = max(1, BLOCK // b.shape[-2])
    with np.errstate(invalid="ignore"):
        for i in range(0, a.shape[-2], rows):
            squares = _squares(a[..., i : i + rows, :], b)
            np.sqrt(squares.astype(dtype, copy=False), out=out[..., i : i + rows, :])
    return out


def _squares(a: Array, b: Array) -> Any:
    lengths = np.vecdot(a, a)[..., :, None] + np.vecdot(b, b)[..., None, :]
    squares = multiply(a, b.mT)
    squares *= -2
    squares += lengths
    lengths *= CLOSE
    apart_enough = squares > lengths
    if not apart_enough.all():
        # Pairs that are close, where that cancels, or that hold infinities and NaNs.
        *batch, i, j = np.unravel_index(np.flatnonzero(~apart_enough), squares.shape)
        lead = squares.shape[:-2]
        apart = np.broadcast_to(a, lead + a.shape[-2:])[*batch, i] - np.broadcast_to(b, lead + b.shape[-2:])[*batch, j]
        squares[*batch, i, j] = np.vecdot(apart, apart)
    return squares


def _slope(g: Any, y: Any) -> Any:
    """The gradient over the distance: 0 between equal points."""
    return g / np.where(y == 0, math.inf, y)


def _pulled(slope: Any, own: Any, other: Any) -> Any:
    return np.sum(slope, axis=-1)[..., None] * own - matmul.rule(slope, other)


def _pulled_fast(g: Array, y: Array, own: Array, other: Array) -> Any:
    if np.count_nonzero(y) != y.size:
        y = np.where(y == 0, math.inf, y)
    slope = np.divide(g, y, dtype=np.float64)
    pulled = add_reduce(slope, -1, None, None, True) * own
    pulled -= multiply(slope, other.astype(np.float64, copy=False))
    return pulled.astype(own.dtype, copy=False)


_euclidean = operation(
    "cdist",
    _kernel,
    vjp=(
        lambda g, y, a, b: _pulled(_slope(g, y), a, b),
        lambda g, y, a, b: _pulled(np.swapaxes(_slope(g, y), -1, -2), b, a),
    ),
    fast=(
        lambda g, y, a, b: _pulled_fast(g, y, a, b),
        lambda g, y, a, b: _pulled_fast(g.mT, y.mT, b, a),
    ),
    saves=("y a b", "y a b"),
    domain=MODERATE,
    analytic=False,
    doc="The Euclidean distances between the points of two sets; the gradient between equal points is 0.",
)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The distances Σ(|x - y|ᵖ)^(1/p) of all points (..., n, k) from all points (..., m, k), (..., n, m).

    For p = 2 they are exact to rounding, whatever `compute_mode`, and no more memory is used than for the result.
    The gradient between equal points is 0. OpError for negative `p` and points of different dimensions.

    >>> import autodiff as ad
    >>> ad.cdist(ad.tensor([[0.0, 0.0]]), ad.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise OpError(f"cdist: expected points (..., n, k) and (..., m, k), got {describe(x1)} and {describe(x2)}")
    if x1.dtype.kind != "f" or x1.dtype is not x2.dtype:
        came = f"{describe(x1)} and {describe(x2)}"
        raise OpError(f"cdist: expected tensors of one floating-point dtype, got {came}; convert with x.to(dtype)")
    if p < 0:
        raise OpError(f"cdist: expected p of at least 0, got {p}")
    if compute_mode not in MODES:
        raise OpError(f"cdist: expected a compute_mode among {', '.join(MODES)}, got {compute_mode!r}")
    if p == 2:
        return _euclidean(x1, x2)
    # Points without coordinates are equal, for infinite p as well.
    p = p if x1.shape[-1] else 1
    # The coordinates in front and the points in a row, since sums along a last axis are slow where it is short.
    return vector_norm(x1.mT.unsqueeze(-1) - x2.mT.contiguous().unsqueeze(-2), p, -3)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other over all elements, whose shapes broadcast; its gradient between equals is 0.

    OpError for integers, and for no elements if p is negative or infinite.

    >>> import autodiff as ad
    >>> ad.dist(ad.tensor([1.0, 2.0]), ad.tensor([4.0, 6.0]))
    tensor(5.)
    """
    return vector_norm(input - other, p)
