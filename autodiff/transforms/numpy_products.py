"""NumPy's products and linear algebra on `Batched`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.ops.products import multiply
from autodiff.transforms.batching import Batched, BatchingError, aligned, full, levels_of
from autodiff.transforms.numpy_functions import batched

_function: Any

# Products. The hidden axes of one side become rows, or columns, of one product where they can.


@batched((np.matmul, "__call__"))
def _matmul(a: Any, b: Any, *, ufunc: Any = None, **options: Any) -> Any:
    levels = levels_of((a, b))
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul: expected at least one dimension")
    if b.ndim == 1:
        if type(b) is not Batched:
            return Batched(multiply(a.data, b), levels)
        if type(a) is not Batched and a.ndim == 2:
            return Batched(multiply(b.data, a.T), levels)
        return np.matmul(a, b[:, None])[..., 0]
    if a.ndim == 1:
        if type(a) is Batched and type(b) is not Batched and b.ndim == 2:
            return Batched(multiply(a.data, b), levels)
        return np.matmul(a[None, :], b)[..., 0, :]
    if type(b) is not Batched and b.ndim == 2:
        return Batched(multiply(a.data, b), levels)
    if a.shape[-1] == 1 == b.shape[-2]:
        # Columns times rows: matmul would make a product of each pair.
        return a * b
    levels, (x, y) = aligned((a, b))
    return Batched(np.matmul(x, y), levels)


@batched(np.dot)
def _dot(a: Any, b: Any) -> Any:
    if not a.ndim or not b.ndim:
        return a * b
    return np.matmul(a, b) if b.ndim <= 2 else np.tensordot(a, b, (-1, -2))


@batched((np.vecdot, "__call__"))
def _vecdot(a: Any, b: Any, *, ufunc: Any = None, axis: int = -1) -> Any:
    if axis != -1:
        a, b = np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)
    levels, (x, y) = aligned((a, b))
    return Batched(np.vecdot(x, y), levels)


@batched(np.outer)
def _outer(a: Any, b: Any) -> Any:
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


batched(np.inner)(lambda a, b: np.tensordot(a, b, (-1, -1)) if a.ndim and b.ndim else a * b)


@batched(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        axes = range(a.ndim - axes, a.ndim), range(axes)
    own, other = ([i] if isinstance(i, int) else list(i) for i in axes)
    own, other = [i % a.ndim for i in own], [i % b.ndim for i in other]
    kept_a, kept_b = ([i for i in range(x.ndim) if i not in gone] for x, gone in ((a, own), (b, other)))
    shape = [a.shape[i] for i in kept_a] + [b.shape[i] for i in kept_b]
    inner = int(np.prod([a.shape[i] for i in own], dtype=int))
    left = np.reshape(np.transpose(a, (*kept_a, *own)), (a.size // max(inner, 1), inner))
    right = np.reshape(np.transpose(b, (*other, *kept_b)), (inner, b.size // max(inner, 1)))
    return np.reshape(np.matmul(left, right), shape)


@batched(np.einsum)
def _einsum(equation: str, *operands: Any, optimize: Any = False) -> Batched:
    terms, _, result = equation.replace("...", "").partition("->")
    if "->" not in equation or (equation != "...i,...i->..." and "..." in equation):
        raise BatchingError(f"np.einsum({equation!r}) has no form inside vmap")
    levels, arrays = aligned(operands) if "..." in equation else full(operands)
    return Batched(np.einsum(",".join("..." + term for term in terms.split(",")) + "->..." + result, *arrays), levels)


@batched(np.kron)
def _kron(a: Any, b: Any) -> Any:
    ndim = max(a.ndim, b.ndim)
    shape_a, shape_b = ((1,) * (ndim - x.ndim) + tuple(x.shape) for x in (a, b))
    pairs_a = [n for pair in zip(shape_a, (1,) * ndim, strict=True) for n in pair]
    pairs_b = [n for pair in zip((1,) * ndim, shape_b, strict=True) for n in pair]
    lengths = [n * m for n, m in zip(shape_a, shape_b, strict=True)]
    return np.reshape(np.reshape(a, pairs_a) * np.reshape(b, pairs_b), lengths)


# Linear algebra works on the last two axes and takes any in front.


def _matrices(function: Callable[..., Any]) -> Callable[..., Any]:
    def each(a: Batched, *args: Any, **options: Any) -> Any:
        found = function(a.data, *args, **options)
        if isinstance(found, tuple):
            parts = [Batched(part, a.levels) for part in found]
            return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
        return Batched(found, a.levels)

    return each


for _function in (
    np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.cholesky, np.linalg.qr, np.linalg.svd, np.linalg.eigh,
    np.linalg.eigvalsh, np.linalg.pinv, np.tril, np.triu,
):  # fmt: skip
    batched(_function)(_matrices(_function))


@batched(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return np.linalg.solve(a, b[:, None])[..., 0]
    levels, (x, y) = aligned((a, b))
    return Batched(np.linalg.solve(x, y), levels)
