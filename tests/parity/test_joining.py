"""Joining and splitting beside PyTorch's: every shape, dtype, layout and argument, right or wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, agree, laid_out

JOINS = ["cat", "concat", "concatenate", "stack", "hstack", "vstack", "row_stack", "dstack", "column_stack"]
AXES = range(-4, 4)
SHAPED = [(), (1,), (3,), (2, 3), (3, 2), (1, 3), (2, 3, 4), (2, 3, 1), (0,), (0, 3), (2, 0), (1, 3, 1, 2)]


def numbered(shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    return np.arange(1, 1 + math.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("name", JOINS)
@pytest.mark.parametrize("a", SHAPED, ids=str)
def test_shapes(name: str, a: tuple[int, ...]) -> None:
    """With every other shape; what does not fit is refused by both."""
    for b, layout in product(SHAPED, ("contiguous", "transposed", "strided")):
        x, y = laid_out(numbered(a), layout), laid_out(-numbered(b), layout)
        # An empty vector joins anything and counts as unused here, a row of docs/differences.md.
        needs = (a != (0,), b != (0,), a != (0,))
        agree(lambda m, *xs: getattr(m, name)(xs), x, y, x.copy(), needs=needs)


@pytest.mark.parametrize("name", ["cat", "concatenate", "stack"])
@pytest.mark.parametrize("dim", AXES)
def test_axes(name: str, dim: int) -> None:
    for a, b in product(SHAPED, SHAPED):
        if (0,) not in (a, b):
            agree(lambda m, *xs: getattr(m, name)(list(xs), dim), numbered(a), -numbered(b))
            agree(lambda m, *xs: getattr(m, name)(xs, dim=dim), numbered(a), -numbered(b))


@pytest.mark.parametrize("name", JOINS)
def test_dtypes(name: str) -> None:
    for a, b in product(DTYPES, DTYPES):
        agree(lambda m, *xs: getattr(m, name)(xs), numbered((2, 2), a), numbered((2, 2), b), errors=False)
        agree(lambda m, *xs: m.block_diag(*xs), numbered((2, 1), a), numbered((2,), b), errors=False)
    if name in ("cat", "hstack"):
        for dtype in DTYPES:
            x, empty = numbered((2,), "float32"), np.zeros(0, dtype)
            agree(lambda m, *xs: getattr(m, name)(xs), x, empty, needs=(True, False), errors=False)


@pytest.mark.parametrize("name", JOINS)
def test_what_cannot_be_joined(name: str) -> None:
    for wrong in ((), [], np.ones(2), np.ones((2, 2))):
        agree(lambda m, wrong=wrong: getattr(m, name)(m.from_numpy(wrong) if isinstance(wrong, np.ndarray) else wrong))
    agree(lambda m: getattr(m, name)((m.ones(2), 1.0)))
    agree(lambda m: getattr(m, name)(m.ones(2), m.ones(2)))


@pytest.mark.parametrize("a", SHAPED, ids=str)
def test_block_diag(a: tuple[int, ...]) -> None:
    agree(lambda m: m.block_diag())
    agree(lambda m, x: m.block_diag(x), numbered(a))
    for b in SHAPED:
        # An empty vector is a row of no columns, which PyTorch's backward pass forgets.
        needs = ((0,) not in (a, b),) * 3
        agree(lambda m, *xs: m.block_diag(*xs), numbered(a), -numbered(b), numbered(a), needs=needs)


PIECES = [1, 2, 3, 5, 0, -1, [1, 2], [2], [1, 1, 1], [-1, 4], [0, 3], (1, 1), [], [0, 0]]
CUTS = [1, 2, 3, 4, 5, 0, -1, (1,), (1, 2), (2, 1), (0,), (-1,), (-2, 9), (), [1]]


def arguments(name: str) -> list[tuple[Any, ...]]:
    if name in ("split", "split_with_sizes"):
        return [(pieces, *dim) for pieces, dim in product(PIECES, [(), *((axis,) for axis in AXES)])]
    if name in ("hsplit", "vsplit", "dsplit"):
        return [(cuts,) for cuts in CUTS]
    if name == "unbind":
        return [(), *((dim,) for dim in AXES)]
    counts = CUTS if name == "tensor_split" else (1, 2, 3, 5, 0, -1)
    return [(cuts, *dim) for cuts, dim in product(counts, [(), *((axis,) for axis in AXES)])]


SPLITS = ["split", "split_with_sizes", "tensor_split", "chunk", "hsplit", "vsplit", "dsplit", "unbind"]


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("shape", [*SHAPED, (4,), (4, 2), (2, 2, 4)], ids=str)
def test_splits(name: str, shape: tuple[int, ...]) -> None:
    """As functions and as methods, every argument that is right and every one that is wrong."""
    x = numbered(shape)
    call: Callable[..., Any] | None = getattr(ad, name)
    assert call is not None
    for chosen in arguments(name):
        agree(lambda m, x, chosen=chosen: getattr(m, name)(x, *chosen), x)
        agree(lambda m, x, chosen=chosen: getattr(x, name)(*chosen), laid_out(x, "transposed"))


def test_split_by_tensors() -> None:
    for cuts in ([1, 2], [2], 2, 1, 0, [], [1.0], [[1]]):
        agree(lambda m, x, cuts=cuts: x.tensor_split(m.tensor(cuts), 1), numbered((2, 5)))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 2), st.sampled_from(DTYPES))
def test_what_is_split_joins_again(lengths: list[int], dim: int, dtype: str) -> None:
    shape = [2, 3, 4]
    shape[dim] = sum(lengths)
    x = numbered(tuple(shape), dtype)
    agree(lambda m, x: m.cat(m.split(x, lengths, dim), dim), x, errors=False)
    agree(lambda m, x: [piece * 2 for piece in m.split(x, lengths, dim)], x, errors=False)
