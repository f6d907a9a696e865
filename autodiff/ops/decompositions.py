"""Decompositions of matrices: Cholesky, QR, eigenvalues of symmetric matrices, singular values.

Where a decomposition is not unique (the signs of eigenvectors, say) the derivative is that of a function of it that
does not depend on the choice, as in PyTorch. Where two eigenvalues or singular values are equal the vectors have no
derivative: what depends on them gets an infinite or NaN gradient.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import numpy as np

from autodiff import grad_mode
from autodiff.op import OpError, implements
from autodiff.ops.axes import transpose
from autodiff.ops.matrices import by_pieces, explained, matrices, square, transposed
from autodiff.ops.packing import Shape, outputs, pack, unpack
from autodiff.ops.solvers import BLOCK, solve_triangle
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, wrap

FINITE = "a matrix of finite numbers"
CHECK_INPUT = "look for where NaN or infinity came from with x.isfinite().all()"


class QR(NamedTuple):
    """Orthonormal columns and an upper triangle."""

    Q: Tensor
    R: Tensor


class Eigh(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SVD(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right singular vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def _read(x: Array, triangle: str | None) -> tuple[Array, Any]:
    """The matrices, and which triangle LAPACK is to read of them.

    The gradient is that by a symmetric matrix, on which all ways to read it agree: it is itself symmetric. A triangle
    None reads the mean of both, the one function of all matrices with that gradient, for the gradient checks.
    """
    return ((x + transposed(x)) / 2, "L") if triangle is None else (x, triangle)


def _divided(numerator: Any, gap: Any) -> Any:
    """numerator / gap, but 0 where both are 0: what nobody asks for does not spoil the rest."""
    return numerator / np.where((gap == 0) & (numerator == 0), 1.0, gap)


@lru_cache(maxsize=16)
def _below(n: int) -> Array:
    """Where an n by n matrix lies below its diagonal, for n up to BLOCK."""
    return np.tri(n, k=-1, dtype=bool)


def _cholesky_kernel(x: Array, triangle: str | None) -> Array:
    x, triangle = _read(x, triangle)
    factor = np.linalg.cholesky(x if triangle == "L" else transposed(x))
    # LAPACK lets what is not finite pass.
    if not np.isfinite(factor).all():
        raise np.linalg.LinAlgError
    return factor


def _cholesky_rule(g: Any, y: Any, x: Any, triangle: str | None) -> Any:
    """I. Murray, "Differentiation of the Cholesky decomposition" (2016): L⁻ᵀ Φ(Lᵀ L̇) L⁻¹, made symmetric."""
    inner = np.matmul(transposed(y), g)
    inner = (np.tril(inner) + transposed(np.tril(inner, -1))) / 2
    left = solve_triangle.rule(transposed(y), inner, upper=True, unitriangular=False)
    return transposed(solve_triangle.rule(transposed(y), transposed(left), upper=True, unitriangular=False))


def _cholesky_fast(g: Array, y: Array, x: Any, triangle: str | None) -> Any:
    """The rule by the inverse of small factors, which is two products where the rule solves two systems."""
    n = x.shape[-1]
    if n > BLOCK:
        return _cholesky_rule(g, y, x, triangle)
    # Copies: NumPy multiplies small matrices in order in a third of the time that it takes for transposed ones.
    upper = y.mT.copy()
    inner = np.matmul(upper, g)
    inner = np.where(_below(n), inner, inner.mT)
    inner *= 0.5
    # Of an upper triangle LAPACK exchanges no rows: the inverse is substituted back, and as accurate as a solution.
    inverse = np.linalg.inv(upper)
    return np.matmul(np.matmul(inverse, inner), inverse.mT.copy())


_cholesky = operation(
    "cholesky",
    explained(
        by_pieces(_cholesky_kernel, 2),
        "a symmetric positive definite matrix",
        "A @ A.mT plus a small multiple of the identity is one",
    ),
    vjp=_cholesky_rule,
    fast=by_pieces(_cholesky_fast, 2, 2, 2),
    saves="y",
    analytic=False,
    doc="The lower triangular factors L of L Lᵀ.",
)


def _qr_square_rule(g_q: Any, g_r: Any, q: Any, r: Any) -> Any:
    """The gradient of Q R with a square R."""
    inner = np.matmul(g_r, transposed(r)) - np.matmul(transposed(q), g_q)
    below = np.tri(r.shape[-1], k=-1, dtype=bool)
    right = g_q + np.matmul(q, np.where(below, transposed(inner), inner))
    return transposed(solve_triangle.rule(r, transposed(right), upper=True, unitriangular=False))


def _qr_rule(g: Any, y: Any, x: Any) -> Any:
    """S. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2018).

    A wide matrix is [X Y] with R = [U QᵀY]: X = Q U is the square case, and Y adds its part to the gradient of Q.
    """
    m, n = x.shape[-2:]
    k = min(m, n)
    q, r = unpack(y, (m, k), (k, n))
    g_q, g_r = unpack(g, (m, k), (k, n))
    if m >= n:
        return _qr_square_rule(g_q, g_r, q, r)
    g_v = g_r[..., m:]
    g_q = g_q + np.matmul(np.matmul(q, r[..., m:]), transposed(g_v))
    return np.concatenate((_qr_square_rule(g_q, g_r[..., :m], q, r[..., :m]), np.matmul(q, g_v)), axis=-1)


def _qr_fast(g: Array, y: Array, x: Any) -> Any:
    """The rule, shorter where only R has a gradient, and without a copy of the triangle that R is."""
    m, n = x.shape[-2:]
    if m < n or n > BLOCK:
        return _qr_rule(g, y, x)
    start, batch = m * n, y.shape[:-1]
    q, r = y[..., :start].reshape(*batch, m, n), y[..., start:].reshape(*batch, n, n)
    g_q, g_r = g[..., :start].reshape(q.shape), g[..., start:].reshape(r.shape)
    of_q = np.count_nonzero(g_q)
    inner = np.matmul(g_r, r.mT.copy())
    if of_q:
        inner -= np.matmul(q.mT.copy(), g_q)
    np.copyto(inner, inner.mT, where=_below(n))
    right = np.matmul(q, inner)
    if of_q:
        right += g_q
    return np.linalg.solve(r, right.mT).mT.copy()


_qr = operation(
    "qr",
    by_pieces(lambda x: pack(x.shape[:-2], *np.linalg.qr(x)), 2),
    vjp=_qr_rule,
    fast=by_pieces(_qr_fast, 1, 1, 2),
    saves="y",
    analytic=False,
    doc="Orthonormal columns Q and upper triangles R with A = Q R.",
)


def _eigh_kernel(x: Array, triangle: str | None) -> Array:
    symmetric, uplo = _read(x, triangle)
    return pack(x.shape[:-2], *np.linalg.eigh(symmetric, uplo))


def _eigh_rule(g: Any, y: Any, x: Any, triangle: str | None) -> Any:
    """Giles (2008): V (diag λ̇ + (Vᵀ V̇) / (λj - λi)) Vᵀ, made symmetric."""
    n = x.shape[-1]
    values, vectors = unpack(y, (n,), (n, n))
    g_values, g_vectors = unpack(g, (n,), (n, n))
    inner = np.matmul(transposed(vectors), g_vectors)
    gap = values[..., None, :] - values[..., None]
    core = _divided((inner - transposed(inner)) / 2, gap) + g_values[..., None] * np.eye(n, dtype=g.dtype)
    return np.matmul(np.matmul(vectors, core), transposed(vectors))


def _eigh_fast(g: Array, y: Array, x: Any, triangle: str | None) -> Any:
    """The rule, which is short where only the eigenvalues have a gradient: 3 µs for 10 by 10 numbers in place of 18."""
    n = x.shape[-1]
    if np.count_nonzero(g[..., n:]):
        return _eigh_rule(g, y, x, triangle)
    vectors = y[..., n:].reshape(*y.shape[:-1], n, n)
    return np.matmul(vectors * g[..., None, :n], vectors.mT)


_eigh = operation(
    "eigh",
    explained(by_pieces(_eigh_kernel, 2), FINITE, CHECK_INPUT),
    vjp=_eigh_rule,
    fast=by_pieces(_eigh_fast, 1, 1, 2),
    saves="y",
    analytic=False,
    doc="The eigenvalues and eigenvectors of symmetric matrices.",
)


def _svd_shapes(x: Any, full_matrices: bool) -> tuple[Shape, Shape, Shape]:
    m, n = x.shape[-2:]
    k = min(m, n)
    return ((m, m), (k,), (n, n)) if full_matrices else ((m, k), (k,), (k, n))


def _svd_rule(g: Any, y: Any, x: Any, full_matrices: bool) -> Any:
    """J. Townsend, "Differentiating the singular value decomposition" (2016).

    Of full matrices only the first min(m, n) vectors are functions of A; the gradients of the others are left out.
    """
    m, n = x.shape[-2:]
    k = min(m, n)
    u, s, vt = unpack(y, *_svd_shapes(x, full_matrices))
    g_u, g_s, g_vt = unpack(g, *_svd_shapes(x, full_matrices))
    u, vt, g_u, g_vt = u[..., :k], vt[..., :k, :], g_u[..., :k], g_vt[..., :k, :]
    column, row = s[..., None], s[..., None, :]
    left = np.matmul(transposed(u), g_u)
    right = np.matmul(vt, transposed(g_vt))
    gap = (row - column) * (row + column)
    core = _divided((left - transposed(left)) * row + column * (right - transposed(right)), gap)
    gradient = np.matmul(np.matmul(u, core + g_s[..., None] * np.eye(k, dtype=g.dtype)), vt)
    if m > k:
        gradient = gradient + np.matmul(_divided(g_u - np.matmul(u, left), row), vt)
    if n > k:
        gradient = gradient + np.matmul(u, _divided(g_vt - np.matmul(transposed(right), vt), column))
    return gradient


def _svd_fast(g: Array, y: Array, x: Any, full_matrices: bool) -> Any:
    """The rule, which is short where only the values have a gradient: 4 µs for 10 by 10 numbers in place of 27."""
    m, n = x.shape[-2:]
    k = min(m, n)
    columns, rows = (m, n) if full_matrices else (k, k)
    start = m * columns
    g_s = g[..., start : start + k]
    # A third of the time of `any`.
    if np.count_nonzero(g) > np.count_nonzero(g_s):
        return _svd_rule(g, y, x, full_matrices)
    batch = y.shape[:-1]
    u, vt = y[..., :start].reshape(*batch, m, columns), y[..., start + k :].reshape(*batch, rows, n)
    return np.matmul(u[..., :k] * g_s[..., None, :], vt[..., :k, :])


def _svd_kernel(x: Array, full_matrices: bool) -> Array:
    return pack(x.shape[:-2], *np.linalg.svd(x, full_matrices))


_svd = operation(
    "svd",
    explained(by_pieces(_svd_kernel, 2), FINITE, CHECK_INPUT),
    vjp=_svd_rule,
    fast=by_pieces(_svd_fast, 1, 1, 2),
    saves="y",
    analytic=False,
    doc="Singular vectors and values, A = U diag(S) Vᵀ.",
)


# The values alone take a third of the time; where a gradient is asked for, it needs the vectors too.
_eigvalsh = operation(
    "eigvalsh",
    explained(lambda x, triangle: np.linalg.eigvalsh(x, triangle), FINITE, CHECK_INPUT),
    arity=1,
    doc="The eigenvalues of symmetric matrices.",
)
_svdvals = operation(
    "svdvals",
    explained(lambda x: np.linalg.svd(x, compute_uv=False), FINITE, CHECK_INPUT),
    arity=1,
    doc="The singular values in descending order.",
)


def _recorded(x: Tensor) -> bool:
    """Whether a gradient may be asked for."""
    return x.requires_grad and grad_mode.is_grad_enabled()


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The lower triangle L of `input` = L Lᵀ for symmetric positive definite matrices (..., n, n); Lᵀ if `upper`.

    Reads the triangle that it returns; the gradient is symmetric. LinAlgError for a matrix that is not positive
    definite.

    >>> import autodiff as ad
    >>> ad.linalg.cholesky(ad.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    factor = _cholesky(square("cholesky", input), triangle="U" if upper else "L")
    return transpose(factor, -2, -1) if upper else factor


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Q with orthonormal columns and the upper triangle R, A = Q R, for matrices (..., m, n).

    With k = min(m, n), Q is (..., m, k) and R (..., k, n); for the mode "complete" k = m; for "r" Q is empty. Only the
    first is differentiable for all shapes, where the first k columns of A are independent.

    >>> import autodiff as ad
    >>> ad.linalg.qr(ad.tensor([[3.0], [4.0]])).R.abs()
    tensor([[5.]])
    """
    if mode not in ("reduced", "complete", "r"):
        raise OpError(f'qr: expected a mode "reduced", "complete" or "r", got {mode!r}')
    m, n = matrices("qr", A).shape[-2:]
    if mode == "reduced" or (mode == "complete" and m <= n):
        k = min(m, n)
        return QR(*outputs(_qr(A), (m, k), (k, n)))
    if A.requires_grad:
        raise OpError(
            f'qr: the mode {mode!r} has no derivative for A of shape {A.shape}; use the mode "reduced", or A.detach()'
        )
    if mode == "r":
        return QR(wrap(np.empty(0, A.dtype)), wrap(np.asarray(np.linalg.qr(A.array, "r"))))
    return QR(*map(wrap, np.linalg.qr(A.array, "complete")))


