"""Sorting and searching beside PyTorch."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, Array, agree, laid_out, same

INF, NAN = math.inf, math.nan
FLOATS = st.sampled_from(["float32", "float64"])
LAYOUTS = st.sampled_from(["contiguous", "transposed", "strided"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
# Few distinct values tie; zeros of either sign are equal, and NaN is the largest.
FEW = st.sampled_from([-INF, -1.0, -0.0, 0.0, 2.0, INF, NAN])


@st.composite
def arrays(draw: st.DrawFn, shape: Any = SHAPES, elements: st.SearchStrategy[float] = FEW) -> Array:
    return laid_out(draw(hnp.arrays(draw(FLOATS), shape, elements=elements)), draw(LAYOUTS))


@st.composite
def distinct(draw: st.DrawFn) -> Array:
    """No two equal, but at most one NaN."""
    shape = draw(SHAPES)
    values = draw(st.permutations([*range(math.prod(shape))]))
    x = np.array(values, draw(FLOATS)).reshape(shape)
    if x.size and draw(st.booleans()):
        x.flat[draw(st.integers(0, x.size - 1))] = draw(st.sampled_from([NAN, INF, -INF]))
    return laid_out(x, draw(LAYOUTS))


@given(x=arrays(), dim=st.integers(-4, 3), descending=st.booleans())
def test_sort(x: Array, dim: int, descending: bool) -> None:
    """With ties, in PyTorch's stable order."""
    agree(lambda m, x: m.sort(x, dim=dim, descending=descending, stable=True), x)
    agree(lambda m, x: x.sort(dim=dim, descending=descending, stable=True), x)
    agree(lambda m, x: m.argsort(x, dim=dim, descending=descending, stable=True), x)
    agree(lambda m, x: x.argsort(dim=dim, descending=descending, stable=True), x)
    agree(lambda m, x: (m.sort(x)[0], m.sort(x, dim, descending).values, m.msort(x), x.msort()), x)


@given(x=distinct(), dim=st.integers(-4, 3), k=st.integers(-1, 5), flags=st.tuples(st.booleans(), st.booleans()))
def test_sort_and_choose_among_distinct_values(x: Array, dim: int, k: int, flags: tuple[bool, bool]) -> None:
    first, second = flags
    agree(lambda m, x: (*m.sort(x, dim, first), m.argsort(x, dim, first), x.argsort(dim), *x.sort(dim)), x)
    agree(lambda m, x: (*m.topk(x, k, dim, first), *x.topk(k, dim=dim), *x.topk(k)), x)
    agree(lambda m, x: (*m.kthvalue(x, k, dim, second), *x.kthvalue(k, dim=dim, keepdim=first), *m.kthvalue(x, k)), x)


@given(x=arrays(), dim=st.integers(-2, 1), k=st.integers(1, 4), largest=st.booleans())
def test_values_chosen_among_ties(x: Array, dim: int, k: int, largest: bool) -> None:
    """Which of equal elements is chosen is not specified: the values are compared, and that the indices lead there."""
    agree(lambda m, x: (m.topk(x, k, dim, largest).values, m.kthvalue(x, k, dim).values), x, needs=(False,))
    if x.ndim and -x.ndim <= dim < x.ndim and k <= x.shape[dim]:
        t = ad.from_numpy(x)
        for found in (ad.topk(t, k, dim, largest), ad.kthvalue(t, k, dim, keepdim=True)):
            at = found.indices.numpy()
            np.testing.assert_array_equal(np.take_along_axis(x, at, dim), found.values.numpy())
            assert (np.diff(np.sort(at, axis=dim), axis=dim) > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1000,), (5003,), (2, 1500), (1500, 3)], ids=str)
