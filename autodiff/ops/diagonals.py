"""Diagonals of matrices, matrices from diagonals, and triangles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from autodiff.op import OpError, Recorder, implements
from autodiff.ops.conversion import clone
from autodiff.ops.masking import LARGE
from autodiff.ops.shape import positive_axis, reshape
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, zeros_beside

Shape = tuple[int, ...]
# Large triangles are copied by so many rows.
BAND = 64


def _view(x: Array, offset: int, axis1: int, axis2: int) -> Array:
    out = x.diagonal(offset, axis1, axis2)
    # NumPy locks it; what is written into a diagonal goes into the matrix, as in PyTorch.
    if x.flags.writeable:
        out.flags.writeable = True
    return out


def _embed_kernel(g: Array, offset: int, axis1: int, axis2: int, shape: Shape) -> Array:
    out = zeros_beside(g, shape)
    _view(out, offset, axis1, axis2)[...] = g
    return out


_diagonal: Recorder = multilinear(
    "diagonal",
    _view,
    vjp=lambda g, y, x, offset, axis1, axis2: _embed.rule(g, offset=offset, axis1=axis1, axis2=axis2, shape=x.shape),
    view=True,
    doc="The diagonals of the matrices in two axes, along a new last axis.",
)
_embed: Recorder = multilinear(
    "diag_embed",
    _embed_kernel,
    vjp=lambda g, y, x, offset, axis1, axis2, shape: _diagonal.rule(g, offset=offset, axis1=axis1, axis2=axis2),
    doc="Zeros, with the last axis along the diagonals of the matrices in two axes: the adjoint of `diagonal`.",
)
_trace = multilinear(
    "trace",
    lambda x: x.trace(dtype=np.int64 if x.dtype.kind in "iu" else x.dtype),
    vjp=lambda g, y, x: _embed.rule(np.broadcast_to(g, (min(x.shape),)), offset=0, axis1=0, axis2=1, shape=x.shape),
    doc="The sum of the diagonal of a matrix.",
)


@lru_cache(maxsize=64)
def _triangle(rows: int, columns: int, k: int, upper: bool) -> Array:
    """The mask of the triangle up to diagonal k, or from it."""
    return ~np.tri(rows, columns, k - 1, dtype=bool) if upper else np.tri(rows, columns, k, dtype=bool)


def _triangle_kernel(x: Array, k: int, upper: bool) -> Array:
    rows, columns = x.shape[-2:]
    if rows * columns < LARGE or type(x) is not np.ndarray:
        # Making the mask takes two thirds of np.tril's time at 100 elements.
        return np.where(_triangle(rows, columns, k, upper), x, x.dtype.type(0))
    out = np.zeros(x.shape, x.dtype)
    # A band of rows at a time: only the square where the diagonal crosses it needs a mask.
    for start in range(0, rows, BAND):
        band = slice(start, min(start + BAND, rows))
        first, last = (min(max(i + k, 0), columns) for i in (start, band.stop))
        whole, crossed = slice(last, None) if upper else slice(first), slice(first, last)
        mask = _triangle(band.stop - start, last - first, start + k - first, upper)
        out[..., band, whole] = x[..., band, whole]
        out[..., band, crossed] = np.where(mask, x[..., band, crossed], x.dtype.type(0))
    return out


_tril: Recorder = multilinear(
    "tril",
    lambda x, k: _triangle_kernel(x, k, False),
    vjp=lambda g, y, x, k: _tril.rule(g, k=k),
    doc="The lower triangle of matrices, zeros elsewhere.",
)
_triu: Recorder = multilinear(
    "triu",
    lambda x, k: _triangle_kernel(x, k, True),
    vjp=lambda g, y, x, k: _triu.rule(g, k=k),
    doc="The upper triangle of matrices, zeros elsewhere.",
)


def _two_axes(name: str, dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    axis1, axis2 = positive_axis(dim1, ndim), positive_axis(dim2, ndim)
    if axis1 == axis2:
        raise OpError(f"{name}: expected two different dimensions, got {dim1} and {dim2} of {ndim}")
    return axis1, axis2


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonals of the matrices in two axes, `offset` places above the main one: a view, along a new last axis.

    >>> import autodiff as ad
    >>> ad.diagonal(ad.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    axis1, axis2 = _two_axes("diagonal", dim1, dim2, input.ndim)
    return _diagonal(input, offset=offset, axis1=axis1, axis2=axis2)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Square matrices in two new axes, zero except for the last axis of `input` on their diagonals.

    >>> import autodiff as ad
    >>> ad.diag_embed(ad.tensor([1, 2]), offset=1)
    tensor([[0, 1, 0],
            [0, 0, 2],
            [0, 0, 0]])
    """
    axis1, axis2 = _two_axes("diag_embed", dim1, dim2, input.ndim + 1)
    side = input.shape[-1] + abs(offset)
    others = iter(input.shape[:-1])
    shape = tuple(side if i in (axis1, axis2) else next(others) for i in range(input.ndim + 1))
    return _embed(input, offset=offset, axis1=axis1, axis2=axis2, shape=shape)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The matrix with a vector on its diagonal, or a copy of the diagonal of a matrix.

    >>> import autodiff as ad
    >>> ad.diag(ad.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise OpError(f"diag: expected a vector or a matrix, got shape {input.shape}; use diagonal() or diag_embed()")
    return clone(_diagonal(input, offset=diagonal, axis1=0, axis2=1))


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with the elements of `input`, in row-major order, on its diagonal.

    >>> import autodiff as ad
    >>> ad.diagflat(ad.tensor([[1], [2]]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag_embed(reshape(input, -1), offset)


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix (m, n); of integers in int64.

    >>> import autodiff as ad
    >>> ad.trace(ad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if input.ndim != 2 or input.dtype.kind == "b":
        raise OpError(f"trace: expected a matrix of numbers, got {input.dtype} {input.shape}")
    return _trace(input)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of matrices (..., m, n) up to a diagonal, zeros elsewhere.

    >>> import autodiff as ad
    >>> ad.tril(ad.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _tril(_matrices("tril", input), k=diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of matrices (..., m, n) from a diagonal, zeros elsewhere.

    >>> import autodiff as ad
    >>> ad.triu(ad.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _triu(_matrices("triu", input), k=diagonal)


def _matrices(name: str, x: Tensor) -> Tensor:
    if x.ndim < 2:
        raise OpError(f"{name}: expected at least 2 dimensions, got shape {x.shape}")
    return x


@implements(np.diagonal)
def _np_diagonal(a: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    return diagonal(a, offset, axis1, axis2)


implements(np.diag)(lambda v, k=0: diag(v, k))
implements(np.diagflat)(lambda v, k=0: diagflat(v, k))
implements(np.trace)(lambda a: trace(a))
implements(np.tril)(lambda m, k=0: tril(m, k))
implements(np.triu)(lambda m, k=0: triu(m, k))
