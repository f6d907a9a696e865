"""Medians, quantiles, modes, distinct values and histograms beside PyTorch's."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, Array, agree, laid_out

EXAMPLES = max(40, settings().max_examples // 4)
NAN, INF = float("nan"), float("inf")
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
FEW = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4)
FLOATS = st.sampled_from(["float32", "float64"])
LAYOUTS = st.sampled_from(["contiguous", "transposed", "strided"])


def arrays(elements: Any, shape: Any = SHAPES, unique: bool = False) -> st.SearchStrategy[Array]:
    made = FLOATS.flatmap(lambda dtype: hnp.arrays(dtype, shape, elements=elements, unique=unique))
    return st.builds(laid_out, made, LAYOUTS)


def distinct(shape: Any = SHAPES) -> st.SearchStrategy[Array]:
    return arrays(st.integers(-500, 500).map(lambda k: k / 8), shape, unique=True)


TIED = st.sampled_from([-1.0, 0.0, 1.0, 2.0])
TIED_OR_NAN = st.sampled_from([-1.0, 0.0, 1.0, 2.0, NAN, INF])
DIMS = st.integers(-4, 3)


@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED_OR_NAN))
def test_medians_of_all_share_the_gradient(x: Array) -> None:
    agree(lambda m, x: (m.median(x), x.median()), x)
    agree(lambda m, x: (m.nanmedian(x), x.nanmedian()), x)


@settings(max_examples=EXAMPLES)
@given(x=distinct(), dim=DIMS, keepdim=st.booleans())
def test_medians_along_a_dim(x: Array, dim: int, keepdim: bool) -> None:
    for name in ("median", "nanmedian"):
        agree(lambda m, x, name=name: tuple(getattr(m, name)(x, dim, keepdim)), x)
        agree(lambda m, x, name=name: tuple(getattr(x, name)(dim=dim, keepdim=keepdim)), x)


@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED_OR_NAN), dim=DIMS)
def test_medians_among_ties(x: Array, dim: int) -> None:
    """Which of several equal elements is named is PyTorch's own affair; the value there is the median in both."""
    for name in ("median", "nanmedian"):
        agree(lambda m, x, name=name: getattr(m, name)(x, dim).values, x, needs=(False,))
        try:
            values, indices = getattr(ad, name)(ad.from_numpy(x), dim, keepdim=True)
        except IndexError:
            continue
        there = np.take_along_axis(x, indices.numpy(), dim) if x.ndim else x
        np.testing.assert_array_equal(there, values.numpy())


@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED), dim=DIMS, keepdim=st.booleans())
def test_modes(x: Array, dim: int, keepdim: bool) -> None:
    agree(lambda m, x: tuple(m.mode(x, dim, keepdim)), x)
    agree(lambda m, x: (*x.mode(), *x.mode(dim=dim)), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_of_medians_and_modes(dtype: str) -> None:
    x = np.array([[3, 1, 2, 1], [1, 0, 1, 3]]).astype(dtype)
    for name in ("median", "nanmedian"):
        agree(lambda m, x, name=name: getattr(m, name)(x), x)
        agree(lambda m, x, name=name: getattr(m, name)(x, 1).values, x, needs=(False,))
        if dtype[0] == "f":
            # Of no integers PyTorch gives the least one, or 0; here it is an error.
            agree(lambda m, x, name=name: getattr(m, name)(x), np.zeros(0, dtype))
    agree(lambda m, x: tuple(m.mode(x)), x)


INTERPOLATIONS = ["linear", "lower", "higher", "midpoint", "nearest", "cubic"]
FRACTIONS = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 2 / 3, 0.75, 1.0])


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@settings(max_examples=EXAMPLES)
@given(x=arrays(st.sampled_from([-1.0, 0.0, 1.0, 2.5, 2.5, NAN]), FEW), data=st.data())
def test_quantiles(name: str, interpolation: str, x: Array, data: st.DataObject) -> None:
    """Among ties and NaN; ranks that fall on an element, and between two.

    Up to 16 elements PyTorch's sort is stable; which of several equal elements gets the gradient beyond is its own
    affair.
    """
    keepdim, dim = data.draw(st.booleans()), data.draw(DIMS)
    q = data.draw(FRACTIONS)
    options = {"interpolation": interpolation, "keepdim": keepdim}
    agree(lambda m, x: (getattr(m, name)(x, q, **options), getattr(x, name)(q)), x)
    agree(lambda m, x: getattr(m, name)(x, q, dim, **options), x)
    several = np.array(data.draw(st.lists(FRACTIONS, max_size=3)), x.dtype)
    needs = (True, interpolation == "linear" and not np.isnan(x).any() and several.size > 0)
    agree(lambda m, x, q: getattr(m, name)(x, q, dim, **options), x, several, needs=needs)
    agree(lambda m, x, q: getattr(x, name)(q, dim=dim), x, several, needs=(False, False))
    agree(lambda m, x, q: getattr(m, name)(x, q, **options), x, several[:1].reshape(())if several.size else several,
          needs=(True, False))  # fmt: skip


