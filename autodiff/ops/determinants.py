"""Determinants, and their logarithms."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from autodiff.op import implements
from autodiff.ops.matrices import square, transposed
from autodiff.ops.packing import outputs, pack
from autodiff.ops.selection import where
from autodiff.ops.solvers import invert
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, as_array


class SignLogdet(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


def _cofactors_kernel(x: Array) -> Array:
    """det(x) x⁻ᵀ, with its limit where x is singular: by x = U S Vᵀ it is det(U) det(V) U diag(∏ other s) Vᵀ."""
    try:
        inverse = np.linalg.inv(x)
        size, inverse_size = (np.abs(matrix).max(axis=(-2, -1), initial=0) for matrix in (x, inverse))
        # The inverse loses as many digits as the condition number has: at most half of them.
        if not (x.shape[-1] * size * inverse_size > np.finfo(x.dtype).eps ** -0.5).any():
            product: Array = np.linalg.det(x)[..., None, None] * transposed(inverse)
            return product
    except np.linalg.LinAlgError:
        pass
    u, s, vt = np.linalg.svd(x)
    others = np.where(np.eye(x.shape[-1], dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))[..., None]
    product = np.matmul(u * (sign * others)[..., None, :], vt)
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
_det = operation(
    "det",
    np.linalg.det,
    vjp=lambda g, y, x: g[..., None, None] * cofactors.rule(x),
    saves="x",
    doc="The determinants of square matrices.",
)


def _slogdet_rule(g: Any, y: Any, x: Any) -> Any:
    return g[..., 1:, None] * transposed(invert.rule(x))


_slogdet = operation(
    "slogdet",
    lambda x: pack(x.shape[:-2], *map(as_array, np.linalg.slogdet(x))),
    vjp=_slogdet_rule,
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
