"""Comparison and selection beside PyTorch's, as functions and as methods."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.beside_torch import DTYPES, Array, agree, laid_out

INF, NAN = math.inf, math.nan
SPECIAL = [-INF, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.5, 3.0, INF, NAN]
WHOLE = DTYPES[1:6]
reals = st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0])
layouts = st.sampled_from(["contiguous", "transposed", "strided"])


def both(m: Any, name: str, x: Any, *args: Any, **named: Any) -> tuple[Any, Any]:
    """The function and the method."""
    return getattr(m, name)(x, *args, **named), getattr(x, name)(*args, **named)


def arrays(shape: Any, elements: st.SearchStrategy[float] = reals, dtype: str = "float64") -> st.SearchStrategy[Array]:
    return st.builds(laid_out, hnp.arrays(dtype, shape, elements=elements), layouts)


@pytest.mark.parametrize("name", ["isposinf", "isneginf", "isreal", "isnan", "isinf", "isfinite"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_kinds_of_numbers(name: str, dtype: str) -> None:
    x = np.array([SPECIAL if dtype[0] == "f" else [0, 1, 2, 3]]).astype(dtype)
    for layout in ("contiguous", "strided"):
        agree(lambda m, x: both(m, name, x), laid_out(x, layout), errors=False)


ORDER = ["eq", "ne", "not_equal", "lt", "less", "le", "less_equal", "gt", "greater", "ge", "greater_equal"]


@pytest.mark.parametrize("name", ORDER)
def test_order(name: str) -> None:
    a, b = (side.ravel() for side in np.meshgrid(SPECIAL, SPECIAL))
    agree(lambda m, a, b: both(m, name, a, b), a, b, errors=False)
    agree(lambda m, a: both(m, name, a, 0.5), a, errors=False)
    for first, second in product(DTYPES, DTYPES):
        x, y = np.array([0, 1, 2]).astype(first), np.array([[1], [0]]).astype(second)
        agree(lambda m, x, y: both(m, name, x, y), x, y, needs=(False, False), errors=False)
    agree(lambda m, a, b: getattr(m, name)(a, b), np.ones(2), np.ones(3))


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
@pytest.mark.parametrize("a", DTYPES)
def test_logic(name: str, a: str) -> None:
    for b in DTYPES:
        x, y = np.array([0, 1, 2, 0]).astype(a), np.array([0, 0, 2, 1]).astype(b)
        agree(lambda m, x, y: both(m, name, x, y), x, y, needs=(False, False), errors=False)
    agree(lambda m, x: both(m, "logical_not", x), np.array([0, 1, 2]).astype(a), errors=False)


TOLERANCES = [
    {},
    {"rtol": 0.1},
    {"atol": 0.5},
    {"equal_nan": True},
    {"rtol": 0.0, "atol": 0.0},
    {"rtol": -1.0},
    {"atol": -1.0},
]


@pytest.mark.parametrize("named", TOLERANCES, ids=str)
@pytest.mark.parametrize("name", ["isclose", "allclose"])
def test_closeness(name: str, named: dict[str, Any]) -> None:
    values = [*SPECIAL, 1 + 1e-6, 1 + 1e-4, 1.05, 1e-9, 3.3]
    a, b = (side.ravel() for side in np.meshgrid(values, values))
    for dtype in ("float32", "float64"):
        agree(lambda m, a, b: both(m, name, a, b, **named), a.astype(dtype), b.astype(dtype))
        agree(lambda m, a: both(m, name, a, a, **named), a.astype(dtype))
    for dtype in DTYPES:
        x, y = np.array([0, 1, 2, 10]).astype(dtype), np.array([[0], [1], [2], [11]]).astype(dtype)
        agree(lambda m, x, y: both(m, name, x, y, **named), x, y)
    agree(lambda m, a, b: getattr(m, name)(a, b), np.ones(2), np.ones(3))
    agree(lambda m, a: getattr(m, name)(a, 1.0), np.ones(2))


@pytest.mark.parametrize(("a", "b"), list(product(DTYPES, DTYPES)))
def test_equal(a: str, b: str) -> None:
    x = np.array([0, 1, 1])
    agree(lambda m, x, y: both(m, "equal", x, y), x.astype(a), x.astype(b), errors=False)
    agree(lambda m, x, y: both(m, "equal", x, y), x.astype(a), np.array([1, 1, 1]).astype(b), errors=False)
    agree(lambda m, x, y: both(m, "equal", x, y), x.astype(a), np.array([[0, 1, 1]]).astype(b), errors=False)
    agree(lambda m, x: m.equal(x, 1), x)


@pytest.mark.parametrize(("a", "b"), list(product(DTYPES, DTYPES)))
def test_shifts(a: str, b: str) -> None:
    """By more bits than there are, and by negative numbers, too."""
    x = np.array([0, 1, 5, 100] if a in ("bool", "uint8") else [0, 1, -5, 100]).astype(a)
    y = np.array([0, 1, 3, 70] if b in ("bool", "uint8") else [0, 1, -1, 70]).astype(b)
    if a == b == "bool":
        return  # refused by PyTorch only, as all arithmetic of bools
    for name in ("bitwise_left_shift", "bitwise_right_shift"):
        agree(lambda m, x, y, name=name: both(m, name, x, y), x, y, needs=(False, False))
    agree(lambda m, x, y: (x << y, x >> y), x, y, needs=(False, False))
    if a != "bool":
        agree(lambda m, x: (x << 2, x >> 1, 1 << x, 9 >> x, m.bitwise_left_shift(3, x)), x, needs=(False,))


@pytest.mark.parametrize("invert", [False, True])
def test_isin(invert: bool) -> None:
    for a, b in product([d for d in DTYPES if d != "bool"], repeat=2):
        x, y = np.array([[0, 1, 2], [3, 2, 1]]).astype(a), np.array([1, 3, 5]).astype(b)
        agree(lambda m, x, y: m.isin(x, y, invert=invert), x, y, needs=(False, False), errors=False)
        agree(lambda m, x: m.isin(x, 2, invert=invert), x, errors=False)
        agree(lambda m, x: m.isin(2, x, invert=invert), x, errors=False)
    agree(lambda m, x: m.isin(x, x, invert=invert), np.array(SPECIAL), errors=False)
    agree(lambda m, x, y: m.isin(x, y, invert=invert), np.ones((2, 0)), np.ones(0), errors=False)
    agree(lambda m, x, y: m.isin(x, y, invert=invert), np.array(1), np.ones(0), errors=False)
    big = np.random.default_rng(0).integers(0, 500, 2000)
    agree(lambda m, x, y: m.isin(x, y, invert=invert), big, big[:100], errors=False)
    agree(lambda m, x: m.isin(x, x, assume_unique=True, invert=invert), np.arange(300), errors=False)
    agree(lambda m: m.isin(1, 2))


@pytest.mark.parametrize(("a", "b"), list(product(DTYPES, DTYPES)))
def test_heaviside(a: str, b: str) -> None:
    x = np.array([0, 1, 2]).astype(a)
    agree(lambda m, x, y: both(m, "heaviside", x, y), x, np.array([2, 1, 1]).astype(b), needs=(False, False))
    if a == b and a[0] == "f":
        special = np.tile(np.array(SPECIAL).astype(a), 500)
        agree(lambda m, x, y: both(m, "heaviside", x, y), special, np.array(0.5, b), needs=(False, False), errors=False)


# Selection.


@given(data=st.data())
def test_selection(data: st.DataObject) -> None:
    """Masks and tensors that broadcast with each other, empty ones among them."""
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3)).input_shapes
    mask = data.draw(st.builds(laid_out, hnp.arrays(bool, shapes[0]), layouts))
    a, b = (data.draw(arrays(shape)) for shape in shapes[1:])
    agree(lambda m, c, a, b: (m.where(c, a, b), a.where(c, b)), mask, a, b, errors=False)
    agree(lambda m, c, a: (m.where(c, a, 1.5), m.where(c, 2, a), a.where(c, 3)), mask, a, errors=False)
    agree(lambda m, c: m.where(c), mask, errors=False)
    agree(lambda m, c, a: both(m, "masked_fill", a, c, 3.0), mask, a, errors=False)
    agree(lambda m, c, a: both(m, "masked_select", a, c), mask, a, errors=False)
    agree(lambda m, x: (m.nonzero(x), x.nonzero(), *m.nonzero(x, as_tuple=True)), a, errors=False)


@given(data=st.data())
def test_masked_scatter(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    mask = data.draw(hnp.arrays(bool, data.draw(st.sampled_from([shape, shape[1:]]))))
    source = data.draw(arrays(data.draw(hnp.array_shapes(max_dims=2, min_side=0, max_side=5))))
    # Sources with fewer elements than the mask has places are refused by both.
    agree(lambda m, x, c, s: both(m, "masked_scatter", x, c, s), data.draw(arrays(shape)), mask, source)


def test_selection_of_many_elements() -> None:
    """Enough for the forms without branches; infinities and NaN must not reach what was not chosen."""
    rng = np.random.default_rng(0)
    a, b = (rng.choice(np.array(SPECIAL), 10_000).reshape(100, 100) for _ in range(2))
    for dtype in ("float32", "float64", "float16"):
        x, y = a.astype(dtype), b.astype(dtype)
        mask = rng.random(x.shape) < 0.5
        for calls in (
            lambda m, c, x, y: m.where(c, x, y),
            lambda m, c, x, y: m.where(c, x.T, y),
            lambda m, c, x, y: m.where(c[0], x, y[:, :1]),
            lambda m, c, x, y: x.masked_fill(c, -INF) * y.masked_fill(c, 0),
            lambda m, c, x, y: x.masked_scatter(c, y),
            lambda m, c, x, y: x.masked_select(c),
            lambda m, c, x, y: m.where(c, (x.abs() + 1).reciprocal(), y.relu()),
            lambda m, c, x, y: (m.maximum(x, y), m.fmax(x, y), m.minimum(x, y.T), m.fmin(x, y)),
        ):
            agree(calls, mask, x, y, errors=False)
    for kind in ("bool", "uint8", "int16", "int64"):
        agree(lambda m, c, x, y: m.where(c, x, y), mask, (a > 0).astype(kind), (b > 1).astype(kind), errors=False)


FILLS = [0, 1.5, True, -1, 300, 70000, 1e6, INF, NAN]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", FILLS)
def test_masked_fill_with_numbers(dtype: str, value: float) -> None:
    if dtype == "uint8" and value == -1:
        return  # PyTorch writes 255
    if not math.isfinite(value) and dtype in DTYPES[:6]:
        return  # PyTorch writes what C's conversion leaves undefined
    agree(
        lambda m, x, c: both(m, "masked_fill", x, c, value),
        np.array([0, 1, 2]).astype(dtype),
        np.array([True, False, True]),
    )


def test_what_masks_must_be() -> None:
    x = np.array([1.0, 2.0, 3.0])
    for mask in (np.array([1, 0, 1]), np.array([1.0, 0.0, 1.0]), np.array([True, False])):
        agree(lambda m, x, c: x.masked_fill(c, 0), x, mask, needs=(True, False))
        agree(lambda m, x, c: x.masked_select(c), x, mask, needs=(True, False))
        agree(lambda m, x, c: x.masked_scatter(c, x), x, mask, needs=(True, False))
        agree(lambda m, x, c: m.where(c, x, x), x, mask, needs=(True, False))
    mask = np.array([True, False, True])
    agree(lambda m, x, c: m.where(c, x), x, mask)
    agree(lambda m, x, c: x.masked_fill(c, x[:1]), x, mask)
    agree(lambda m, x, c: x.masked_fill(c, x[0]), x, mask)
    agree(lambda m, x, c: x.masked_scatter(c, x.float()), x, mask)


@pytest.mark.parametrize(("a", "b"), list(product(DTYPES, DTYPES)))
def test_dtypes_of_selection(a: str, b: str) -> None:
    x, y, mask = np.array([0, 1, 2]).astype(a), np.array([2, 1, 0]).astype(b), np.array([True, False, True])
    for call in (
        lambda m, c, x, y: (m.where(c, x, y), x.where(c, y)),
        lambda m, c, x, y: m.where(c, x, y[1]),
        lambda m, c, x, y: x.masked_fill(c, y[1]),
        lambda m, c, x, y: m.masked_scatter(x, c, y),
    ):
        agree(call, mask, x, y, needs=(False,) * 3)
    agree(lambda m, c, x: (m.where(c, x, 2), m.where(c, 1.5, x), m.where(c, x, True)), mask, x, needs=(False, False))
    agree(lambda m, c: (m.where(c, 1, 2), m.where(c, 1, 2.5), m.where(c, True, False)), mask)
