"""The norms of matrices, and `linalg.norm`, which takes vectors and matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autodiff.op import OpError, describe
from autodiff.ops.axes import movedim
from autodiff.ops.decompositions import svdvals
from autodiff.ops.reduction import Dim, axes_of, numpy_names
from autodiff.ops.vector_norm import INFINITY, in_dtype, vector_norm
from autodiff.tensor import Tensor

SINGULAR_VALUES = ("nuc", 2, -2)
ORDERS = ("fro", "nuc", INFINITY, -INFINITY, 1, -1, 2, -2)


def _extreme(sizes: Tensor, ord: float, dim: int) -> Tensor:
    """The largest along `dim`, 0 if there are none, or the smallest for negative orders."""
    if ord < 0:
        return sizes.amin(dim)
    return sizes.amax(dim) if sizes.shape[dim] else sizes.sum(dim)


@numpy_names
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of the matrices that lie in the two axes `dim`.

    ``"fro"`` is the root of the sum of squares, ``"nuc"`` the sum of the singular values; 2 and -2 are the largest and
    the smallest of them, 1 and -1 of the sums of |A| down the columns, ``inf`` and ``-inf`` of those along the rows.
    OpError for another order.

    >>> import autodiff as ad
    >>> ad.linalg.matrix_norm(ad.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
    tensor(6.)
    """
    A = in_dtype("matrix_norm", A, dtype)
    if isinstance(dim, int) or len(dim) != 2 or A.ndim < 2:
        raise OpError(f"matrix_norm: expected matrices (..., m, n) and their two axes, got {describe(A)}, dim={dim}")
    if ord not in ORDERS:
        raise OpError(f"matrix_norm: expected an order among {', '.join(map(repr, ORDERS))}, got {ord!r}")
    rows, columns = axes_of(A, dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord in SINGULAR_VALUES:
        values = svdvals(movedim(A, (rows, columns), (-2, -1)))
        out = values.sum(-1) if ord == "nuc" else _extreme(values, ord, -1)
    else:
        added, compared = (rows, columns) if ord in (1, -1) else (columns, rows)
        out = _extreme(vector_norm(A, 1, added, True), ord, compared).squeeze(added - (compared < added))
    if not keepdim:
        return out
    return out.reshape([1 if i in (rows, columns) else n for i, n in enumerate(A.shape)])


@numpy_names
def norm(A: Tensor, ord: Any = None, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of vectors along one axis `dim`, or of matrices along two; by default of all elements.

    Without `dim`, an `ord` is that of a vector or a matrix, and OpError for other dimensions. Orders are those of
    `linalg.vector_norm` and `linalg.matrix_norm`.

    >>> import autodiff as ad
    >>> ad.linalg.norm(ad.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor(5.)
    """
    if dim is not None and not isinstance(dim, int) and len(dim) not in (1, 2):
        raise OpError(f"norm: expected one axis or two, got dim={dim}")
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A.ndim not in (1, 2):
        raise OpError(f"norm: expected a vector or a matrix where ord is given and dim is not, got {describe(A)}")
    axes = range(A.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    if len(axes) == 2:
        return matrix_norm(A, ord, tuple(axes), keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise OpError(f"norm: expected a number as ord of vectors, got {ord!r}, which is one of matrices")
    return vector_norm(A, ord, tuple(axes), keepdim, dtype=dtype)