def eigh(A: Tensor, UPLO: str = "L") -> Eigh:
    """The eigenvalues (..., n) and eigenvectors (..., n, n) of symmetric matrices, of which one triangle is read.

    `UPLO` is "L" for the lower triangle or "U" for the upper; the gradient is symmetric.

    >>> import autodiff as ad
    >>> ad.linalg.eigh(ad.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    n = square("eigh", A).shape[-1]
    return Eigh(*outputs(_eigh(A, triangle=_triangle("eigh", UPLO)), (n,), (n, n)))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues (..., n) of symmetric matrices in ascending order, with a gradient where they repeat too.

    >>> import autodiff as ad
    >>> ad.linalg.eigvalsh(ad.tensor([[0.0, 1.0], [1.0, 0.0]]))
    tensor([-1.,  1.])
    """
    if _recorded(square("eigvalsh", A)):
        return eigh(A, UPLO).eigenvalues
    return _eigvalsh(A, triangle=_triangle("eigvalsh", UPLO))


def _triangle(name: str, uplo: str) -> str:
    if uplo not in ("L", "U", "l", "u"):
        raise OpError(f'{name}: expected UPLO "L" for the lower triangle or "U" for the upper, got {uplo!r}')
    return uplo.upper()


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """U, S and Vh with A = U[:, :k] diag(S) Vh[:k] for matrices (..., m, n), k = min(m, n).

    S is (..., k); U and Vh are (..., m, m) and (..., n, n), or (..., m, k) and (..., k, n) without `full_matrices`.
    `driver` chooses between algorithms of GPUs and has no effect. LinAlgError for numbers that are not finite.

    >>> import autodiff as ad
    >>> ad.linalg.svd(ad.tensor([[0.0, 3.0], [2.0, 0.0]])).S
    tensor([3., 2.])
    """
    packed = _svd(matrices("svd", A), full_matrices=full_matrices)
    return SVD(*outputs(packed, *_svd_shapes(A, full_matrices)))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values (..., min(m, n)) in descending order, with a gradient where they repeat too.

    >>> import autodiff as ad
    >>> ad.linalg.svdvals(2 * ad.eye(2))
    tensor([2., 2.])
    """
    if _recorded(matrices("svdvals", A)):
        return svd(A, full_matrices=False).S
    return _svdvals(A)


def eig(A: Tensor) -> NoReturn:
    """TypeError: the eigenvalues of a general matrix are complex; `eigh` is for symmetric ones."""
    raise TypeError(
        "eig: the eigenvalues of a general matrix are complex numbers, which are outside what this engine does; use "
        "linalg.eigh() for a symmetric matrix, or np.linalg.eig(A.detach().numpy()) without gradients"
    )


def eigvals(A: Tensor) -> NoReturn:
    """TypeError: the eigenvalues of a general matrix are complex; `eigvalsh` is for symmetric ones."""
    eig(A)


@implements(np.linalg.svd)
def _np_svd(a: Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    return svd(a, full_matrices) if compute_uv else svdvals(a)


implements(np.linalg.cholesky)(lambda a, *, upper=False: cholesky(a, upper))
implements(np.linalg.qr)(qr)
implements(np.linalg.eigh)(eigh)
implements(np.linalg.eigvalsh)(eigvalsh)
