"""`norm`, PyTorch's older function for the norms of vectors and matrices; newer ones are in `ad.linalg`. `renorm`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autodiff.op import OpError, describe
from autodiff.ops.matrix_norm import matrix_norm
from autodiff.ops.reduction import Dim, axes_of, numpy_names
from autodiff.ops.selection import where
from autodiff.ops.shape import positive_axis
from autodiff.ops.vector_norm import vector_norm
from autodiff.tensor import Tensor


@numpy_names
def norm(
    input: Tensor, p: float | str | None = "fro", dim: Dim = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """The p-norm (Σ |x|ᵖ)^(1/p) over `dim`, or of all elements; "fro" and None are 2, "nuc" needs a matrix.

    For p = inf it is the largest |x|, for -inf the smallest, for 0 the number of those that are not 0. `dtype`, which
    may not be narrower, is that of the result. The gradient where a norm is 0 is 0. OpError for integers.

    >>> import autodiff as ad
    >>> ad.norm(ad.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if p == "nuc":
        return matrix_norm(input, "nuc", axes_of(input, dim), keepdim, dtype=dtype)
    if isinstance(p, str) and (p != "fro" or (isinstance(dim, Sequence) and len(dim) > 2)):
        raise OpError(f'norm: expected a number, "nuc", or "fro" with at most two dims, got {p!r} with dim {dim}')
    return vector_norm(input, 2.0 if p is None or p == "fro" else float(p), dim, keepdim, dtype=dtype)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each slice across `dim` scaled down to the p-norm `maxnorm` where its own is larger.

    >>> import autodiff as ad
    >>> ad.renorm(ad.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    axis = positive_axis(dim, input.ndim)
    others = tuple(d for d in range(input.ndim) if d != axis)
    if not others:
        raise OpError(f"renorm: expected a tensor of two dimensions or more, got {describe(input)}")
    lengths = vector_norm(input, float(p), others, keepdim=True)
    # PyTorch adds 1e-7, so that the result is no longer than `maxnorm` in spite of rounding.
    factors: Tensor = where(lengths > maxnorm, maxnorm / (lengths + 1e-7), 1.0)
    return input * factors
