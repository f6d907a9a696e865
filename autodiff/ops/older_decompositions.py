"""PyTorch's older forms of two decompositions, the functions and methods outside of `linalg`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from autodiff.ops import decompositions
from autodiff.ops.axes import transpose
from autodiff.ops.decompositions import QR
from autodiff.ops.matrices import matrices
from autodiff.tensor import Tensor, wrap


class SVD(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right singular vectors as columns."""

    U: Tensor
    S: Tensor
    V: Tensor


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> SVD:
    """As `linalg.svd`, but V instead of its transpose, and reduced if `some`.

    Without `compute_uv` U and V are zeros, (..., m, m) and (..., n, n).

    >>> import autodiff as ad
    >>> ad.svd(ad.tensor([[0.0, 3.0], [2.0, 0.0]])).S
    tensor([3., 2.])
    """
    if not compute_uv:
        (*batch, m, n), dtype = matrices("svd", input).shape, input.dtype
        values = decompositions.svdvals(input)
        return SVD(wrap(np.zeros((*batch, m, m), dtype)), values, wrap(np.zeros((*batch, n, n), dtype)))
    u, s, vh = decompositions.svd(input, full_matrices=not some)
    return SVD(u, s, transpose(vh, -2, -1))


def qr(input: Tensor, some: bool = True) -> QR:
    """As `linalg.qr`: reduced if `some`, else complete.

    >>> import autodiff as ad
    >>> ad.qr(ad.eye(2)).R.abs()
    tensor([[1., 0.],
            [0., 1.]])
    """
    return decompositions.qr(input, "reduced" if some else "complete")
