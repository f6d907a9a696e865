"""Running sums, products and extremes, differences and areas, beside PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
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
SCANS = ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"]
FLOATS = st.sampled_from(["float32", "float64"])
LAYOUTS = st.sampled_from(["contiguous", "transposed", "strided"])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
# Few distinct values, so that extremes tie and products meet several zeros.
FEW = st.sampled_from([-1.5, -1.0, -0.0, 0.0, 0.5, 2.0])


@st.composite
def arrays(draw: st.DrawFn, shape: Any = SHAPES, elements: st.SearchStrategy[float] = FEW) -> Array:
    return laid_out(draw(hnp.arrays(draw(FLOATS), shape, elements=elements)), draw(LAYOUTS))


@pytest.mark.parametrize("name", SCANS)
@given(data=st.data())
def test_scans(name: str, data: st.DataObject) -> None:
    """Along every axis, those that do not exist included, as function and method."""
    x = data.draw(arrays(elements=st.one_of(FEW, st.floats(-4, 4, width=16))))
    dim = data.draw(st.integers(-4, 3))
    needs = (True,)
    if name in ("cummax", "cummin") and not x.size:
        # PyTorch looks at no axis there, and returns the input itself as the gradient.
        dim, needs = 0, (False,)
    agree(lambda m, x: getattr(m, name)(x, dim), x, needs=needs)
    agree(lambda m, x: getattr(x, name)(dim=dim), x, needs=needs)
    agree(lambda m, x: getattr(m, name)(x, axis=dim), x, needs=needs)


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 511, 512, 513, 1000, 4097])
def test_long_scans(name: str, count: int) -> None:
    """The pairwise kernels at odd and even lengths; along both axes, with and without ties."""
    rng = np.random.default_rng(count)
    for x in (rng.standard_normal(count) / 4 + 1, np.rint(2 * rng.standard_normal((count, 2))), rng.random((3, count))):
        for dim in range(x.ndim):
            # The products reach 1e50 and more, where sums in another order differ by their size.
            agree(lambda m, x, dim=dim: getattr(m, name)(x, dim), x, tolerance=1e-9, errors=False)


SPECIAL = [
    [1.0, NAN, 3.0, 2.0, NAN], [NAN, 1.0], [INF, -INF, 1.0], [-INF, INF, INF], [0.0, -0.0], [-0.0, 0.0, -0.0],
    [3.0, 3.0, 1.0, 3.0], [0.0, -INF, 1.0], [0.0, INF, 1.0], [-INF, -INF, 0.0, 1.0], [-INF, -INF],
    [0.0, 1000.0, 0.0, -1000.0], [-1000.0, 0.0, 1000.0],
]  # fmt: skip


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("values", SPECIAL, ids=str)
def test_scans_of_special_values(name: str, values: list[float]) -> None:
    x = np.array(values)
    # Of a product with infinities there is no gradient worth comparing: PyTorch divides by them.
    finite = name != "cumprod" or not np.isinf(x).any()
    agree(lambda m, x: getattr(m, name)(x, 0), x, needs=(finite,), errors=False)


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_scans(name: str, dtype: str) -> None:
    for x in (np.array([[0, 1], [3, 1]]), np.array(2), np.zeros((0, 2))):
        agree(lambda m, x: getattr(m, name)(x, 0), x.astype(dtype), needs=(x.size > 0 and dtype.startswith("float"),))
    if name in ("cumsum", "cumprod"):
        for wanted in DTYPES:
            x = np.array([2, 1, 3]).astype(dtype)
            # No gradient: PyTorch refuses the one of a conversion to uint8.
            agree(lambda m, x, wanted=wanted: getattr(m, name)(x, 0, dtype=getattr(m, wanted)), x, needs=(False,))
    else:
        agree(lambda m, x: getattr(m, name)(x, 0, dtype=m.float64), np.ones(2, dtype))


def test_scans_need_an_axis() -> None:
    for name in SCANS:
        agree(lambda m, x, name=name: getattr(m, name)(x), np.ones(2))


@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_extremes_come_as_values_and_indices(name: str) -> None:
    for method in (False, True):
        results = [
            getattr(m.ones(2, 3), name)(1) if method else getattr(m, name)(m.ones(2, 3), dim=1) for m in (torch, ad)
        ]
        same(results[0].values, results[1].values)
        same(results[0].indices, results[1].indices)


def second(m: Any, call: Callable[..., Any], x: Any) -> Any:
    """The gradient of a weighted sum of the gradient."""
    grad = torch.autograd.grad if m is torch else ad.grad
    y = call(x)
    (first,) = grad(
        (y * m.arange(1.0, 1 + y.numel(), dtype=x.dtype).reshape(y.shape)).sin().sum(), [x], create_graph=True
    )
    return grad((first * m.arange(1.0, 1 + x.numel(), dtype=x.dtype).reshape(x.shape)).sum(), [x])


@given(data=st.data())
def test_second_derivatives_of_products_and_logarithms(data: st.DataObject) -> None:
    # Nearer to 0 the second derivative of PyTorch's quotient, as of the one here, loses more digits than are compared.
    factors = st.floats(-2, 2).filter(lambda x: abs(x) > 1e-2)
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=5))
    x = data.draw(hnp.arrays(np.float64, shape, elements=st.one_of(FEW, factors)))
    dim = data.draw(st.integers(0, x.ndim - 1))
    for name in ("cumprod", "logcumsumexp"):
        # Products of five factors and their sines have derivatives of up to about 1e4.
        agree(lambda m, x, name=name: second(m, lambda x: getattr(m, name)(x, dim), x), x, tolerance=1e-8, errors=False)


def test_products_of_which_the_running_one_leaves_the_range() -> None:
    for x in ([1e-200, 1e-200, 1e-200, 1.0], [0.1] * 400 + [10.0] * 400, [1e-300, 1e200, 1e200, 1e200]):
        agree(lambda m, x: m.cumprod(x, 0), np.array(x), errors=False)


@given(data=st.data())
def test_diff(data: st.DataObject) -> None:
    x = data.draw(arrays())
    n, dim = data.draw(st.integers(-1, 4)), data.draw(st.integers(-3, 2))
    dim = dim if n else -1  # for no difference PyTorch looks at no axis
    agree(lambda m, x: (m.diff(x, n, dim), x.diff(n=n, dim=dim)), x)
    parts = [data.draw(st.none() | arrays(shape=st.just(tuple(data.draw(st.integers(0, 2)) if d == dim % x.ndim else k
             for d, k in enumerate(x.shape))))) for _ in range(2)] if x.ndim else [np.ones(1), None]  # fmt: skip
    agree(lambda m, x, before, after: m.diff(x, n, dim, before, after), x, *parts)


def test_diff_of_other_dtypes_and_shapes() -> None:
    for dtype in DTYPES:
        for n in range(4):
            agree(lambda m, x, n=n: m.diff(x, n), np.array([1, 0, 3, 3]).astype(dtype))
        for other in DTYPES:
            agree(lambda m, x, y: m.diff(x, prepend=y, append=y), np.ones(3, dtype), np.zeros(2, other))
    for shape in ((), (1,), (1, 1), (2, 1), (2, 0), (1, 3)):
        agree(lambda m, x, y: m.diff(x, prepend=y), np.ones((2, 3)), np.ones(shape))
    agree(lambda m, x: m.diff(x, axis=0), np.ones((2, 3)))


AREAS = ["trapezoid", "trapz", "cumulative_trapezoid"]
PLACES: list[tuple[int, ...]] = [(), (1,), (2,), (3,), (0,), (2, 3), (1, 3), (2, 1), (4, 2, 3), (3, 2)]


@pytest.mark.parametrize("name", AREAS)
@pytest.mark.parametrize("shape", [(), (3,), (1,), (0,), (2, 3), (4, 2, 3), (2, 0)], ids=str)
def test_areas(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(shape)
    for dim in (-1, 0, 1, 2, -2):
        agree(lambda m, y, dim=dim: getattr(m, name)(y, dim=dim), y)
        for dx in (2, 0.5):
            agree(lambda m, y, dim=dim, dx=dx: getattr(m, name)(y, dx=dx, dim=dim), y)
        for places in PLACES:
            if 0 in shape and places != (0,):
                continue  # of no samples PyTorch gives 0 without a look at the places
            x = rng.standard_normal(places)
            agree(lambda m, y, x, dim=dim: getattr(m, name)(y, x, dim=dim), y, x)
            agree(lambda m, y, x, dim=dim: getattr(m, name)(y, x=x, dim=dim), y, x, needs=(True, False))
    agree(lambda m, y: getattr(m, name)(y), y)
    agree(lambda m, y: getattr(m, name)(y, y, dx=1), y)


@pytest.mark.parametrize("name", AREAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_areas(name: str, dtype: str) -> None:
    y = np.array([200, 100, 3]).astype(dtype)
    agree(lambda m, y: getattr(m, name)(y), y)
    agree(lambda m, y: getattr(m, name)(y, dx=2), y)
    for other in DTYPES:
        agree(lambda m, y, x: getattr(m, name)(y, x), y, np.array([1, 3, 4]).astype(other))
