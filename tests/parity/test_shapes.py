"""Shapes, indices, joins and products beside PyTorch's: every argument that is right and every one that is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, agree, laid_out

SHAPED = [(), (3,), (2, 3), (2, 3, 4), (1, 3, 1), (0,), (0, 3)]
AXES = range(-4, 4)
SIZES = [
    (-1,),
    (24,),
    (2, 12),
    (4, -1, 2),
    (3,),
    (2, -1, -1),
    (-2, 3),
    (0,),
    (0, -1),
    (1, 1, 1, 1),
    (),
    (3, -1),
    (2, 3),
]
WIDE = [(2, 3, 4), (5, 2, 3, 4), (-1, 3, 4), (3, 3), (1, -1, -1, -1), (2, -1, 3), (3, -1), (2, 0, 3), (4, 3)]
SPANS = [(0, 1), (1, 2), (-1, 1), (0, 0), (1, 9), (0, -1), (2, 0), (9, 0), (-9, 1)]
PIECES = [1, 2, 5, -1, [1, 2], [2], [1, 1, 1], [-1, 4], [0, 3], (1, 1)]
PAIRS = list(product(AXES, AXES))
SHAPING: dict[str, tuple[list[Any], Callable[[Any, Any, Any], Any]]] = {
    "reshape": (SIZES, lambda m, x, size: (x.reshape(size), m.reshape(x, size))),
    "view": (SIZES, lambda m, x, size: x.view(size)),
    "expand": (WIDE, lambda m, x, size: x.expand(size)),
    "broadcast_to": (WIDE, lambda m, x, size: m.broadcast_to(x, size)),
    "unsqueeze": (list(AXES), lambda m, x, dim: x.unsqueeze(dim)),
    "squeeze": ([*AXES, (0, 2), ()], lambda m, x, dim: x.squeeze(dim)),
    "squeeze all": ([None], lambda m, x, _: m.squeeze(x)),
    "unbind": (list(AXES), lambda m, x, dim: x.unbind(dim)),
    "flip": ([*AXES, (0, 1), (-1, 1), ()], lambda m, x, dims: x.flip(dims)),
    "select": (list(product(AXES, (0, -1, 2, 9))), lambda m, x, at: x.select(*at)),
    "narrow": ([(dim, *span) for dim in AXES for span in SPANS], lambda m, x, at: x.narrow(*at)),
    "split": (list(product(PIECES, AXES)), lambda m, x, at: x.split(*at)),
    "chunk": (list(product((1, 2, 5, 0, -1), AXES)), lambda m, x, at: x.chunk(*at)),
    "transpose": (PAIRS, lambda m, x, dims: (x.transpose(*dims), x.swapaxes(*dims), x.swapdims(*dims))),
    "movedim": ([*PAIRS, ((0, 1), (1, 0)), ((0, 1), (1,)), ((0, 0), (1, 0))], lambda m, x, dims: x.movedim(*dims)),
    "flatten": ([(), *PAIRS], lambda m, x, dims: x.flatten(*dims)),
    "unflatten": (
        list(product(AXES, ((2, 2), (-1,), (3, 1), (1, -1), (-1, -1), (2,)))),
        lambda m, x, at: x.unflatten(*at),
    ),
    "permute": ([*permutations(range(3)), (0, 0), (1, 0), (-1, 0), (0,), ()], lambda m, x, dims: x.permute(dims)),
    "triangles": ([0, 1, -1, 5, -5], lambda m, x, k: (x.tril(k), x.triu(k))),
    "t": ([None], lambda m, x, _: x.t()),
    "T": ([None], lambda m, x, _: x.T if x.ndim == 2 else x.sum()),
    "ravel": ([None], lambda m, x, _: (x.ravel(), m.flatten(x))),
    "iteration": ([None], lambda m, x, _: list(x)),
    "contiguous": ([None], lambda m, x, _: (x.contiguous(), x.is_contiguous(), list(x.contiguous().stride()))),
    "sizes": ([None], lambda m, x, _: (list(x.shape), list(x.stride()), x.numel(), x.dim(), x.ndim)),
    "length": ([None], lambda m, x, _: len(x)),
    "expand_as": (WIDE, lambda m, x, size: x.expand_as(m.zeros([abs(n) for n in size]))),
    "view_as": (SIZES, lambda m, x, size: x.view_as(m.zeros([abs(n) for n in size]))),
    "reshape_as": (SIZES, lambda m, x, size: x.reshape_as(m.zeros([abs(n) for n in size]))),
}


@pytest.mark.parametrize("name", SHAPING)
@pytest.mark.parametrize("shape", SHAPED, ids=str)
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    """Every argument that is right and every one that is wrong."""
    arguments, call = SHAPING[name]
    x = np.arange(float(math.prod(shape))).reshape(shape)
    for argument in arguments:
        for layout in ("contiguous", "transposed"):
            agree(lambda m, x, argument=argument: call(m, x, argument), laid_out(x, layout))


@given(data=st.data())
def test_broadcast_tensors(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 3))
    drawn = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, min_side=0, max_side=3))
    inputs = [np.arange(float(math.prod(shape))).reshape(shape) for shape in drawn.input_shapes]
    agree(lambda m, *xs: m.broadcast_tensors(*xs), *inputs, errors=False)


BASIC = [
    1,
    -1,
    9,
    slice(0, 2),
    slice(None, None, 2),
    slice(2, 1),
    slice(-100, 100),
    None,
    ...,
    True,
    False,
    np.int64(1),
]
TENSORS = [
    [0, 1, 1],
    [-1, 0],
    [7],
    [[0, 1], [1, 0]],
    1,
    -1,
    [True, False],
    [[True, False, True], [False, True, True]],
    [True, False, True],
    True,
    [0.0, 1.0],
]
INDICES: list[Callable[[Any], Any]] = [
    *(
        lambda m, i=i: i
        for i in [
            *BASIC,
            (0, 1),
            (0, 1, 2),
            (0, 1, 2, 0),
            (..., 0),
            (None, ..., None),
            [0, 1, 0],
            [True, False],
            "a",
            1.0,
        ]
    ),
    *(lambda m, i=i: m.tensor(i) for i in TENSORS),
    *(
        lambda m, i=i, j=j: (m.tensor(i), m.tensor(j))
        for i, j in product([[0, 1], [[0], [1]], [True, True]], [[2, 0], [[1, 0]]])
    ),
    *(lambda m, b=b: (b, m.tensor([1, 0])) for b in [slice(None), 0, None, ..., slice(0, 1)]),
    *(lambda m, b=b: (m.tensor([1, 0]), b) for b in [slice(None), 0, None, ..., slice(0, 1)]),
    *(lambda m, b=b: (m.tensor([1, 0]), b, m.tensor([0, 2])) for b in [slice(None), 0, None, ...]),
    *(lambda m, b=b: (b, slice(None), m.tensor([0, 2])) for b in [0, slice(None), None, 1]),
    lambda m: (m.tensor(1), slice(None), m.tensor([0, 2])),
    lambda m: (slice(None), m.tensor([2, 0]), m.tensor([1, 1])),
    lambda m: m.tensor([0, 1, 1], dtype=m.int32),
    lambda m: m.tensor([], dtype=m.int64),
    lambda m: np.array([0, 1]),
    lambda m: slice(m.tensor(0), m.tensor(2)),
]


@pytest.mark.parametrize("index", INDICES)
def test_indices(index: Callable[[Any], Any]) -> None:
    for shape in ((2, 3, 4), (5,), (), (0, 3), (2, 3)):
        x = np.arange(float(math.prod(shape))).reshape(shape)
        agree(lambda m, x: x[index(m)], x)
        agree(lambda m, x: x[index(m)], x.astype(np.int64))


def assigned(x: Any, index: Any, value: Any) -> Any:
    x = x.clone()
    x[index] = value
    return x


@pytest.mark.parametrize("index", INDICES)
def test_assignments(index: Callable[[Any], Any]) -> None:
    for shape in ((2, 3, 4), (5,), (), (2, 3)):
        x = np.arange(float(math.prod(shape))).reshape(shape)
        for value in (1, 2.5, True):
            agree(lambda m, x, value=value: assigned(x, index(m), value), x, needs=(False,))
        for array in (np.array(7.5), np.array([1.5]), np.array([[1.5]]), np.arange(3.0)):
            if index(ad) is False and array.size > 1:
                continue  # nothing is written, and PyTorch does not look at the shape of what is not written
            agree(lambda m, x, y: assigned(x, index(m), y), x, array, needs=(False, False))


GATHERED = [[[0, 1], [1, 0]], [[0, 1]], [[2, 0]], [[-1, 0]], [0, 0, 1], [[0, 1, 1, 0]], [[0.0]]]


@pytest.mark.parametrize("places", GATHERED, ids=str)
def test_gather_index_select_and_take_along_dim(places: list[Any]) -> None:
    for shape, dim in product([(2, 2), (3, 2), (5,)], (0, 1, -1, 2)):
        x = np.arange(float(math.prod(shape))).reshape(shape)
        agree(lambda m, x, i, dim=dim: m.gather(x, dim, i), x, np.array(places), needs=(True, False))
        agree(lambda m, x, i, dim=dim: m.index_select(x, dim, i), x, np.array(places), needs=(True, False))
        if len(shape) == np.ndim(places) and np.max(places) < shape[dim % len(shape) if dim < len(shape) else 0]:
            agree(lambda m, x, i, dim=dim: m.take_along_dim(x, i, dim), x, np.array(places), needs=(True, False))


MATRICES = [(), (1,), (3,), (2, 3), (3, 2), (3, 3), (2, 3, 3), (2, 1, 3, 2), (0,), (0, 3), (3, 0), (4, 2, 3), (1, 3, 3)]


@pytest.mark.parametrize("a", MATRICES, ids=str)
def test_products(a: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for b in MATRICES:
        x, y = rng.standard_normal(a), rng.standard_normal(b)
        for name in ("matmul", "mm", "bmm", "mv", "dot", "outer"):
            for layout in ("contiguous", "transposed"):
                agree(lambda m, x, y, name=name: getattr(m, name)(x, y), laid_out(x, layout), laid_out(y, layout))
        agree(lambda m, x, y: x @ y, x, y, needs=(True, False))
        agree(lambda m, x, y: x @ y, x.astype(np.float32), y)


EQUATIONS = [
    "ij,jk->ik",
    "ii->i",
    "ii",
    "ij->",
    "ij->ji",
    "...i,...i->...",
    "...ij,jk",
    "i,j",
    "bij,bjk->bik",
    "ij,ij->ij",
    "ij,kj->ik",
    "ij,jk",
    "ij",
    "ij->iz",
    "ij->ii",
    "...->...",
    "i...->...",
    "iij->j",
    "i,i,i->",
    "ij,jk,kl->il",
    "Ij,jK",
    "ab...,b...->a...",
    "i",
    "ijk,jil->kl",
    "a,a->",
    "ij...->j",
    "i,ij->j",
    "ij,ij",
    "...,...",
]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str) -> None:
    terms = equation.partition("->")[0].split(",")
    for lengths, extra in product(
        [(2, 3, 4, 5, 6), (1, 3, 2, 1, 2), (3, 3, 3, 3, 3), (2, 0, 3, 2, 2)], [(), (2,), (1, 3)]
    ):
        letters = dict(zip(sorted({c for c in equation if c.isalpha()}), lengths, strict=False))
        rng = np.random.default_rng(0)
        inputs = [
            rng.standard_normal(
                tuple(n for c in term.replace("...", ".") for n in (extra if c == "." else (letters[c],)))
            )
            for term in terms
        ]
        agree(lambda m, *xs: (m.einsum(equation, *xs), m.einsum(equation, list(xs))), *inputs)


@pytest.mark.parametrize("name", ["cat", "stack"])
@pytest.mark.parametrize("a", MATRICES, ids=str)
def test_joining(name: str, a: tuple[int, ...]) -> None:
    for b, dim in product(MATRICES, (0, 1, -1, 3)):
        if name == "cat" and (0,) in (a, b):
            continue  # an empty vector joins anything and gets no gradient here, a row of docs/differences.md
        x, y = np.ones(a), 2 * np.ones(b)
        agree(lambda m, x, y, dim=dim: getattr(m, name)([x, y, x], dim), x, y)
    for dtype in DTYPES:
        agree(lambda m, x, y: getattr(m, name)((x, y)), np.ones(2, (a and "float32") or "int64"), np.ones(2, dtype))