def test_long_sequences(dtype: str, shape: tuple[int, ...]) -> None:
    """The vectorized order with its ties put right, and the partitions."""
    rng = np.random.default_rng(0)
    for spread in (3, 50, 10**6):
        # 1/8 of what float16 holds exactly.
        x = np.clip(rng.standard_normal(shape) * spread, 0 if dtype == "uint8" else -100, 100).astype(dtype)
        if x.dtype.kind == "f":
            x[rng.random(shape) < 0.01] = NAN
            x[rng.random(shape) < 0.01] = -0.0
        for dim in range(x.ndim):
            for descending in (False, True):
                agree(lambda m, x, d=dim, r=descending: m.sort(x, dim=d, descending=r, stable=True), x, errors=False)
                if dtype == "bool":
                    continue
                for k in {1, 7, x.shape[dim] - 1, x.shape[dim]} - {0}:
                    if k > x.shape[dim]:
                        continue
                    agree(
                        lambda m, x, d=dim, r=descending, k=k: (m.topk(x, k, d, r)[0], m.kthvalue(x, k, d)[0]),
                        x, needs=(False,), errors=False,
                    )  # fmt: skip


def test_gradients_of_what_was_chosen_in_long_sequences() -> None:
    x = np.random.default_rng(0).permutation(3000).reshape(2, 1500).astype(np.float64)
    for dim in (0, 1):
        agree(lambda m, x, dim=dim: (*m.sort(x, dim), *m.topk(x, 2, dim), *m.kthvalue(x, 2, dim)), x, errors=False)


def test_the_largest_in_any_order() -> None:
    x = np.random.default_rng(0).permutation(4000).astype(np.float32)
    for values in (x, x[:20]):
        for largest in (True, False):
            agree(
                lambda m, x, largest=largest: m.sort(m.topk(x, 7, 0, largest, sorted=False)[0])[0], values, errors=False
            )


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype: str) -> None:
    for x in (np.array([[3, 1, 2], [0, 5, 4]]), np.array(2), np.zeros((0, 2))):
        for name in ("sort", "argsort", "msort"):
            stable = {} if name == "msort" else {"stable": True}
            agree(lambda m, x, name=name, stable=stable: getattr(m, name)(x, **stable), x.astype(dtype))
        for name in ("topk", "kthvalue"):
            agree(lambda m, x, name=name: getattr(m, name)(x, 1)[0], x.astype(dtype))
            agree(lambda m, x, name=name: getattr(m, name)(x, 1, 0)[0], x.astype(dtype))


def test_results_have_names_and_arguments_too() -> None:
    for m in (torch, ad):
        x = m.tensor([[3.0, 1.0, 2.0]])
        for found in (m.sort(x, axis=1), m.topk(x, k=3, axis=1), m.kthvalue(x, k=1, axis=1), x.sort(stable=False)):
            assert found.values is found[0]
            assert found.indices is found[1]
        assert m.argsort(x, axis=1).tolist() == [[1, 2, 0]]
        for wrong in (lambda m=m, x=x: m.sort(x, 0, True, True), lambda m=m, x=x: m.argsort(x, 0, True, True)):
            with pytest.raises(TypeError):
                wrong()


SEQUENCES = [[], [1.0], [1.0, 2.0], [0.0, 1.0, 1.0, 1.0, 3.0], [-INF, -0.0, 0.0, INF]]
VALUES = [[], [1.0, 0.5, NAN], [[-INF, INF], [-0.0, 0.0]], 1.0, [[[3.0]]]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("sequence", SEQUENCES, ids=str)
def test_searchsorted_in_one_sequence(sequence: list[float], dtype: str) -> None:
    for values in VALUES:
        for right in (False, True):
            agree(
                lambda m, s, v, right=right: (
                    m.searchsorted(s, v, right=right), m.bucketize(v, s, right=right),
                    m.searchsorted(s, v, side="right" if right else "left"),
                    m.searchsorted(s, v, right=right, out_int32=True), m.bucketize(v, s, out_int32=True),
                ),
                np.array(sequence, dtype), np.array(values), needs=(False, False), errors=False,
            )  # fmt: skip
    for number in (1.0, 1, True, 0.1, 1e30, NAN, INF, -(2**40)):
        agree(
            lambda m, s, number=number: (m.searchsorted(s, number), m.bucketize(number, s, right=True)),
            np.array(sequence, dtype), needs=(False,), errors=False,
        )  # fmt: skip


@given(data=st.data())
def test_searchsorted_in_many_sequences(data: st.DataObject) -> None:
    lead = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=12))
    n, k = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows, values = rng.integers(-3, 4, (*lead, n)) / 2, rng.integers(-4, 5, (*lead, k)) / 2
    if values.size:
        values.flat[0] = NAN
    order = np.argsort(rows, -1)
    layout = data.draw(LAYOUTS)
    rows, shuffled = np.take_along_axis(rows, order, -1), rows
    for right in (False, True):
        agree(
            lambda m, s, v, right=right: m.searchsorted(s, v, right=right),
            laid_out(rows, layout), laid_out(values, layout), needs=(False, False), errors=False,
        )  # fmt: skip
        agree(
            lambda m, s, v, o, right=right: m.searchsorted(s, v, right=right, sorter=o),
            shuffled, values, order, needs=(False, False, False), errors=False,
        )  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3, 1000, 1024, 40_000])