def test_quantiles_at_infinities() -> None:
    x = np.array([-INF, -INF, 1.0, 2.0, INF, INF])
    for q in np.linspace(0, 1, 11):
        for interpolation in INTERPOLATIONS[:5]:
            agree(lambda m, x, q=q, how=interpolation: m.quantile(x, float(q), interpolation=how), x, needs=(False,))


QUANTILE_ERRORS = {
    "beyond 1": lambda m, x: m.quantile(x, 1.5),
    "below 0": lambda m, x: m.quantile(x, m.tensor([-0.5], dtype=m.float64)),
    "a list": lambda m, x: m.quantile(x, [0.5]),
    "another dtype": lambda m, x: m.quantile(x, m.tensor([0.5])),
    "a matrix": lambda m, x: m.quantile(x, m.tensor([[0.5]], dtype=m.float64)),
    "integers": lambda m, x: m.quantile(x.int(), 0.5),
    "halves": lambda m, x: m.nanquantile(x.half(), 0.5),
    "nothing": lambda m, x: m.quantile(x[:0], 0.5),
    "two dims": lambda m, x: m.quantile(x, 0.5, dim=(0, 1)),
    "median of two dims": lambda m, x: m.median(x, (0, 1)),
    "median with keepdim alone": lambda m, x: m.median(x, keepdim=True),
    "median of bools": lambda m, x: m.median(x > 0),
    "mode of nothing": lambda m, x: m.mode(x[:, :0]),
}


@pytest.mark.parametrize("name", QUANTILE_ERRORS)
def test_errors(name: str) -> None:
    agree(QUANTILE_ERRORS[name], np.arange(6.0).reshape(2, 3))
    with pytest.raises(Exception):  # noqa: B017, PT011
        QUANTILE_ERRORS[name](torch, torch.arange(6.0, dtype=torch.float64).reshape(2, 3))


