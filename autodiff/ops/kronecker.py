"""The Kronecker product."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.ops.einsum import LETTERS, contract
from autodiff.ops.products import MODERATE
from autodiff.recorders import multilinear
from autodiff.tensor import Array

Shape = tuple[int, ...]


def _axes(a: Any, b: Any) -> tuple[Shape, Shape]:
    """Both shapes with the same number of axes, counted from the last."""
    more = b.ndim - a.ndim
    return (1,) * more + a.shape, (1,) * -more + b.shape


def _kernel(a: Array, b: Array) -> Any:
    left, right = _axes(a, b)
    blocks = a.reshape([n for length in left for n in (length, 1)])
    entries = b.reshape([n for length in right for n in (1, length)])
    return (blocks * entries).reshape([m * n for m, n in zip(left, right, strict=True)])


def _pairs(g: Any, a: Any, b: Any) -> tuple[Any, str, str]:
    """The gradient with the axes of `a` and of `b` apart, and letters for both."""
    left, right = _axes(a, b)
    n = len(left)
    apart = np.reshape(g, [m for pair in zip(left, right, strict=True) for m in pair])
    return apart, LETTERS[:n], LETTERS[n : 2 * n]


def _left(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, own, other = _pairs(g, a, b)
    interleaved = "".join(i + j for i, j in zip(own, other, strict=True))
    b = np.reshape(b, _axes(a, b)[1])
    return np.reshape(contract.rule(g, b, terms=(interleaved, other), result=own), a.shape)


def _right(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, other, own = _pairs(g, a, b)
    interleaved = "".join(i + j for i, j in zip(other, own, strict=True))
    a = np.reshape(a, _axes(a, b)[0])
    return np.reshape(contract.rule(g, a, terms=(interleaved, other), result=own), b.shape)


kron = multilinear(
    "kron",
    _kernel,
    vjp=(_left, _right),
    saves=("b", "a"),
    domain=MODERATE,
    numpy=np.kron,
    doc="The Kronecker product: each entry of the left replaced by its product with the right; lengths multiply.",
    example="ad.kron(ad.tensor([1, 10]), ad.tensor([1, 2, 3])) -> tensor([ 1,  2,  3, 10, 20, 30])",
)