def test_searchsorted_of_many_values(count: int) -> None:
    """The vectorized search, in more than one block."""
    rng = np.random.default_rng(count)
    for s, v in (
        (rng.integers(0, count, count), rng.integers(-1, count + 1, 40_000)),
        (rng.standard_normal(count), rng.standard_normal((200, 100))),
        (rng.integers(0, 5, (3, count)) * 1.0, rng.integers(-1, 7, (3, 20_000)) * 1.0),
        (rng.integers(0, 5, (300, 7)), rng.integers(-1, 7, (300, 60))),
    ):
        for side in ("left", "right"):
            agree(
                lambda m, s, v, side=side: m.searchsorted(s, v, side=side), np.sort(s), v,
                needs=(False, False), errors=False,
            )  # fmt: skip


@pytest.mark.parametrize("a", DTYPES)
def test_dtypes_of_searchsorted(a: str) -> None:
    for b in DTYPES:
        for values in (np.array([0, 1, 2]), np.array(1)):
            agree(
                lambda m, s, v: (m.searchsorted(s, v), m.bucketize(v, s)), np.array([0, 1]).astype(a), values.astype(b),
                needs=(False, False),
            )  # fmt: skip
    agree(lambda m, s, v: m.searchsorted(s, v), np.array([2**24, 2**24 + 1]), np.array([2**24 + 1], np.float32))


WRONG = [
    ((3,), (2,), {"side": "middle"}), ((3,), (2,), {"side": "left", "right": True}), ((), (), {}), ((2, 3), (), {}),
    ((2, 3), (4,), {}), ((2, 3), (3, 4), {}), ((2, 3), (2, 4), {"side": "right", "right": False}),
]  # fmt: skip


@pytest.mark.parametrize(("sequence", "values", "options"), WRONG, ids=str)
def test_wrong_arguments_of_searchsorted(sequence: Any, values: Any, options: dict[str, Any]) -> None:
    agree(lambda m, s, v: m.searchsorted(s, v, **options), np.zeros(sequence), np.zeros(values), needs=(False, False))


@pytest.mark.parametrize("sorter", [[1, 2, 0], [1, 2], [1, 2, 5], [-1, 2, 0], [[1, 2, 0]], [1.0, 2.0, 0.0]], ids=str)
def test_sorters(sorter: Any) -> None:
    for dtype in ("int64", "int32", "float64"):
        at = np.array(sorter).astype(dtype)
        agree(lambda m, s, o: m.searchsorted(s, 2, sorter=o), np.array([3, 1, 2]), at, needs=(False, False))


def test_wrong_arguments() -> None:
    x = np.ones((2, 3))
    agree(lambda m, x: m.bucketize(1.5, x), x)
    agree(lambda m, x: m.searchsorted(x[0], [1.0, 2.0]), x)
    agree(lambda m, x: m.topk(x, 1.0), x)
    agree(lambda m, x: m.kthvalue(x), x)
    same(torch.tensor([2, 3]), ad.searchsorted(ad.tensor([1.0, 2.0, NAN]), ad.tensor([5.0, NAN]), right=True))
