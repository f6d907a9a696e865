"""Reductions beside PyTorch's: dims, dtypes, ties, zeros, NaN and infinities, errors."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import DTYPES, Array, agree, laid_out

EXAMPLES = max(60, settings().max_examples // 4)
INF, NAN = math.inf, math.nan
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
# Few distinct values: ties, zeros, rows without spread.
TIED = [-1.0, 0.0, 1.0, 2.0]


def arrays(elements: list[float], shape: Any = SHAPES) -> st.SearchStrategy[Array]:
    return st.builds(
        laid_out,
        st.sampled_from(["float32", "float64"]).flatmap(
            lambda dtype: hnp.arrays(dtype, shape, elements=st.sampled_from(elements))
        ),
        st.sampled_from(["contiguous", "transposed", "strided"]),
    )


def flat(result: Any) -> Any:
    return tuple(result) if isinstance(result, tuple) else (result,)


OVER_ALL = ["sum", "nansum", "mean", "nanmean", "prod", "var", "std", "var_mean", "std_mean", "amax", "amin", "max",
            "min", "argmax", "argmin", "any", "all", "norm"]  # fmt: skip
ALONG_ONE = ["sum", "nansum", "mean", "nanmean", "prod", "var", "std", "var_mean", "std_mean", "amax", "amin", "max",
             "min", "argmax", "argmin", "any", "all", "logsumexp"]  # fmt: skip
ALONG_SEVERAL = ["sum", "nansum", "mean", "nanmean", "var", "std", "var_mean", "amax", "amin", "any", "all",
                 "logsumexp"]  # fmt: skip


@pytest.mark.parametrize("name", OVER_ALL)
@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED))
def test_over_all_elements(name: str, x: Array) -> None:
    agree(lambda m, x: flat(getattr(m, name)(x)), x)
    if hasattr(torch.Tensor, name):
        agree(lambda m, x: flat(getattr(x, name)()), x)


@pytest.mark.parametrize("name", ALONG_ONE)
@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED), dim=st.integers(-4, 3), keepdim=st.booleans())
def test_along_one_dim(name: str, x: Array, dim: int, keepdim: bool) -> None:
    agree(lambda m, x: flat(getattr(m, name)(x, dim, keepdim=keepdim)), x)
    agree(lambda m, x: flat(getattr(m, name)(x, axis=dim, keepdims=keepdim)), x)
    if hasattr(torch.Tensor, name):
        agree(lambda m, x: flat(getattr(x, name)(dim=dim, keepdim=keepdim)), x)


@pytest.mark.parametrize("name", ALONG_SEVERAL)
@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED), dims=st.lists(st.integers(-3, 2), min_size=1, max_size=3), keepdim=st.booleans())
def test_along_several_dims(name: str, x: Array, dims: list[int], keepdim: bool) -> None:
    agree(lambda m, x: flat(getattr(m, name)(x, tuple(dims), keepdim=keepdim)), x)
    agree(lambda m, x: flat(getattr(m, name)(x, dim=dims, keepdim=keepdim)), x)


@pytest.mark.parametrize("name", ["sum", "nansum", "mean", "nanmean", "amax", "amin", "max", "min", "any", "all"])
@settings(max_examples=EXAMPLES)
@given(x=arrays([NAN, INF, -INF, -0.0, 1.0]), data=st.data())
def test_special_values(name: str, x: Array, data: st.DataObject) -> None:
    # The gradient of amax and amin at NaN is another (a row of docs/differences.md).
    needs = (name not in ("amax", "amin"),)
    agree(lambda m, x: getattr(m, name)(x), x, needs=needs)
    dim = data.draw(st.integers(-2, 2))
    agree(lambda m, x: flat(getattr(m, name)(x, dim)), x, needs=needs)


@given(x=arrays([NAN, INF, -INF, -0.0, 1.0, -1.0]), dim=st.integers(-2, 2))
def test_indices_of_extremes_at_special_values(x: Array, dim: int) -> None:
    agree(lambda m, x: (m.argmax(x), m.argmin(x)), x)
    agree(lambda m, x: (m.argmax(x, dim), x.argmin(dim, True)), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted({*OVER_ALL, *ALONG_ONE}))
def test_dtypes(name: str, dtype: str) -> None:
    if dtype == "bool" and name in ("argmax", "argmin"):
        return  # refused by PyTorch only, a row of docs/differences.md
    if dtype == "uint8" and name in ("any", "all"):
        return  # uint8 there, bool here, a row of docs/differences.md
    x = np.array([[0, 1], [1, 1]]).astype(dtype)
    if name in ALONG_ONE:
        agree(lambda m, x: flat(getattr(m, name)(x, 0)), x)
    if name in OVER_ALL:
        agree(lambda m, x: flat(getattr(m, name)(x)), x)


@pytest.mark.parametrize(("dtype", "wanted"), list(product(DTYPES, DTYPES)))
def test_results_in_another_dtype(dtype: str, wanted: str) -> None:
    x = np.array([[0, 1], [2, 3]]).astype(dtype)
    for name in ("sum", "nansum", "mean", "prod"):
        if name == "mean" and wanted == "bool":
            continue
        # No gradient: PyTorch refuses the one of a conversion to uint8, others it leaves out, as here.
        agree(lambda m, x, name=name: getattr(m, name)(x, dtype=getattr(m, wanted)), x, needs=(False,))
        agree(lambda m, x, name=name: getattr(x, name)(0, dtype=getattr(m, wanted)), x, needs=(False,))
    agree(lambda m, x: m.nanmean(x, dtype=getattr(m, wanted)), x, needs=(False,))
    agree(lambda m, x: m.norm(x, dtype=getattr(m, wanted)), x, needs=(False,))


@settings(max_examples=EXAMPLES)
@given(
    x=arrays([-2.0, -0.5, 0.0, 0.0, 0.5, 1.0, 3.0], hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=5)),
    data=st.data(),
)
def test_products_with_zeros_at_both_orders(x: Array, data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from([None, *range(x.ndim)]))

    def twice(m: Any, x: Any) -> Any:
        y = m.prod(x) if dim is None else m.prod(x, dim)
        grad = torch.autograd.grad if m is torch else ad.grad
        weights = m.from_numpy(np.cos(np.arange(1.0, 1 + x.numel())).astype(str(x.dtype).removeprefix("torch.")))
        (first,) = grad(y.sum(), x, create_graph=True)
        return first, (first * weights.reshape(x.shape)).sum()

    agree(twice, x, errors=False)


def test_products_of_many() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 64, 1001):
        for zeros in range(3):
            x = rng.uniform(0.5, 1.5, (3, n))
            x[1, rng.choice(n, min(zeros, n), replace=False)] = 0
            agree(lambda m, x: (m.prod(x), m.prod(x, 1), m.prod(x, 0)), x, errors=False)
    # Long enough for the products by halves, of odd lengths too, and integers that overflow.
    agree(lambda m, x: (m.prod(x), m.prod(x, 1)), rng.uniform(0.99, 1.01, (5, 4097)), errors=False)
    agree(lambda m, x: (m.prod(x), m.prod(x, 1)), rng.integers(1, 9, (5, 4097)), errors=False)


@pytest.mark.parametrize("shape", [(5000,), (4, 5000), (5000, 4), (4, 5000, 3), (3, 700, 5), (9, 1, 600), (4097, 1)])
def test_long_sums_by_blocks(shape: tuple[int, ...]) -> None:
    """Sums of many numbers go by blocks, whose edges fall everywhere."""
    x = np.random.default_rng(0).standard_normal(shape)
    for dim in (None, *range(len(shape)), *([(0, 1), (1, 2), (0, 2)] if len(shape) == 3 else [])):
        agree(lambda m, x, dim=dim: (m.sum(x, dim), m.mean(x, dim, True), m.var(x, dim)), x, errors=False)
    tenths = np.full(shape, 0.1, np.float32)
    # Blocks of 128 lose at most 128 roundings of 6e-8, and on these numbers a fifth of that.
    agree(lambda m, x: (m.sum(x, 0), m.sum(x, -1), m.mean(x)), tenths, errors=False, tolerance=2e-6)


def test_long_sums_in_low_precision() -> None:
    ones = np.ones((5000, 2), np.float16)
    agree(lambda m, x: (x.sum(0), x.mean(0), x.nansum(0), (x * 100).var(0), (x * 100).std(0)), ones, needs=(False,))


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
@settings(max_examples=EXAMPLES)
@given(x=arrays(TIED, hnp.array_shapes(min_dims=1, max_dims=3, max_side=3)), data=st.data())
def test_corrections(name: str, x: Array, data: st.DataObject) -> None:
    correction = data.draw(st.sampled_from([None, 0, 1, 2, 0.5]))
    unbiased, keepdim = data.draw(st.booleans()), data.draw(st.booleans())
    dim = data.draw(st.integers(0, x.ndim - 1))
    agree(lambda m, x: getattr(m, name)(x, dim, correction=correction, keepdim=keepdim), x)
    agree(lambda m, x: getattr(m, name)(x, dim, unbiased, keepdim), x)
    agree(lambda m, x: (getattr(m, name)(x, unbiased), getattr(m, name)(x, unbiased=unbiased)), x)
    agree(lambda m, x: getattr(m, name)(x, dim, unbiased=unbiased, correction=correction or 1), x)
    # Corrections that leave nothing to divide by: values only, since what PyTorch makes of the gradient depends on dim.
    agree(lambda m, x: getattr(m, name)(x, dim, correction=5), x, needs=(False,))


@given(x=arrays(TIED), dim=st.integers(-3, 2), keepdim=st.booleans())
def test_aminmax(x: Array, dim: int, keepdim: bool) -> None:
    agree(lambda m, x: (*m.aminmax(x), *m.aminmax(x, keepdim=keepdim)), x)
    agree(lambda m, x: (m.aminmax(x, dim=dim, keepdim=keepdim).min, x.aminmax(dim=dim).max), x)


@given(x=arrays(TIED, (2, 3)), y=arrays(TIED, (3,)))
def test_extremes_of_two_tensors(x: Array, y: Array) -> None:
    agree(lambda m, x, y: (m.max(x, y), m.min(x, other=y), x.max(y), x.min(other=y)), x, y, errors=False)


@pytest.mark.parametrize("p", [None, "fro", 0, 0.5, 1, 1.5, 2, 3, 4.5, INF, -INF, -1, -0.5, True])
@settings(max_examples=EXAMPLES)
@given(x=arrays([-2.0, 0.0, 0.5, 1.0, 2.0]), data=st.data())
def test_norms(p: Any, x: Array, data: st.DataObject) -> None:
    keepdim = data.draw(st.booleans())
    dim = data.draw(st.one_of(st.integers(-3, 2), st.lists(st.integers(-3, 2), max_size=3).map(tuple)))
    # Of how many elements are not 0 the gradient is 0; PyTorch has none, but says that the norm requires grad.
    needs = (p != 0,)
    agree(lambda m, x: (m.norm(x, p), x.norm(p, keepdim=keepdim)), x, needs=needs)
    agree(lambda m, x: (m.norm(x, p, dim, keepdim), x.norm(p=p, dim=dim)), x, needs=needs)


def test_norms_of_matrices_and_errors() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    agree(lambda m, x: (m.norm(x[0], "nuc"), m.norm(x, "nuc", dim=(0, 2)), m.norm(x, "fro", (1, 2), True)), x)
    for call in (
        lambda m, x: m.norm(x, "nuc"),
        lambda m, x: m.norm(x, "foo"),
        lambda m, x: m.norm(x, "inf"),
        lambda m, x: m.norm(x, "fro", (0, 1, 2)),
        lambda m, x: m.norm(x, "nuc", 1),
        lambda m, x: m.norm(x.int()),
    ):
        agree(call, x)


@given(x=arrays([NAN, 0.0, 1.0, -0.0, INF]), dim=st.integers(-3, 2))
def test_count_nonzero(x: Array, dim: int) -> None:
    agree(lambda m, x: (m.count_nonzero(x), x.count_nonzero()), x)
    agree(lambda m, x: (m.count_nonzero(x, dim), m.count_nonzero(x, dim=(dim,)), x.count_nonzero(dim)), x)
    agree(lambda m, x: m.count_nonzero(x, (0, dim)), x)
    for dtype in DTYPES:
        agree(lambda m, x: m.count_nonzero(x, 0), np.array([[0, 1], [2, 3]]).astype(dtype))


ROWS = [[1.0, 2.0, 4.0, 3.0], [0.5, -1.0, 2.0, 2.0], [3.0, 1.0, 0.0, -2.0]]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], ROWS[0], 1.5, [1.0], [[]], [], np.zeros((0, 3)).tolist()], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_cov_and_corrcoef(rows: Any, dtype: str) -> None:
    x = np.abs(np.array(rows)).astype(dtype) if dtype != "float64" else np.array(rows)
    for correction in (0, 1, 2):
        agree(lambda m, x, correction=correction: (m.cov(x, correction=correction), x.cov(correction=correction)), x)
    if dtype != "bool":
        agree(lambda m, x: (m.corrcoef(x), x.corrcoef()), x)


COUNTS = [None, np.array([1, 2, 0, 3]), np.array([1.0, 2.0, 0.0, 3.0]), np.array([1, 2]), np.array([1, -1, 1, 1]),
          np.array([[1, 2, 0, 3]]), np.zeros(4, np.int64), np.array(3)]  # fmt: skip
SHARES = [None, np.array([0.5, 2.0, 0.0, 1.0]), np.array([1, 2, 0, 3]), np.array([1.0]),
          np.array([1.0, -1.0, 1.0, 1.0]), np.array([0.5, 2.0, 0.0, 1.0], np.float32)]  # fmt: skip


@pytest.mark.parametrize(("counts", "shares"), list(product(COUNTS, SHARES)), ids=str)
def test_weighted_cov(counts: Any, shares: Any) -> None:
    for x in (np.array(ROWS), np.array(ROWS[0]), np.array(ROWS, np.float32)):
        for correction in (0, 1):
            agree(
                lambda m, x, f, a, correction=correction: m.cov(x, correction=correction, fweights=f, aweights=a),
                x,
                counts,
                shares,
                needs=(True, False, isinstance(shares, np.ndarray) and shares.dtype.kind == "f"),
                tolerance=None if x.dtype == np.float64 else 2e-5,
            )


ERRORS = {
    "max with keepdim alone": lambda m, x: m.max(x, keepdim=True),
    "max of several dims": lambda m, x: m.max(x, dim=(0, 1)),
    "argmax of several dims": lambda m, x: m.argmax(x, (0, 1)),
    "aminmax by position": lambda m, x: m.aminmax(x, 0),
    "aminmax of several dims": lambda m, x: m.aminmax(x, dim=(0, 1)),
    "dims of cov": lambda m, x: m.cov(x.reshape(1, 2, 3)),
    "a dim twice": lambda m, x: m.sum(x, (0, 0)),
    "count a dim twice": lambda m, x: m.count_nonzero(x, (0, -2)),
    "no dim": lambda m, x: m.logsumexp(x),
    "a list": lambda m, x: m.sum([1.0, 2.0]),
    "a word": lambda m, x: m.mean(x, "rows"),
    "unbiased and correction": lambda m, x: m.std(x, 0, unbiased=True, correction=0),
    "dims of corrcoef": lambda m, x: m.corrcoef(x.reshape(1, 2, 3)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises(Exception):  # noqa: B017, PT011
        ERRORS[name](torch, torch.from_numpy(x))
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
        ERRORS[name](ad, ad.from_numpy(x))
