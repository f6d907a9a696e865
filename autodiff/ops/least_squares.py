"""Pseudoinverses, ranks and least squares, all by singular values.

The derivative of the pseudoinverse is that of G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and
nonlinear least squares problems whose variables separate" (1973), for matrices whose rank does not change nearby.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autodiff.op import OpError, describe, implements
from autodiff.ops.decompositions import CHECK_INPUT, FINITE, eigvalsh, svdvals
from autodiff.ops.matrices import LinAlgError, explained, matrices, same_batch, same_dtype, square, transposed
from autodiff.ops.shape import broadcast, unsqueeze
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, as_array, wrap


class LeastSquares(NamedTuple):
    """A least squares solution and what is known of the matrix."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def _cutoff(largest: Array, shape: tuple[int, ...], atol: Any, rtol: Any) -> Any:
    """The largest singular value that counts as 0, (..., 1): max(atol, rtol · `largest`).

    `rtol` is by default the rounding of max(m, n) sums, or 0 beside an `atol`.
    """
    rounding = max(shape[-2:]) * float(np.finfo(largest.dtype).eps)
    if atol is None and not isinstance(rtol, np.ndarray):
        return (rounding if rtol is None else rtol) * largest
    floor = np.asarray(0.0 if atol is None else atol)
    relative = np.where(floor > 0, 0.0, rounding) if rtol is None else np.asarray(rtol)
    return np.maximum(floor[..., None], relative[..., None] * largest).astype(largest.dtype)


def _reciprocal(s: Array, cutoff: Array) -> Array:
    """1 / s, and 0 for what counts as 0."""
    zero = np.abs(s) <= cutoff
    return np.where(zero, 0, 1 / np.where(zero, 1, s))


def _pinv_kernel(x: Array, atol: Any, rtol: Any, hermitian: bool) -> Array:
    if hermitian:
        s, v = np.linalg.eigh(x)
        largest = np.abs(s).max(axis=-1, keepdims=True, initial=0)
        left, right = v, transposed(v)
    else:
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        largest = s[..., :1]
        left, right = transposed(vt), transposed(u)
    product: Array = np.matmul(left * _reciprocal(s, _cutoff(largest, x.shape, atol, rtol))[..., None, :], right)
    return product


def _pinv_rule(g: Any, y: Any, x: Any, atol: Any, rtol: Any, hermitian: bool) -> Any:
    if x.shape[-1] > x.shape[-2]:
        # A wide matrix by its transpose, so that all inner products have the smaller length.
        return transposed(_pinv_rule(transposed(g), transposed(y), transposed(x), atol, rtol, hermitian))
    yt, gt = transposed(y), transposed(g)
    column = gt - np.matmul(x, np.matmul(y, gt))
    row = gt - np.matmul(gt, np.matmul(y, x))
    outside = np.matmul(column, np.matmul(y, yt)) + np.matmul(yt, np.matmul(y, row))
    return outside - np.matmul(yt, np.matmul(g, yt))


_pinv = operation(
    "pinv",
    explained(_pinv_kernel, FINITE, CHECK_INPUT),
    vjp=_pinv_rule,
    saves="x y",
    analytic=False,
    doc="The pseudoinverses of matrices of any shape and rank.",
)


def _lstsq_kernel(a: Array, b: Array, rcond: float) -> Array:
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    inverse = _reciprocal(s, _cutoff(s[..., :1], a.shape, None, rcond))
    x: Array = np.matmul(transposed(vt), inverse[..., None] * np.matmul(transposed(u), b))
    return x


def _lstsq_rule(g: Any, y: Any, a: Any, b: Any, needs: Sequence[bool], rcond: float) -> list[Any]:
    """The rule of `pinv` for X = A⁺ B, without products larger than A."""
    inverse = _pinv.rule(a, atol=None, rtol=rcond, hermitian=False)
    right = np.matmul(transposed(inverse), g)
    if not needs[0]:
        return [None, right]
    residual = b - np.matmul(a, y)
    row = g - np.matmul(transposed(a), right)
    left = np.matmul(residual, transposed(np.matmul(inverse, right)))
    left = left + np.matmul(np.matmul(transposed(inverse), y), transposed(row))
    return [left - np.matmul(right, transposed(y)), right]


_lstsq = operation(
    "lstsq",
    explained(_lstsq_kernel, FINITE, CHECK_INPUT, probe=np.linalg.svd),
    joint=_lstsq_rule,
    arity=2,
    saves="a b y",
    analytic=False,
    doc="The least squares solutions X of A X = B.",
)


