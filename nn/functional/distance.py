"""Distances and similarities of vectors."""

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Tensor, wrap
from nn.functional.operands import at_least


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)) along `dim`, which goes away; the shapes broadcast.

    OpError for integers and for shapes that do not broadcast.

    >>> import autodiff as ad
    >>> cosine_similarity(ad.tensor([[1.0, 0.0]]), ad.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    if x1.shape != x2.shape:
        x1, x2 = ad.broadcast_tensors(x1, x2)
    length1, length2 = (at_least(ad.linalg.vector_norm(x, 2, dim, True), eps) for x in (x1, x2))
    return ((x1 / length1) * (x2 / length2)).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x₁ - x₂ + eps along the last dimension, which `keepdim` keeps; the shapes broadcast.

    OpError for integers and for shapes that do not broadcast.

    >>> import autodiff as ad
    >>> pairwise_distance(ad.tensor([[1.0, 2.0]]), ad.tensor([[4.0, 6.0]]))
    tensor([5.0000])
    """
    return ad.linalg.vector_norm(x1 - x2 + eps, p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of all pairs of rows of (N, M): (0, 1), (0, 2), ..., (1, 2), (1, 3), ...

    OpError unless the input is a matrix of floating-point numbers and p at least 0.

    >>> import autodiff as ad
    >>> pdist(ad.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])
    """
    if input.ndim != 2:
        raise OpError(f"pdist expected a matrix of rows (N, M), got {describe(input)}")
    if not p >= 0:
        raise OpError(f"pdist expected p of at least 0, got {p}")
    first, second = np.triu_indices(len(input), 1)
    if p == 2:
        # By products of matrices, with every pair twice: for 500 rows of 64 that is faster than all differences.
        return ad.cdist(input, input).reshape(-1)[wrap(first * len(input) + second)]
    return ad.linalg.vector_norm(input[wrap(first)] - input[wrap(second)], p if input.shape[1] else 1, -1)
