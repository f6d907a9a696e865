"""The p-norms of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.domain import REALS
from autodiff.op import OpError, describe
from autodiff.ops.conversion import astype
from autodiff.ops.reduction import Dim, axes_of, numpy_names
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, as_array

INFINITY = float("inf")
Axes = tuple[int, ...]


def _euclidean(x: Array, axis: Axes, keepdims: bool) -> Any:
    """The root of the sum of squares, by BLAS where the axes lie in memory one after the other."""
    if len(axis) == x.ndim:
        flat = x.ravel(order="K")
        length = np.sqrt(flat.dot(flat))
        return length.reshape((1,) * x.ndim) if keepdims else length
    if axis == (x.ndim - 1,) and x.strides[-1] == x.itemsize:
        squares = np.vecdot(x, x)
        return np.sqrt(squares[..., None] if keepdims else squares)
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


def _kernel(x: Array, ord: float, axis: Axes, keepdims: bool) -> Any:
    if x.dtype == np.float16:
        # Squares of 256 and more are beyond float16.
        return as_array(_kernel(x.astype(np.float32), ord, axis, keepdims)).astype(np.float16)
    if ord == 2:
        return _euclidean(x, axis, keepdims)
    if ord == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdims, dtype=x.dtype)
    size = np.abs(x)
    if ord == INFINITY:
        return np.max(size, axis=axis, keepdims=keepdims)
    if ord == -INFINITY:
        return np.min(size, axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    with np.errstate(divide="ignore"):
        # A zero among the entries makes a norm of negative order 0, by way of an infinity.
        return np.power(np.sum(np.power(size, ord), axis=axis, keepdims=keepdims), 1 / ord)


def _rule(g: Any, y: Any, x: Any, ord: float, axis: Axes, keepdims: bool) -> Any:
    if ord == 0:
        return np.zeros(x.shape, x.dtype)
    if not keepdims and g.ndim < x.ndim:
        g, y = np.expand_dims(g, axis), np.expand_dims(y, axis)
    if ord == 1:
        return np.sign(x) * g
    if ord in (INFINITY, -INFINITY):
        # A NaN is the extreme where there is one.
        chosen = (np.abs(x) == y) | (x != x)
        return np.sign(x) * np.where(chosen, g / np.sum(chosen, axis=axis, keepdims=True), 0.0)
    length = np.where(y == 0, 1.0, y)
    g = np.where(y == 0, 0.0, g)
    if ord == 2:
        return x * (g / length)
    share = np.where(x == 0, 1.0, np.abs(x) / length)
    return np.sign(x) * share ** (ord - 1) * g


def _fast(g: Any, y: Any, x: Any, ord: float, axis: Axes, keepdims: bool) -> Any:
    """The rule on arrays, in a third of the time for lengths of which none is 0."""
    if ord != 2 or not y.all():
        return _rule(g, y, x, ord, axis, keepdims)
    share = g / y
    return x * (share if keepdims or share.ndim == 0 else np.expand_dims(share, axis))


norm = operation(
    "vector_norm",
    _kernel,
    vjp=_rule,
    fast=_fast,
    saves="x y",
    domain=REALS,
    analytic=False,
    doc="The p-norm over some axes; its gradient where it is 0 is 0, and entries that tie for a maximum share it.",
)


def in_dtype(name: str, x: Any, dtype: Any) -> Tensor:
    """`x` in the floating-point `dtype`, by default its own; TypeError for one that it does not fit in."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {describe(x)}; make one with ad.tensor(...)")
    if x.array.dtype.kind not in "fc":
        raise OpError(f"{name}: expected a floating-point tensor, got {describe(x)}; convert it with x.float()")
    if dtype is None:
        return x
    wanted = dtypes.as_dtype(dtype)
    if wanted.kind != "f" or wanted.itemsize < x.dtype.itemsize:
        raise OpError(f"{name}: expected a dtype as wide as that of {describe(x)}, got {wanted}")
    return astype(x, wanted)


@numpy_names
def vector_norm(x: Tensor, ord: float = 2, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm Σ(|x|ᵖ)^(1/p) for p = `ord` over `dim`, or of all elements.

    ``inf`` and ``-inf`` are the largest and the smallest |x|, and 0 counts what is not zero. The gradient where a
    norm is 0 is 0. OpError for integers, and for orders that have no value for no elements.

    >>> import autodiff as ad
    >>> ad.linalg.vector_norm(ad.tensor([[3.0, 4.0], [5.0, 12.0]]), dim=1)
    tensor([ 5., 13.])
    """
    x = in_dtype("vector_norm", x, dtype)
    if isinstance(ord, bool) or not isinstance(ord, int | float):
        raise TypeError(f"vector_norm: expected a number as ord, got {ord!r}; matrix_norm() takes names")
    axes = axes_of(x, dim)
    if (ord < 0 or ord == INFINITY) and 0 in [x.shape[i] for i in axes]:
        raise OpError(f"vector_norm: order {ord} has no value for no elements, got {describe(x)} over dim {dim}")
    return norm(x, ord=ord, axis=axes, keepdims=keepdim)