@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED), data=st.data())
def test_unique(x: Array, data: st.DataObject) -> None:
    inverse, counts = data.draw(st.booleans()), data.draw(st.booleans())
    dim = data.draw(st.one_of(st.none(), DIMS))
    needs = (False,)
    agree(lambda m, x: m.unique(x, True, inverse, counts, dim), x, needs=needs)
    agree(lambda m, x: x.unique(sorted=False, return_inverse=inverse, return_counts=counts, dim=dim), x, needs=needs)
    # By name: given by position, PyTorch returns what was asked for empty.
    options = {"return_inverse": inverse, "return_counts": counts, "dim": dim}
    agree(lambda m, x: m.unique_consecutive(x, **options), x, needs=needs)
    agree(lambda m, x: x.unique_consecutive(**options), x, needs=needs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_unique_of_every_dtype(dtype: str) -> None:
    x = np.array([[3, 1, 2, 1], [1, 0, 1, 3], [3, 1, 2, 1]]).astype(dtype)
    for dim in (None, 0, 1):
        if dtype == "float16" and dim is not None:
            continue
        agree(lambda m, x, dim=dim: m.unique(x, return_inverse=True, return_counts=True, dim=dim), x, needs=(False,))
        agree(lambda m, x, dim=dim: m.unique_consecutive(x, True, True, dim=dim), x, needs=(False,))


def test_unique_nans() -> None:
    x = np.array([NAN, 1.0, NAN, INF, -0.0, 0.0, 1.0, 1.0])
    agree(lambda m, x: m.unique(x, return_inverse=True, return_counts=True), x, needs=(False,))
    agree(lambda m, x: m.unique_consecutive(x, True, True), x, needs=(False,))


WEIGHTS = {
    "none": None, "single": np.array([1, 2, 3], np.float32), "double": np.array([1.0, 2, 3]),
    "int": np.array([1, 2, 3]),
    "half": np.array([1, 2, 3], np.float16), "bool": np.array([True, False, True]), "short": np.array([1.0, 2]),
    "matrix": np.ones((3, 1)),
}  # fmt: skip
INTEGERS = [[1, 1, 3], [-1, 1, 3], [[1, 1, 3]], [], 3]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("values", INTEGERS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bincount(dtype: str, values: Any, weights: str) -> None:
    x = np.array(values).astype(dtype)
    for length in (0, 3, 7, -1):
        agree(
            lambda m, x, w, length=length: (m.bincount(x, w, length), x.bincount(weights=w, minlength=length)),
            x,
            WEIGHTS[weights] if x.size else None,
            needs=(False, False),
        )


LIMITS = [(0, 0), (0, 3), (-1.5, 1.5), (1, 1), (3, 1), (0, INF), (NAN, 1)]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("bins", [1, 4, 7, 0, -1])
def test_histc(limits: tuple[float, float], bins: int) -> None:
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=(50, 3)), np.array([1.0, 1.0]), np.zeros(0), np.array(0.5), np.array([0.0, 1.5, 3.0]),
              np.array([NAN, 1.0, INF]), np.array([1, 2])):  # fmt: skip
        for dtype in ("float64", "float32"):
            y = x.astype(dtype) if x.dtype.kind == "f" else x
            agree(lambda m, x: m.histc(x, bins, *limits), y, needs=(False,))
            agree(lambda m, x: x.histc(bins=bins, min=limits[0], max=limits[1]), y, needs=(False,))


@pytest.mark.parametrize("limits", [None, *LIMITS], ids=str)
@pytest.mark.parametrize("bins", [1, 4, 7, 0, np.array([0.0, 1.0, 2.5]), np.array([0.5]), np.zeros((2, 2)), np.zeros(0),
                                  np.array([-1.0, 0.0, 0.0, 2.0])], ids=str)  # fmt: skip
def test_histogram(limits: Any, bins: Any) -> None:
    rng = np.random.default_rng(0)
    options = {} if limits is None else {"range": limits}
    for x in (rng.normal(size=(50, 3)), np.array([1.0, 1.0]), np.zeros(0), np.array([0.0, 1.0, 2.5]),
              np.array([NAN, 1.0, INF]), np.array([1, 2])):  # fmt: skip
        agree(lambda m, x, b: tuple(m.histogram(x, b, **options)), x, bins, needs=(False, False))
        weight = np.arange(1.0, x.size + 1).reshape(x.shape)
        agree(
            lambda m, x, b, w: tuple(x.histogram(b, weight=w, density=True, **options)),
            x, bins, weight, needs=(False,) * 3,
        )  # fmt: skip
        agree(lambda m, x, b: tuple(m.histogram(x, b, **options)), x.astype(np.float32), bins, needs=(False, False))
