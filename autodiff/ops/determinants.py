"""Determinants, and their logarithms."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from autodiff.op import implements
from autodiff.ops.matrices import by_pieces, square, transposed
from autodiff.ops.packing import outputs, pack
from autodiff.ops.selection import where
from autodiff.ops.solvers import invert
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, as_array


class SignLogdet(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


def _largest(x: Array) -> Array:
    """The largest absolute value of each matrix."""
    return as_array(np.maximum.reduce(np.abs(x).reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1]), -1, initial=0))


def _cofactors_kernel(x: Array, det: Array | None = None) -> Array:
    """det(x) x⁻ᵀ, with its limit where x is singular: by x = U S Vᵀ it is det(U) det(V) U diag(∏ other s) Vᵀ."""
    try:
        inverse: Array = np.linalg.inv(x.mT)
        # The inverse loses as many digits as the condition number has: at most half of them.
        if not (x.shape[-1] * _largest(x) * _largest(inverse) > np.finfo(x.dtype).eps ** -0.5).any():
            inverse *= (np.linalg.det(x) if det is None else det)[..., None, None]
            return inverse
    except np.linalg.LinAlgError:
        pass
    u, s, vt = np.linalg.svd(x)
    others = np.where(np.eye(x.shape[-1], dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))[..., None]
    product: Array = np.matmul(u * (sign * others)[..., None, :], vt)
    return product


def _cofactors_rule(g: Any, y: Any, x: Any) -> Any:
    inverse = transposed(invert.rule(x))
    along = np.sum(g * y, axis=(-2, -1), keepdims=True)
    return along * inverse - np.matmul(np.matmul(y, transposed(g)), inverse)


cofactors = operation(
    "cofactors",
    _cofactors_kernel,
    vjp=_cofactors_rule,
    saves="x y",
    analytic=False,
    doc="The derivatives of the determinants by the entries of the matrices, singular ones included.",
)
_determinants = by_pieces(np.linalg.det, 2)


def _det_kernel(x: Array) -> tuple[Array, Array]:
    """The determinants, twice: the rule, which asks `cofactors`, does not read them, and its fast form does."""
    det = as_array(_determinants(x))
    return det, det


def _det_fast(g: Array, y: Any, x: Array, det: Array) -> Array:
    out = _cofactors_kernel(x, det)
    out *= g[..., None, None]
    return out


_det = operation(
    "det",
    _det_kernel,
    vjp=lambda g, y, x: g[..., None, None] * cofactors.rule(x),
    fast=by_pieces(_det_fast, 0, 0, 2, 0),
    memo=True,
    saves="x",
    doc="The determinants of square matrices.",
)


def _slogdet_rule(g: Any, y: Any, x: Any) -> Any:
    return g[..., 1:, None] * transposed(invert.rule(x))


def _slogdet_fast(g: Array, y: Any, x: Array) -> Array:
    # In row-major order, unlike the transpose of the inverse.
    out: Array = invert.rule(x.mT)
    out *= g[..., 1:, None]
    return out


_slogdet = operation(
    "slogdet",
    by_pieces(lambda x: pack(x.shape[:-2], *map(as_array, np.linalg.slogdet(x))), 2),
    vjp=_slogdet_rule,
    fast=_slogdet_fast,
    saves="x",
    analytic=False,
    doc="The signs of determinants and the logarithms of their absolute values.",
)


def det(input: Tensor) -> Tensor:
    """The determinants (...) of square matrices (..., n, n).

    The gradient is right for singular matrices too; the second derivative needs invertible ones.

    >>> import autodiff as ad
    >>> ad.det(ad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(-2.)
    """
    return _det(square("det", input))


def slogdet(input: Tensor) -> SignLogdet:
    """The sign of the determinants of (..., n, n), and log |det|, which neither overflows nor underflows.

    A singular matrix has the sign 0 and the logarithm -inf, without a gradient: LinAlgError in backward.

    >>> import autodiff as ad
    >>> ad.slogdet(ad.tensor([[0.0, 2.0], [2.0, 0.0]]))
    SignLogdet(sign=tensor(-1.), logabsdet=tensor(1.3863))
    """
    return SignLogdet(*outputs(_slogdet(square("slogdet", input)), (), ()))


def logdet(input: Tensor) -> Tensor:
    """The logarithms of the determinants of (..., n, n): -inf for 0, NaN for negative ones.

    >>> import autodiff as ad
    >>> ad.logdet(2 * ad.eye(2))
    tensor(1.3863)
    """
    sign, logarithm = slogdet(input)
    out: Tensor = where(sign < 0, np.nan, logarithm)
    return out


implements(np.linalg.det)(det)
implements(np.linalg.slogdet)(slogdet)
