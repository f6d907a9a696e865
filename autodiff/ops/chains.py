"""Products of many matrices, and powers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.op import OpError, describe
from autodiff.ops.added_products import NOWHERE
from autodiff.ops.conversion import astype
from autodiff.ops.matrices import square
from autodiff.ops.products import MODERATE, matmul
from autodiff.ops.selection import where
from autodiff.ops.solvers import inv
from autodiff.recorders import operation
from autodiff.tensor import Tensor, wrap


@lru_cache(maxsize=4096)
def _cheapest(lengths: tuple[int, ...]) -> tuple[int, int]:
    """The multiplications that a chain of matrices takes, (l0, l1), (l1, l2) and so on, and where to split it first.

    Dynamic programming over all splits, Cormen et al., Introduction to Algorithms, 15.2.
    """
    if len(lengths) == 2:
        return 0, 0
    return min(
        (_cheapest(lengths[: k + 1])[0] + _cheapest(lengths[k:])[0] + lengths[0] * lengths[k] * lengths[-1], k)
        for k in range(1, len(lengths) - 1)
    )


def _chain(matrices: Sequence[Tensor], lengths: tuple[int, ...]) -> Tensor:
    if len(matrices) == 1:
        return matrices[0]
    split = _cheapest(lengths)[1]
    return matmul(_chain(matrices[:split], lengths[: split + 1]), _chain(matrices[split:], lengths[split:]))


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices, in the order that takes the fewest multiplications.

    The first and the last may be vectors. OpError for other dimensions, and lengths that do not fit.

    >>> import autodiff as ad
    >>> ad.linalg.multi_dot([ad.ones(2, 3), ad.ones(3, 4), ad.ones(4)])
    tensor([12., 12.])
    """
    chain = list(tensors)
    if len(chain) < 2:
        raise OpError(f"multi_dot: expected at least two tensors, got {len(chain)}")
    ends = [x.ndim for x in (chain[0], chain[-1])]
    if any(ndim not in (1, 2) for ndim in ends) or any(x.ndim != 2 for x in chain[1:-1]):
        came = ", ".join(map(describe, chain))
        raise OpError(f"multi_dot: expected matrices, the first and last of them vectors or matrices, got {came}")
    if ends[0] == 1:
        chain[0] = chain[0].unsqueeze(0)
    if ends[1] == 1:
        chain[-1] = chain[-1].unsqueeze(1)
    lengths = (*(x.shape[0] for x in chain), chain[-1].shape[1])
    if any(x.shape[1] != n for x, n in zip(chain, lengths[1:], strict=True)):
        raise OpError(f"multi_dot: the inner lengths differ, got {', '.join(map(describe, chain))}")
    out = _chain(chain, lengths)
    if ends == [2, 2]:
        return out
    return out.reshape(out.shape[ends[0] == 1 : 2 - (ends[1] == 1)])


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, `linalg.multi_dot` by its older name.

    >>> import autodiff as ad
    >>> ad.chain_matmul(ad.ones(1, 2), ad.ones(2, 3), ad.ones(3, 1))
    tensor([[6.]])
    """
    if any(x.ndim != 2 for x in matrices):
        raise OpError(f"chain_matmul: expected matrices, got {', '.join(map(describe, matrices))}")
    return matrices[0].clone() if len(matrices) == 1 else multi_dot(matrices)


def matrix_power(input: Tensor, n: int) -> Tensor:
    """The matrices (..., m, m) multiplied `n` times, by repeated squaring; their inverses for negative `n`.

    >>> import autodiff as ad
    >>> ad.matrix_power(ad.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]])
    """
    square("matrix_power", input, "efdFDbhilBq")
    if n == 0:
        # Connected to the graph, as a power of n is; the gradient is 0.
        result: Tensor = where(NOWHERE, input, wrap(np.eye(input.shape[-1], dtype=input.dtype)))
        return result
    base = input if n > 0 else inv(input)
    n = abs(n)
    power: Tensor | None = None
    while n:
        if n & 1:
            power = base if power is None else matmul(power, base)
        n >>= 1
        if n:
            base = matmul(base, base)
    assert power is not None
    return power.clone() if power is input else power


def _vander_rule(g: Any, y: Any, x: Any, n: int) -> Any:
    return np.sum(g[..., 1:] * np.arange(1.0, n) * y[..., :-1], axis=-1) if n > 1 else np.zeros(x.shape, x.dtype)


def _vander_kernel(x: Any, n: int) -> Any:
    # The powers along the first axis in memory: 1,000,000 numbers in a quarter of the time.
    powers = np.empty_like(x, shape=(n, *x.shape), order="C")
    powers[0] = 1
    for i in range(1, n):
        np.multiply(powers[i - 1], x, out=powers[i])
    return np.moveaxis(powers, 0, -1)


_vander = operation(
    "vander",
    _vander_kernel,
    vjp=_vander_rule,
    saves="y",
    domain=MODERATE,
    doc="The powers of x from 0 to n - 1, along a new last axis.",
)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """The powers of `x` (..., n) from 0 to N - 1, N = n by default, along a new last axis; integers give int64.

    >>> import autodiff as ad
    >>> ad.linalg.vander(ad.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    if x.dtype.kind == "b" or not x.ndim:
        raise OpError(f"vander: expected vectors (..., n) of numbers, got {describe(x)}")
    count = x.shape[-1] if N is None else N
    if count <= 1:
        raise OpError(f"vander: expected N, or the length of the vectors, greater than 1, got {count}")
    return _vander(x if x.dtype.kind == "f" else astype(x, dtypes.int64), n=count)
