"""A product added to a tensor, ``beta * input + alpha * (a @ b)``, as one op."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.op import OpError, describe
from autodiff.ops.axes import permute
from autodiff.ops.conversion import astype
from autodiff.ops.products import MODERATE, matmul, multiply
from autodiff.ops.selection import where
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, wrap

NOWHERE = wrap(np.zeros((), bool))


def _kernel(x: Array, a: Array, b: Array, beta: float, alpha: float) -> Any:
    y = multiply(a, b)
    if alpha != 1:
        y = y * _factor(alpha, y)
    scaled = x if beta == 1 else x * _factor(beta, x)
    if y.dtype != x.dtype:
        return y + scaled
    y += scaled
    return y


def _factor(factor: float, x: Array) -> Any:
    """The factor in the dtype of integers, which wrap around; for floats a number does."""
    return np.asarray(factor).astype(x.dtype) if x.dtype.kind in "iu" else factor


def _times(g: Any, factor: float) -> Any:
    return g if factor == 1 else g * factor


def _left(g: Any, y: Any, x: Any, a: Any, b: Any, beta: float, alpha: float) -> Any:
    return _times(g[:, None] * b if b.ndim == 1 else matmul.rule(g, np.swapaxes(b, -1, -2)), alpha)


def _right(g: Any, y: Any, x: Any, a: Any, b: Any, beta: float, alpha: float) -> Any:
    return _times(matmul.rule(np.swapaxes(a, -1, -2), g), alpha)


_add_product = operation(
    "addmm",
    _kernel,
    vjp=(lambda g, y, x, a, b, beta, alpha: _times(g, beta), _left, _right),
    saves=("", "b", "a"),
    domain=MODERATE,
    doc="beta * x + alpha * (a @ b) for matrices, a matrix and a vector, or batches of matrices.",
)


def _checked(
    name: str, input: Tensor, a: Tensor, b: Tensor, ndims: tuple[int, int], beta: float, alpha: float
) -> Tensor:
    """`input`, or zeros that stand for it if `beta` is 0: what is not wanted may hold NaNs."""
    try:
        x, y, z = input.array, a.array, b.array
    except AttributeError:
        raise TypeError(f"{name}: expected three Tensors, got {_describe(input, a, b)}") from None
    dtype = x.dtype
    if y.ndim != ndims[0] or z.ndim != ndims[1]:
        expected = f"a tensor to add to, a {ndims[0]}-d and a {ndims[1]}-d one"
        raise OpError(f"{name}: expected {expected}, got {_describe(input, a, b)}")
    if dtype is not y.dtype or dtype is not z.dtype:
        raise OpError(f"{name}: expected tensors of one dtype, got {_describe(input, a, b)}; convert with x.to(dtype)")
    if dtype.kind != "f" and not (isinstance(beta, int) and isinstance(alpha, int)):
        raise OpError(f"{name}: expected integers as beta and alpha for {dtype}, got {beta!r} and {alpha!r}")
    if ndims == (3, 3) and len(y) != len(z):
        raise OpError(f"{name}: expected batches of equal length, got {_describe(input, a, b)}")
    return input if beta else where(NOWHERE, input, 0)


def _describe(*tensors: Any) -> str:
    return ", ".join(map(describe, tensors))


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)``, of matrices; `input` broadcasts, and is not read if `beta` is 0.

    >>> import autodiff as ad
    >>> ad.addmm(ad.tensor([1.0, 2.0]), ad.ones(1, 2), ad.eye(2), alpha=10)
    tensor([[11., 12.]])
    """
    input = _checked("addmm", input, mat1, mat2, (2, 2), beta, alpha)
    return _add_product(input, mat1, mat2, beta=beta, alpha=alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (mat @ vec)``, of a matrix and a vector.

    >>> import autodiff as ad
    >>> ad.addmv(ad.tensor([1.0, 2.0]), ad.eye(2), ad.ones(2), beta=10)
    tensor([11., 21.])
    """
    input = _checked("addmv", input, mat, vec, (2, 1), beta, alpha)
    return _add_product(input, mat, vec, beta=beta, alpha=alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (batch1 @ batch2)``, of batches (n, i, j) and (n, j, k) of matrices.

    >>> import autodiff as ad
    >>> ad.baddbmm(ad.ones(1), ad.ones(2, 1, 3), ad.ones(2, 3, 1)).tolist()
    [[[4.0]], [[4.0]]]
    """
    input = _checked("baddbmm", input, batch1, batch2, (3, 3), beta, alpha)
    return _add_product(input, batch1, batch2, beta=beta, alpha=alpha)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * Σ (batch1[i] @ batch2[i])``: the products of a batch, added up.

    >>> import autodiff as ad
    >>> ad.addbmm(ad.ones(1), ad.ones(2, 1, 3), ad.ones(2, 3, 1))
    tensor([[7.]])
    """
    input = _checked("addbmm", input, batch1, batch2, (3, 3), beta, alpha)
    count, rows, inner = batch1.shape
    if batch2.shape[1] != inner:
        raise OpError(f"addbmm: the inner lengths differ, got {describe(batch1)} and {describe(batch2)}")
    # One product, of the matrices of the batch side by side and above each other.
    left = permute(batch1, 1, 0, 2).reshape(rows, count * inner)
    return _add_product(input, left, batch2.reshape(count * inner, batch2.shape[2]), beta=beta, alpha=alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * outer(vec1, vec2)``, in the dtype to which all three are promoted.

    >>> import autodiff as ad
    >>> ad.addr(ad.zeros(2, 2), ad.tensor([1.0, 2.0]), ad.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    if not input.dtype is vec1.dtype is vec2.dtype:
        common = dtypes.result_dtype(input.array, vec1.array, vec2.array)
        input, vec1, vec2 = (astype(x, common) for x in (input, vec1, vec2))
    input = _checked("addr", input, vec1, vec2, (1, 1), beta, alpha)
    return _add_product(input, vec1.unsqueeze(1), vec2.unsqueeze(0), beta=beta, alpha=alpha)
