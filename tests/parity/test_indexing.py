"""Gathering and scattering beside PyTorch's: values, dtypes, gradients, in-place forms, and what both refuse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, agree, laid_out

Array = np.ndarray[Any, Any]
REDUCTIONS = ["sum", "prod", "mean", "amax", "amin"]
LAYOUTS = ["contiguous", "transposed", "strided"]
SEEDS = st.integers(0, 2**32 - 1)
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def numbers(rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64) -> Array:
    """Small integers, so that there are ties and zeros, in any dtype."""
    drawn = rng.integers(0 if np.dtype(dtype).kind in "bu" else -2, 3, tuple(shape))
    return np.asarray(drawn.astype(dtype))


def element_index(rng: np.random.Generator, shape: Sequence[int], dim: int, distinct: bool = False) -> Array:
    """An index for `shape`, perhaps shorter; of several values for one place PyTorch promises none in particular."""
    if distinct:
        order = np.argsort(rng.random(shape), axis=dim)
        return np.asarray(order[tuple(slice(rng.integers(1, n + 1)) for n in shape)])
    lengths = [rng.integers(0, 5) if d == dim else rng.integers(1, n + 1) for d, n in enumerate(shape)]
    return rng.integers(0, shape[dim], lengths)


def both(name: str, *arguments: Any, **options: Any) -> Callable[..., Any]:
    """A call as function and as method; `arguments` name the tensors after the first by their position."""

    def call(m: Any, x: Any, *others: Any) -> Any:
        given = [others[a] if isinstance(a, int) and not isinstance(a, bool) else a for a in arguments]
        given = [a.value if isinstance(a, Number) else a for a in given]
        return getattr(m, name)(x, *given, **options), getattr(x, name)(*given, **options)

    return call


class Number:
    """An argument that is a number, where a plain one would name a tensor."""

    def __init__(self, value: Any) -> None:
        self.value = value


@given(shapes, SEEDS, st.sampled_from(LAYOUTS), st.booleans())
def test_reading(shape: tuple[int, ...], seed: int, layout: str, negative: bool) -> None:
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(len(shape)))
    shown = Number(dim - len(shape) if negative else dim)
    x = laid_out(rng.standard_normal(shape).astype(rng.choice(["float32", "float64"])), layout)
    index = laid_out(element_index(rng, shape, dim), layout)
    needs = (True, False)
    agree(both("gather", shown, 0), x, index, needs=needs, errors=False)
    agree(both("gather", shown, 0), x, index.astype(np.int32), needs=needs, errors=False)
    vector = rng.integers(0, shape[dim], rng.integers(0, 5))
    agree(both("index_select", shown, 0), x, vector, needs=needs, errors=False)
    agree(both("index_select", shown, 0), x, vector.astype(np.int32), needs=needs, errors=False)
    flat = rng.integers(-x.size, x.size, rng.integers(0, 4, rng.integers(0, 3)))
    agree(both("take", 0), x, flat, needs=needs, errors=False)
    signed = np.where(rng.random(index.shape) < 0.5, index - shape[dim], index)
    agree(both("take_along_dim", 0, shown), x, signed[:, :1], needs=needs) if x.ndim > 1 else None
    # PyTorch's own backward pass fails here for memory that is not in order.
    agree(both("take_along_dim", 0), x.copy(), rng.integers(0, x.size, 3), needs=needs, errors=False)
    agree(both("argwhere"), numbers(rng, shape), needs=(False,), errors=False)
    agree(both("nonzero"), numbers(rng, shape), needs=(False,), errors=False)
    agree(both("nonzero", as_tuple=True), numbers(rng, shape), needs=(False,), errors=False)


@given(shapes, SEEDS, st.sampled_from(LAYOUTS))
def test_scattering(shape: tuple[int, ...], seed: int, layout: str) -> None:
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(len(shape)))
    shown = Number(dim)
    dtype = rng.choice(["float32", "float64"])
    x = laid_out(rng.standard_normal(shape).astype(dtype), layout)
    index = element_index(rng, shape, dim, distinct=True)
    needs = (True, False, True)
    source = laid_out(rng.standard_normal(index.shape).astype(dtype), layout)
    agree(both("scatter", shown, 0, 1), x, index, source, needs=needs, errors=False)
    # The source may be longer than the index; PyTorch then fails in the backward pass to it.
    longer = laid_out(rng.standard_normal([n + rng.integers(0, 2) for n in index.shape]).astype(dtype), layout)
    agree(both("scatter", shown, 0, 1), x, index, longer, needs=(True, False, False), errors=False)
    agree(both("scatter", shown, 0, Number(2.5)), x, index, needs=(True, False), errors=False)
    agree(both("scatter", shown, 0, value=2), x, index, needs=(True, False), errors=False)
    repeated = element_index(rng, shape, dim)
    source = laid_out(rng.standard_normal(repeated.shape).astype(dtype), layout)
    agree(both("scatter_add", shown, 0, 1), x, repeated, source, needs=needs, errors=False)
    longer = laid_out(rng.standard_normal([n + rng.integers(0, 2) for n in repeated.shape]).astype(dtype), layout)
    agree(both("scatter_add", shown, 0, 1), x, repeated, longer, needs=(True, False, False), errors=False)
    for reduce in ("add", "multiply"):
        none = (False, False, False)
        agree(both("scatter", shown, 0, 1, reduce=reduce), x, repeated, source, needs=none, errors=False)
        agree(both("scatter", shown, 0, Number(2.5), reduce=reduce), x, repeated, needs=none[:2], errors=False)


@given(shapes, SEEDS, st.sampled_from(REDUCTIONS), st.booleans())
def test_reducing(shape: tuple[int, ...], seed: int, reduce: str, include_self: bool) -> None:
    """Small integers as floats: with ties, and with products of which one factor or several are 0."""
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(len(shape)))
    x, index = numbers(rng, shape), element_index(rng, shape, dim)
    source = numbers(rng, index.shape)
    # What PyTorch makes of an old value that does not count but equals the result is a row of docs/differences.md.
    needs = (include_self or reduce not in ("amax", "amin"), False, include_self or reduce not in ("amax", "amin"))
    call = both("scatter_reduce", Number(dim), 0, 1, Number(reduce), include_self=include_self)
    agree(call, x, index, source, needs=needs, errors=False)
    distinct = rng.permutation(np.linspace(3.0, 4.0, source.size)).reshape(source.shape)
    agree(call, x, index, distinct, needs=(True, False, True), errors=False)
    if reduce != "sum":
        vector = rng.integers(0, shape[dim], rng.integers(0, 5))
        slices = numbers(rng, (*shape[:dim], vector.size, *shape[dim + 1 :]))
        call = both("index_reduce", Number(dim), 0, 1, Number(reduce), include_self=include_self)
        agree(call, x, vector, slices, needs=needs, errors=False)


@given(shapes, SEEDS, st.sampled_from(LAYOUTS))
def test_slices(shape: tuple[int, ...], seed: int, layout: str) -> None:
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(-len(shape), len(shape)))
    shown, axis = Number(dim), dim % len(shape)
    dtype = rng.choice(["float32", "float64"])
    x = laid_out(rng.standard_normal(shape).astype(dtype), layout)
    needs = (True, False, True)

    def slices(count: int) -> Array:
        return laid_out(rng.standard_normal((*shape[:axis], count, *shape[axis + 1 :])).astype(dtype), layout)

    repeated = rng.integers(0, shape[axis], rng.integers(0, 5))
    agree(both("index_add", shown, 0, 1), x, repeated, slices(repeated.size), needs=needs, errors=False)
    agree(both("index_add", shown, 0, 1, alpha=-0.5), x, repeated, slices(repeated.size), needs=needs, errors=False)
    distinct = rng.permutation(shape[axis])[: rng.integers(0, shape[axis] + 1)]
    agree(both("index_copy", shown, 0, 1), x, distinct, slices(distinct.size), needs=needs, errors=False)
    signed = np.where(rng.random(distinct.shape) < 0.5, distinct - shape[axis], distinct)
    agree(both("index_fill", shown, 0, Number(3)), x, signed, needs=needs[:2], errors=False)
    # From the end PyTorch fills too, but then fails in the backward pass to the value.
    agree(both("index_fill", shown, 0, 1), x, distinct, np.asarray(2.5, dtype), needs=needs, errors=False)
    flat = rng.permutation(x.size)[: rng.integers(0, x.size + 1)]
    flat = np.where(rng.random(flat.shape) < 0.5, flat - x.size, flat)
    source = rng.standard_normal(flat.shape).astype(dtype)
    agree(both("put", 0, 1), x, flat, source, needs=needs, errors=False)
    several = rng.integers(0, x.size, (2, 3))
    agree(both("put", 0, 1, True), x, several, slices(6).reshape(-1)[:6], needs=needs)
    at = int(rng.integers(-shape[axis], shape[axis]))
    part = rng.standard_normal((*shape[:axis], *shape[axis + 1 :])).astype(dtype)
    agree(both("select_scatter", 0, shown, Number(at)), x, part, errors=False)
    start, end, step = (int(n) for n in (rng.integers(-5, 5), rng.integers(-5, 5), rng.integers(1, 3)))
    part = slices(len(range(shape[axis])[start:end:step]))
    agree(both("slice_scatter", 0, shown, Number(start), Number(end), Number(step)), x, part, errors=False)


@given(shapes, SEEDS, st.booleans())
def test_index_put(shape: tuple[int, ...], seed: int, accumulate: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    count = int(rng.integers(1, len(shape) + 1))
    length = int(rng.integers(0, 4))
    places = rng.permutation(math.prod(shape[:count]))[:length]
    if accumulate:
        places = rng.integers(0, math.prod(shape[:count]), length)
    index = np.unravel_index(places, shape[:count])
    for values in (rng.standard_normal((len(places), *shape[count:])), np.asarray(1.5)):
        needs = (True, True, *(False,) * count)
        agree(
            lambda m, x, v, *i: (m.index_put(x, i, v, accumulate), x.index_put(i, v, accumulate)),
            x, values, *index, needs=needs, errors=False,
        )  # fmt: skip
    mask = rng.random(shape) < 0.5
    agree(lambda m, x, v, i: x.index_put((i,), v, accumulate), x, np.asarray(1.5), mask, needs=(True, True, False))
    chosen = rng.standard_normal(mask.sum())
    agree(lambda m, x, v, i: x.index_put([i], v, accumulate), x, chosen, mask, needs=(True, True, False))


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (2, 3, 4), (1,), (), (0, 2), (2, 3, 1, 4)], ids=str)
def test_diagonal_scatter(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    for offset, dim1, dim2 in product((0, 1, -1, 5), (0, 1, -1), (1, 0, 2)):
        try:
            expected = np.diagonal(x, offset, dim1, dim2).shape
        except ValueError:
            expected = (2,)
        for part in (expected, (2,), (*expected, 1)):
            call = both("diagonal_scatter", 0, Number(offset), Number(dim1), Number(dim2))
            agree(call, x, rng.standard_normal(part))


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, source = numbers(rng, (3, 3), dtype), numbers(rng, (2, 3), dtype)
    places, vector = np.array([[2, 0, 1], [2, 2, 1]]), np.array([2, 2])
    floats = np.dtype(dtype).kind == "f"
    needs = (floats, False, floats)
    agree(both("gather", Number(0), 0), x, places)
    agree(both("index_select", Number(0), 0), x, vector)
    agree(both("take", 0), x, places)
    agree(both("scatter", Number(0), 0, 1), x, places[:1], source[:1], needs=needs)
    agree(both("scatter", Number(0), 0, Number(1)), x, places)
    agree(both("scatter_add", Number(0), 0, 1), x, places, source, needs=needs)
    agree(both("index_add", Number(0), 0, 1), x, vector, source, needs=needs)
    agree(both("index_copy", Number(0), 0, 1), x, np.array([2, 0]), source, needs=needs)
    agree(both("index_fill", Number(0), 0, Number(1)), x, vector)
    agree(both("put", 0, 1), x, np.array([8, 0, 3, 4, 5, 1]), source, needs=needs)
    for reduce, own in product(REDUCTIONS, (True, False)):
        call = both("scatter_reduce", Number(0), 0, 1, Number(reduce), include_self=own)
        agree(call, x, places, source, needs=(False, False, False))
        call = both("index_reduce", Number(0), 0, 1, Number(reduce), include_self=own)
        if dtype != "bool":
            agree(call, x, vector, source, needs=(False, False, False))
    for other in DTYPES:
        agree(both("select_scatter", 0, Number(0), Number(1)), x, numbers(rng, (3,), other), needs=(floats, False))
        agree(both("scatter", Number(0), 0, 1), x, places[:1], source.astype(other), needs=(False, False, False))
        agree(both("index_copy", Number(0), 0, 1), x, np.array([2, 0]), source.astype(other), needs=(False,) * 3)


def changed(name: str, *arguments: Any, **options: Any) -> Callable[..., Any]:
    """An in-place call on a copy, and on a view of one whose memory is not in order."""

    def call(m: Any, x: Any, *others: Any) -> Any:
        results = []
        for target in (x.clone(), m.stack([x, x], -1)[..., 0]):
            given = [others[a] if isinstance(a, int) and not isinstance(a, bool) else a for a in arguments]
            given = [a.value if isinstance(a, Number) else a for a in given]
            returned = getattr(target, name)(*given, **options)
            assert returned is target
            results.append(target)
        return results

    return call


@given(shapes, SEEDS)
def test_in_place(shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(len(shape)))
    shown = Number(dim)
    x = rng.standard_normal(shape)
    index, repeated = element_index(rng, shape, dim, distinct=True), element_index(rng, shape, dim)
    none = (False, False, False)

    def check(call: Callable[..., Any], *inputs: Array) -> None:
        agree(call, *inputs, needs=none[: len(inputs)], errors=False)

    check(changed("scatter_", shown, 0, 1), x, index, rng.standard_normal(index.shape))
    check(changed("scatter_", shown, 0, Number(1.5)), x, index)
    source = rng.standard_normal(repeated.shape)
    check(changed("scatter_", shown, 0, 1, reduce="add"), x, repeated, source)
    check(changed("scatter_", shown, 0, 1, reduce="multiply"), x, repeated, source)
    check(changed("scatter_add_", shown, 0, 1), x, repeated, source)
    for reduce in REDUCTIONS:
        check(changed("scatter_reduce_", shown, 0, 1, Number(reduce), include_self=False), x, repeated, source)
    vector = rng.integers(0, shape[dim], rng.integers(0, 5))
    slices = rng.standard_normal((*shape[:dim], vector.size, *shape[dim + 1 :]))
    check(changed("index_add_", shown, 0, 1), x, vector, slices)
    check(changed("index_add_", shown, 0, 1, alpha=2), x, vector, slices)
    check(changed("index_reduce_", shown, 0, 1, Number("amax")), x, vector, slices)
    check(changed("index_fill_", shown, 0, Number(2)), x, vector)
    distinct = rng.permutation(shape[dim])
    check(changed("index_copy_", shown, 0, 1), x, distinct, rng.standard_normal(shape))
    places = rng.permutation(x.size)
    check(changed("put_", 0, 1), x, places, rng.standard_normal(shape))
    check(changed("put_", 0, 1, True), x, places // 2, rng.standard_normal(shape))
    first = rng.integers(0, shape[0], 3)
    check(lambda m, x, i: x.clone().index_put_((i,), m.ones(()).double(), True), x, first)
    check(lambda m, x, i: x.clone().index_put_((i,), m.ones(()).double()), x, first)


def test_scalars() -> None:
    """A 0-d tensor has one place along dim 0."""
    x, zero, five = np.array(1.5), np.array(0), np.array(5.0)
    for name in ("gather", "index_select"):
        agree(both(name, Number(0), 0), x, zero, needs=(True, False))
    agree(both("take", 0), x, zero, needs=(True, False))
    for name in ("scatter", "scatter_add", "index_add", "index_copy", "index_fill"):
        agree(both(name, Number(0), 0, 1), x, zero, five, needs=(True, False, True))
    for name in ("scatter_reduce", "index_reduce"):
        for reduce, own in product(["prod", "mean", "amax"], (True, False)):
            agree(both(name, Number(0), 0, 1, Number(reduce), include_self=own), x, zero, five)
    agree(both("put", 0, 1), x, zero, five, needs=(True, False, True))
    for name in ("scatter_", "scatter_add_", "index_add_", "index_copy_", "index_fill_"):
        agree(lambda m, x, i, v, name=name: getattr(x.clone(), name)(0, i, v), x, zero, five, needs=(False,) * 3)
    agree(lambda m, x, i, v: x.clone().put_(i, v), x, zero, five, needs=(False,) * 3)
    agree(both("argwhere"), x, needs=(False,))
    for source in (five, five.reshape(1)):
        agree(both("index_copy", Number(0), 0, 1), np.arange(3.0), zero, source, needs=(True, False, True))


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_special_values(reduce: str) -> None:
    for own, value in product((True, False), SPECIAL):
        x, source = np.array([value, 1.0, 2.0]), np.array([*SPECIAL, 2.0])
        index = np.array([0, 0, 1, 1, 2, 0, 2])
        call = both("scatter_reduce", Number(0), 0, 1, Number(reduce), include_self=own)
        for size in range(7):
            agree(call, x, index[:size], source[:size], needs=(False, False, False), errors=False)


BAD: dict[str, Callable[[Any], Any]] = {
    "place beyond": lambda m: m.zeros(3).gather(0, m.tensor([3])),
    "place before": lambda m: m.zeros(3).gather(0, m.tensor([-1])),
    "scattered beyond": lambda m: m.zeros(3).scatter(0, m.tensor([3]), 1.0),
    "added beyond": lambda m: m.zeros(3).index_add(0, m.tensor([3]), m.ones(1)),
    "added before": lambda m: m.zeros(3).index_add(0, m.tensor([-1]), m.ones(1)),
    "taken beyond": lambda m: m.zeros(3).take(m.tensor([3])),
    "put beyond": lambda m: m.zeros(3).put(m.tensor([3]), m.ones(1)),
    "filled beyond": lambda m: m.zeros(3).index_fill(0, m.tensor([3]), 1.0),
    "copied beyond": lambda m: m.zeros(3).index_copy(0, m.tensor([3]), m.ones(1)),
    "floats as index": lambda m: m.zeros(3).gather(0, m.tensor([0.0])),
    "bytes as index": lambda m: m.zeros(3).gather(0, m.tensor([0], dtype=m.uint8)),
    "bools as index": lambda m: m.zeros(3).index_select(0, m.tensor([True, False, True])),
    "index of more axes": lambda m: m.zeros(3).gather(0, m.tensor([[0]])),
    "index too long": lambda m: m.zeros(2, 2).gather(0, m.tensor([[0, 0, 0]])),
    "source too short": lambda m: m.zeros(2, 2).scatter(0, m.tensor([[0, 1]]), m.zeros(1, 1)),
    "matrix of slices": lambda m: m.zeros(3).index_select(0, m.tensor([[0]])),
    "slices of another shape": lambda m: m.zeros(3, 2).index_add(0, m.tensor([0]), m.ones(1, 1)),
    "slices missing": lambda m: m.zeros(3, 2).index_copy(0, m.tensor([0, 1]), m.ones(1, 2)),
    "put too few": lambda m: m.zeros(3).put(m.tensor([0, 1]), m.ones(1)),
    "vector to fill": lambda m: m.zeros(3).index_fill(0, m.tensor([0]), m.ones(1)),
    "unknown reduction": lambda m: m.zeros(3).scatter_reduce(0, m.tensor([0]), m.ones(1), "median"),
    "sum of slices": lambda m: m.zeros(3).index_reduce(0, m.tensor([0]), m.ones(1), "sum"),
    "sum as reduce": lambda m: m.zeros(3).scatter(0, m.tensor([0]), 1.0, reduce="sum"),
    "no source": lambda m: m.zeros(3).scatter(0, m.tensor([0])),
    "dim beyond": lambda m: m.zeros(3).gather(1, m.tensor([0])),
    "along another number of axes": lambda m: m.take_along_dim(m.zeros(2, 2), m.tensor([0]), 0),
    "selected beyond": lambda m: m.zeros(2, 2).select_scatter(m.ones(2), 0, 2),
    "selected wrong shape": lambda m: m.zeros(2, 2).select_scatter(m.ones(1), 0, 0),
    "sliced wrong shape": lambda m: m.zeros(2, 2).slice_scatter(m.ones(2), 0, 0, 1),
    "sliced backwards": lambda m: m.zeros(2).slice_scatter(m.ones(2), step=-1),
    "other dtype": lambda m: m.zeros(3).index_put((m.tensor([0]),), m.ones(1).double()),
    "number to put": lambda m: m.zeros(3).index_put((m.tensor([0]),), 1.0),
    "values do not fit": lambda m: m.zeros(3).index_put((m.tensor([0, 1]),), m.ones(3)),
    "numbers as indices": lambda m: m.zeros(3).index_put((0,), m.ones(1)),
    "mean of bools": lambda m: m.tensor([True]).scatter_reduce(0, m.tensor([0]), m.tensor([True]), "mean"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str) -> None:
    with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
        BAD[name](ad)
    agree(lambda m: BAD[name](m))


def test_repeated_rows_of_an_embedding() -> None:
    """The gradient of a lookup, for even and odd widths, along each axis, in both precisions."""
    rng = np.random.default_rng(0)
    index = rng.integers(0, 50, 300)
    for width, dtype in product((1, 2, 7, 64, 1000), ("float32", "float64")):
        x = rng.standard_normal((50, width)).astype(dtype)
        agree(lambda m, x, i: (x[i], x.index_select(0, i)), x, index, needs=(True, False), tolerance=2e-4)
        agree(lambda m, x, i: (x[:, i], x.index_select(1, i)), x.T.copy(), index, needs=(True, False), tolerance=2e-4)
        agree(lambda m, x, i: x[i], x, index.reshape(3, 100) - 50, needs=(True, False), tolerance=2e-4)


def test_large_indices_go_in_blocks() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 400))
    for dim in (0, 1):
        index = rng.integers(0, x.shape[dim], x.shape)
        agree(both("gather", Number(dim), 0), x, index, needs=(True, False), errors=False)
        agree(both("scatter_add", Number(dim), 0, 1), x, index, x.copy(), needs=(True, False, True), errors=False)
