"""The matrix exponential and condition numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.op import OpError
from autodiff.ops.decompositions import svdvals
from autodiff.ops.matrices import matrices, square, transposed
from autodiff.ops.matrix_norm import matrix_norm
from autodiff.ops.selection import where
from autodiff.ops.solvers import inv
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, wrap

# The Padé approximants of degree 7 and 13, and the norms up to which they are exact to rounding in float32 and float64:
# N. Higham, "The scaling and squaring method for the matrix exponential revisited" (2005).
SINGLE = (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0)
DOUBLE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
SINGLE_NORM, DOUBLE_NORM = 3.925724783138660, 5.371920351148152


def _pade(x: Array, b: tuple[float, ...]) -> Array:
    """exp(x) ≈ (V - U)⁻¹ (V + U), where U holds the odd powers of x and V the even ones."""
    one = np.eye(x.shape[-1], dtype=x.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    odd = b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * one
    even = b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * one
    if len(b) > 8:
        odd += x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2)
        even += x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2)
    odd = x @ odd
    quotient: Array = np.linalg.solve(even - odd, even + odd)
    return quotient


def _exp_kernel(x: Array) -> Array:
    if x.dtype == np.float16:
        return _exp_kernel(x.astype(np.float32)).astype(np.float16)
    coefficients, reach = (SINGLE, SINGLE_NORM) if x.dtype == np.float32 else (DOUBLE, DOUBLE_NORM)
    norm = np.abs(x).sum(axis=-2).max(axis=-1, initial=0)
    # A matrix that holds NaN or infinity has no exponential but NaN.
    finite = np.isfinite(norm)
    halvings = np.maximum(np.frexp(np.where(finite, norm / reach, 0))[1], 0)[..., None, None]
    scaled = np.where(finite[..., None, None], x * 0.5 ** halvings.astype(x.real.dtype), 0).astype(x.dtype, copy=False)
    y = _pade(scaled, coefficients)
    for i in range(int(halvings.max(initial=0))):
        y = np.where(halvings > i, y @ y, y)
    return np.where(finite[..., None, None], y, np.nan)


def _exp_rule(g: Any, y: Any, x: Any) -> Any:
    """The upper right block of exp [[Xᵀ, G], [0, Xᵀ]]: R. Mathias, "A chain rule for matrix functions" (1996)."""
    n = x.shape[-1]
    xt = transposed(x)
    above = np.concatenate((xt, g), axis=-1)
    below = np.concatenate((np.zeros(x.shape, g.dtype), xt), axis=-1)
    return _exp.rule(np.concatenate((above, below), axis=-2))[..., :n, n:]


_exp = operation(
    "matrix_exp",
    _exp_kernel,
    vjp=_exp_rule,
    saves="x",
    doc="The matrix exponentials of square matrices.",
)


def matrix_exp(A: Tensor) -> Tensor:
    """The matrix exponentials Σ Aⁱ / i! of square matrices (..., n, n).

    By scaling, squaring and a Padé approximant (Higham 2005).

    >>> import autodiff as ad
    >>> ad.linalg.matrix_exp(ad.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _exp(square("matrix_exp", A, "efdFD"))


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition numbers (...) ‖A‖ ‖A⁻¹‖ of matrices, infinite for singular ones.

    The norm `p` is None or 2 (the largest singular value over the smallest, for matrices of any shape), -2 (the
    inverse of that), "fro", "nuc", inf, -inf, 1 or -1.

    >>> import autodiff as ad
    >>> ad.linalg.cond(ad.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if p not in (None, 2, -2, "fro", "nuc", np.inf, -np.inf, 1, -1):
        raise OpError(f"cond: expected p among None, 2, -2, 1, -1, inf, -inf, 'fro' and 'nuc', got {p!r}")
    if not (matrices if p in (None, 2, -2) else square)("cond", A).numel():
        return wrap(np.zeros(A.shape[:-2], A.dtype))
    if p in (None, 2, -2, "nuc"):
        s = svdvals(A)
        if p == "nuc":
            return s.sum(-1) * (1 / s).sum(-1)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    singular = wrap(np.linalg.slogdet(A.array)[0] == 0)
    regular = where(singular[..., None, None], wrap(np.eye(A.shape[-1], dtype=A.dtype)), A)
    out: Tensor = where(singular, np.inf, matrix_norm(A, p) * matrix_norm(inv(regular), p))
    return out