def _plain(tolerance: Any) -> Any:
    return tolerance.array if isinstance(tolerance, Tensor) else tolerance


def pinv(A: Tensor, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """The pseudoinverses (..., n, m) of matrices (..., m, n).

    Singular values up to max(atol, rtol · the largest) count as 0; `rtol` is max(m, n) times the dtype's rounding by
    default, or 0 beside an `atol`. A `hermitian` matrix is symmetric, and read in its lower triangle.

    >>> import autodiff as ad
    >>> ad.linalg.pinv(ad.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    (square if hermitian else matrices)("pinv", A)
    return _pinv(A, atol=_plain(atol), rtol=_plain(rtol), hermitian=hermitian)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudoinverses of matrices, as `linalg.pinv` with ``rtol=rcond``.

    >>> import autodiff as ad
    >>> ad.pinverse(ad.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    return pinv(input, rtol=rcond)


def matrix_rank(A: Tensor, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """The ranks (...) of matrices: how many singular values exceed max(atol, rtol · the largest), as for `pinv`.

    >>> import autodiff as ad
    >>> ad.linalg.matrix_rank(ad.ones(2, 2))
    tensor(1)
    """
    x = (square if hermitian else matrices)("matrix_rank", A).detach()
    s = np.abs(eigvalsh(x).array) if hermitian else svdvals(x).array
    largest = s.max(axis=-1, keepdims=True, initial=0)
    return wrap(as_array((s > _cutoff(largest, x.shape, _plain(atol), _plain(rtol))).sum(axis=-1)))


def _together(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """A and the right sides as matrices, with equal batch axes."""
    right = unsqueeze(B, -1) if B.ndim == A.ndim - 1 else B
    if right.ndim != A.ndim or right.shape[-2] != A.shape[-2] or not same_batch(A, right):
        raise OpError(
            f"lstsq: expected A (..., m, n) and B (..., m, k) or (..., m) with equal batch axes, got A {describe(A)} "
            f"and B {describe(B)}"
        )
    if A.shape[:-2] == right.shape[:-2]:
        return A, right
    batch = np.broadcast_shapes(A.shape[:-2], right.shape[:-2])
    return broadcast(A, shape=(*batch, *A.shape[-2:])), broadcast(right, shape=(*batch, *right.shape[-2:]))


DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """The X of least norm that minimizes ‖A X - B‖, for A (..., m, n) and B (..., m, k), or vectors B (..., m).

    Singular values up to `rcond` times the largest, by default max(m, n) times the dtype's rounding, count as 0.
    `driver` is LAPACK's name of what is to be returned: "gelsy" (default) adds the rank, "gelss" and "gelsd" the rank
    and the singular values; all but "gelsy" add the squared residuals (..., k) if m > n and the rank is full; "gels"
    raises LinAlgError if it is not. What is not returned is empty. The gradient flows through solution and residuals.

    >>> import autodiff as ad
    >>> ad.linalg.lstsq(ad.tensor([[2.0], [0.0]]), ad.tensor([[4.0], [1.0]])).solution
    tensor([[2.]])
    """
    matrices("lstsq", A)
    same_dtype("lstsq", A, B)
    if driver is not None and driver not in DRIVERS:
        raise OpError(f"lstsq: expected a driver among {', '.join(DRIVERS)}, got {driver!r}")
    a, b = _together(A, B)
    m, n = a.shape[-2:]
    tolerance = max(m, n) * float(np.finfo(a.dtype).eps) if rcond is None else rcond
    x = _lstsq(a, b, rcond=tolerance)
    s = np.linalg.svd(A.array, compute_uv=False)
    rank = as_array((s > _cutoff(s[..., :1], a.shape, None, tolerance)).sum(axis=-1))
    full = bool((rank == min(m, n)).all())
    if driver == "gels" and not full:
        raise LinAlgError(
            f"lstsq: expected matrices of full rank for driver='gels', got A {describe(A)} of rank {rank.tolist()}; "
            f"use driver='gelsd'"
        )
    empty = wrap(np.empty(0, a.dtype))
    residuals = empty if driver in (None, "gelsy") or m <= n or not full else ((a @ x - b) ** 2).sum(-2)
    return LeastSquares(
        x[..., 0] if B.ndim < A.ndim else x,
        residuals,
        wrap(np.empty(0, np.int64) if driver == "gels" else rank),
        wrap(s) if driver in ("gelsd", "gelss") else empty,
    )


implements(np.linalg.pinv)(lambda a, *, rtol=None, hermitian=False: pinv(a, rtol=rtol, hermitian=hermitian))
