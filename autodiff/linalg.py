"""`ad.linalg`: linear algebra under the names of `torch.linalg`."""

from autodiff.ops import diagonals
from autodiff.ops.chains import matrix_power, multi_dot, vander
from autodiff.ops.decompositions import cholesky, eig, eigh, eigvals, eigvalsh, qr, svd, svdvals
from autodiff.ops.determinants import det, slogdet
from autodiff.ops.einsum import vecdot
from autodiff.ops.least_squares import lstsq, matrix_rank, pinv
from autodiff.ops.matrices import LinAlgError
from autodiff.ops.matrix_functions import cond, matrix_exp
from autodiff.ops.matrix_norm import matrix_norm, norm
from autodiff.ops.products import cross_along as cross
from autodiff.ops.products import matmul
from autodiff.ops.solvers import inv, solve, solve_triangular, tensorinv, tensorsolve
from autodiff.ops.vector_norm import vector_norm
from autodiff.tensor import Tensor

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq",
    "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices (..., m, n): `ad.diagonal` of the last two axes.

    >>> import autodiff as ad
    >>> ad.linalg.diagonal(ad.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return diagonals.diagonal(A, offset, dim1, dim2)
