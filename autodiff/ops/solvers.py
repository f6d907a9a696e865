"""Linear systems: inverses, solutions, and systems with triangular matrices.

The derivatives are those of M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008): the inverse Y of X has Ẋ = -Yᵀ Ẏ Yᵀ, and X = A⁻¹B has Ḃ = A⁻ᵀ Ẋ and Ȧ = -Ḃ Xᵀ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.op import OpError, describe, implements
from autodiff.ops.axes import movedim, transpose
from autodiff.ops.matrices import by_pieces, explained, matrices, same_batch, same_dtype, square, transposed
from autodiff.ops.shape import reshape, unsqueeze
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, as_array, wrap

INVERTIBLE = "an invertible matrix (rows that are linearly independent)"
ADVICE = "add a small multiple of the identity to it, or use linalg.lstsq() or linalg.pinv()"
# Below this size LAPACK's general solver is as fast as products of smaller blocks.
BLOCK = 64


def _invert_fast(g: Array, y: Array, x: Any) -> Any:
    # A copy: NumPy multiplies small matrices in order in a third of the time that it takes for transposed ones.
    right = y.mT.copy()
    out = np.matmul(np.matmul(right, g), right)
    return np.negative(out, out=out)


invert = operation(
    "inv",
    explained(by_pieces(np.linalg.inv, 2), INVERTIBLE, ADVICE),
    vjp=lambda g, y, x: -np.matmul(np.matmul(transposed(y), g), transposed(y)),
    fast=by_pieces(_invert_fast, 2, 2, 2),
    saves="y",
    doc="The inverses of square matrices.",
)


def _solve_rule(g: Any, y: Any, a: Any, b: Any, needs: Sequence[bool]) -> list[Any]:
    right = solve_system.rule(transposed(a), g)
    return [-np.matmul(right, transposed(y)) if needs[0] else None, right]


solve_system = operation(
    "solve",
    # One vector would be read by NumPy, and a stack of vectors not: all are columns of matrices here.
    explained(by_pieces(np.linalg.solve, 2, 2), INVERTIBLE, ADVICE, probe=np.linalg.inv),
    joint=_solve_rule,
    arity=2,
    saves="a y",
    doc="The solutions X of A X = B, with the columns of B as right sides.",
)


def _back_substitute(a: Array, b: Array, unitriangular: bool) -> Array:
    """The solution of a x = b by the upper triangle of `a`: halves down to blocks, so that most work is products."""
    n = a.shape[-1]
    if n <= BLOCK:
        triangle = np.triu(a)
        # The pivots of a triangle are its diagonal: LAPACK's general solver does nothing but substitute back.
        return np.linalg.solve(np.where(np.eye(n, dtype=bool), 1, triangle) if unitriangular else triangle, b)
    half = n // 2
    low = _back_substitute(a[..., half:, half:], b[..., half:, :], unitriangular)
    rest = b[..., :half, :] - np.matmul(a[..., :half, half:], low)
    return np.concatenate((_back_substitute(a[..., :half, :half], rest, unitriangular), low), axis=-2)


def _triangle_kernel(a: Array, b: Array, upper: bool, unitriangular: bool) -> Array:
    if upper:
        return _back_substitute(a, b, unitriangular)
    # Both axes reversed, a lower triangle is an upper one.
    return _back_substitute(a[..., ::-1, ::-1], b[..., ::-1, :], unitriangular)[..., ::-1, :].copy()


def _triangle_rule(
    g: Any, y: Any, a: Any, b: Any, needs: Sequence[bool], upper: bool, unitriangular: bool
) -> list[Any]:
    right = solve_triangle.rule(transposed(a), g, upper=not upper, unitriangular=unitriangular)
    if not needs[0]:
        return [None, right]
    full = -np.matmul(right, transposed(y))
    edge = 1 if unitriangular else 0
    return [np.triu(full, edge) if upper else np.tril(full, -edge), right]


def _has_zeros(a: Array) -> None:
    if (np.diagonal(a) == 0).any():
        raise np.linalg.LinAlgError


solve_triangle = operation(
    "solve_triangular",
    explained(
        _triangle_kernel,
        "a triangular matrix without zeros on its diagonal",
        "it is singular: add a small multiple of the identity, or use linalg.lstsq()",
        probe=_has_zeros,
    ),
    joint=_triangle_rule,
    arity=2,
    saves="a y",
    doc="The solutions X of A X = B for a triangular A, whose other triangle is not read.",
)


def inv(A: Tensor) -> Tensor:
    """The inverses of square matrices (..., n, n); LinAlgError if one is singular.

    `solve` is faster and more accurate where the inverse is only multiplied with something.

    >>> import autodiff as ad
    >>> ad.linalg.inv(ad.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return invert(square("inv", A))


def inverse(input: Tensor) -> Tensor:
    """The inverses of square matrices (..., n, n), as `linalg.inv`.

    >>> import autodiff as ad
    >>> ad.inverse(ad.tensor([[0.5]]))
    tensor([[2.]])
    """
    return inv(input)


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The solution X of A X = B, or of X A = B unless `left`; LinAlgError if A is singular.

    A is (..., n, n); B is a vector (n,), one vector for each matrix, (..., n), or matrices (..., n, k), (..., k, n)
    unless `left`.

    >>> import autodiff as ad
    >>> ad.linalg.solve(ad.tensor([[2.0, 0.0], [0.0, 4.0]]), ad.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    square("solve", A)
    same_dtype("solve", A, B)
    vectors = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    right = unsqueeze(B, -1) if vectors else B
    if not left and not vectors:
        A, right = _mirrored(A, right)
    elif not left:
        raise OpError("solve: expected matrices B for left=False, got vectors; use B.unsqueeze(-2)")
    _fits("solve", A, right, B)
    x = solve_system(A, right)
    return x[..., 0] if vectors else x if left else transpose(x, -2, -1)


def _mirrored(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """X A = B as Aᵀ Xᵀ = Bᵀ."""
    return transpose(a, -2, -1), transpose(b, -2, -1)


def _fits(name: str, a: Tensor, right: Tensor, given: Tensor) -> None:
    if right.ndim < 2 or a.shape[-1] != right.shape[-2] or not same_batch(a, right):
        raise OpError(
            f"{name}: expected right sides with as many rows as A, (..., n, k), or columns with left=False, and equal "
            f"batch axes; got A {describe(a)} and B {describe(given)}"
        )


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """The solution X of A X = B, or of X A = B unless `left`, for triangular A (..., n, n) and B (..., n, k).

    Reads the upper or lower triangle alone, and takes its diagonal for ones if `unitriangular`. LinAlgError for a zero
    on the diagonal.

    >>> import autodiff as ad
    >>> ad.linalg.solve_triangular(ad.tensor([[2.0, 1.0], [0.0, 4.0]]), ad.tensor([[4.0], [8.0]]), upper=True)
    tensor([[1.],
            [2.]])
    """
    square("solve_triangular", A)
    matrices("solve_triangular", B)
    same_dtype("solve_triangular", A, B)
    a, right = (A, B) if left else _mirrored(A, B)
    _fits("solve_triangular", a, right, B)
    x = solve_triangle(a, right, upper=upper == left, unitriangular=unitriangular)
    return x if left else transpose(x, -2, -1)


def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The solution X of A X = `input` (..., n, k), given the Cholesky factor `L` of A; Lᵀ if `upper`.

    >>> import autodiff as ad
    >>> ad.cholesky_solve(ad.tensor([[4.0]]), ad.tensor([[2.0]]))
    tensor([[1.]])
    """
    matrices("cholesky_solve", input)
    mirrored = transpose(square("cholesky_solve", L), -2, -1)
    first, second = (mirrored, L) if upper else (L, mirrored)
    return solve_triangular(second, solve_triangular(first, input, upper=False), upper=True)


def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A given its Cholesky factor `input` (..., n, n), lower unless `upper`.

    >>> import autodiff as ad
    >>> ad.cholesky_inverse(ad.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    square("cholesky_inverse", input)
    identity = np.broadcast_to(np.eye(input.shape[-1], dtype=input.dtype), input.shape)
    return cholesky_solve(wrap(identity), input, upper)


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of `A` as a map from its axes after the first `ind` to those; OpError unless that is square.

    >>> import autodiff as ad
    >>> ad.linalg.tensorinv(ad.eye(6).reshape(2, 3, 6), ind=2).shape
    (6, 2, 3)
    """
    if ind <= 0:
        raise OpError(f"tensorinv: expected a positive number of axes ind, got {ind}")
    first, last = A.shape[:ind], A.shape[ind:]
    if math.prod(first) != math.prod(last):
        raise OpError(f"tensorinv: expected axes with as many entries up to ind={ind} as after it, got {describe(A)}")
    return reshape(inv(reshape(A, (math.prod(first), math.prod(last)))), (*last, *first))


def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """The solution X of tensordot(A, X, X.ndim) = B; the axes `dims` of A are moved to its end first.

    >>> import autodiff as ad
    >>> ad.linalg.tensorsolve(ad.eye(6).reshape(2, 3, 6), ad.ones(2, 3)).shape
    (6,)
    """
    if dims is not None:
        A = movedim(A, dims, range(A.ndim - len(dims), A.ndim))
    n = B.numel()
    unknown = A.shape[B.ndim :]
    if math.prod(A.shape[: B.ndim]) != n or math.prod(unknown) != n:
        raise OpError(f"tensorsolve: expected A of shape (*B.shape, ...) with {n} entries each, got {describe(A)}"
                      f" and B {describe(B)}")  # fmt: skip
    return reshape(solve(reshape(A, (n, n)), reshape(B, (n,))), unknown)


implements(np.linalg.inv)(inv)


@implements(np.linalg.solve)
def _np_solve(a: Any, b: Any) -> Tensor:
    a, b = (x if isinstance(x, Tensor) else wrap(as_array(x)) for x in (a, b))
    if b.ndim == 1:
        return solve(a, b)
    _fits("solve", square("solve", a), matrices("solve", b), b)
    return solve_system(a, b)
