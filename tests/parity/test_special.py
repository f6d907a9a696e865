"""Special functions beside PyTorch's: values, gradients of two orders, dtypes, poles and edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from tests.parity.beside_torch import Array, agree, laid_out

INF, NAN = math.inf, math.nan
METHODS = ["erf", "erfc", "erfinv", "lgamma", "digamma", "i0", "sinc", "logit"]
# Where each is compared: from, to; beyond its domain PyTorch's value, mostly NaN, is compared below.
RANGES: dict[str, tuple[float, float]] = {
    "erf": (-7, 7),
    "erfc": (-7, 12),
    "erfcx": (-3, 100),
    "erfinv": (-0.999, 0.999),
    "ndtr": (-12, 9),
    # Further down PyTorch loses digits: at -95 four of float32, here none.
    "log_ndtr": (-15, 9),
    "ndtri": (1e-6, 0.999),
    "gammaln": (-3.4, 100),
    "digamma": (-3.4, 100),
    "psi": (0.1, 10),
    "i0": (-20, 20),
    "i0e": (-100, 100),
    "i1": (-20, 20),
    "i1e": (-100, 100),
    "sinc": (-10, 10),
    "entr": (0.01, 100),
    "expit": (-30, 30),
    "expm1": (-10, 5),
    "log1p": (-0.9, 100),
    "exp2": (-10, 5),
    "logit": (0.001, 0.999),
}
POLES = {"gammaln", "digamma"}
# PyTorch has these, without gradients.
UNDIFFERENTIABLE = ["bessel_j0", "bessel_j1"]


def function(m: Any, name: str) -> Any:
    return getattr(m.special, name)


def inside(name: str, dtype: str, n: int = 400) -> Array:
    low, high = RANGES[name]
    x = np.random.default_rng(len(name)).uniform(low, high, n)
    if name in POLES:
        # Near a pole a value is as uncertain as its argument.
        x = np.where((x < 0.5) & (np.abs(x - np.rint(x)) < 0.1), x + 0.2, x)
    return x.astype(dtype)


def twice(m: Any, name: str, x: Any) -> Any:
    grad = torch.autograd.grad if m is torch else ad.grad
    (first,) = grad(function(m, name)(x).sum(), [x], create_graph=True)
    return grad((first * first).sum(), [x])


# PyTorch's trigamma has no more digits; SciPy's is exact.
TRIGAMMA = 2e-9
# What the derivatives of float32 lose where they are a difference of two near numbers.
SINGLE = {"erfcx": 2e-4, "log_ndtr": 1e-4, "gammaln": 1e-4, "digamma": 1e-4, "i1e": 1e-4, "i0e": 1e-4, "sinc": 1e-4}
DOUBLE = {"digamma": TRIGAMMA, "psi": TRIGAMMA}


@pytest.mark.parametrize("name", RANGES)
def test_values_and_gradients(name: str) -> None:
    for dtype in ("float64", "float32"):
        x = inside(name, dtype)
        tolerance = (SINGLE if dtype == "float32" else DOUBLE).get(name)
        agree(lambda m, x: function(m, name)(x), x, errors=False, tolerance=tolerance)
        if name in METHODS:
            agree(lambda m, x: (getattr(m, name)(x), getattr(x, name)()), x, errors=False, tolerance=tolerance)


@pytest.mark.parametrize("name", RANGES)
def test_second_derivatives(name: str) -> None:
    # 1e-8: the formulas differ, and near 0 and at large arguments each loses digits by cancellation.
    agree(lambda m, x: twice(m, name, x), inside(name, "float64"), errors=False, tolerance=1e-8)


@pytest.mark.parametrize("name", [*RANGES, *UNDIFFERENTIABLE])
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided"])
def test_layouts_and_sizes(name: str, layout: str) -> None:
    x = np.linspace(0.1, 0.9, 24)
    for shape in ((4, 6), (2, 3, 4), (24,), (24, 1)):
        agree(lambda m, x: function(m, name)(x), laid_out(x.reshape(shape), layout), needs=(False,), errors=False)
    for shape in ((0,), (0, 3), ()):
        need = (name in RANGES,)
        agree(lambda m, x: function(m, name)(x), np.full(shape, 0.4), needs=need, errors=False, tolerance=TRIGAMMA)
    # More than one block.
    large = np.random.default_rng(0).uniform(0.1, 0.9, (3, 33_000)).astype(np.float32)
    agree(lambda m, x: function(m, name)(x), laid_out(large, layout), needs=(False,), errors=False)


# float16 has no kernel in PyTorch for these: here it is computed in float32.
NO_HALF = {"bessel_j0", "bessel_j1", "log_ndtr", "ndtri", "erfcx"}


@pytest.mark.parametrize("name", [*RANGES, *UNDIFFERENTIABLE])
def test_dtypes(name: str) -> None:
    for dtype in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16"):
        x = np.array([1, 1, 0]).astype(dtype)
        if dtype == "float16" and name in NO_HALF:
            with np.errstate(divide="ignore"):
                assert function(ad, name)(ad.from_numpy(x)).dtype == ad.float16
        elif not (dtype == "bool" and name in ("i0e",)):
            agree(lambda m, x: function(m, name)(x), x, needs=(False,))


SPECIAL_VALUES = [0.0, -0.0, -1.0, 1.0, 0.5, INF, -INF, NAN, 2.0, -2.0, 1e-20, -1e-20, 30.0, -30.0]
# Where PyTorch's values (first) or gradients (second) are of no use: i0 and i1 of infinities are NaN there, and the
# limits here; i1 and i1e have the slope 0.5 at NaN; trigamma is finite at its poles; the slope of log_ndtr at -inf
# is NaN; the slope of logit at -0 has another sign in its loop of eight numbers at once than in its loop of one.
EXCEPT: dict[str, tuple[set[float], set[float]]] = {
    "i0": ({INF, -INF}, set()),
    "i1": ({INF, -INF}, {NAN}),
    "i1e": (set(), {NAN}),
    "digamma": (set(), {-1.0, -2.0, -30.0, -INF}),
    "psi": (set(), {-1.0, -2.0, -30.0, -INF}),
    "log_ndtr": (set(), {-INF}),
    "logit": (set(), {0.0}),
}


def without(values: list[float], excluded: set[float]) -> Array:
    return np.array([v for v in values if not any(v == e or (v != v and e != e) for e in excluded)])


@pytest.mark.parametrize("name", [*RANGES, *UNDIFFERENTIABLE])
def test_poles_and_edges(name: str) -> None:
    values, gradients = EXCEPT.get(name, (set(), set()))
    agree(lambda m, x: function(m, name)(x), without(SPECIAL_VALUES, values), needs=(False,), errors=False)
    if name in RANGES:
        x = without(SPECIAL_VALUES, values | gradients)
        agree(lambda m, x: function(m, name)(x), x, errors=False, tolerance=DOUBLE.get(name))


@given(n=st.integers(0, 4), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_polygamma(n: int, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(0.2, 20, 20)
    tolerance = 3 * TRIGAMMA if n < 2 else None
    agree(
        lambda m, x: (m.polygamma(n, x), x.polygamma(n), m.special.polygamma(n, x)),
        x,
        errors=False,
        tolerance=tolerance,
    )
    # SciPy and PyTorch sum the series of large derivatives in float32 in another order.
    agree(lambda m, x: m.polygamma(n, x), x.astype(np.float32), tolerance=2e-4, errors=False)


def test_polygamma_of_integers_and_of_negative_order() -> None:
    for dtype in ("bool", "int64", "int8"):
        agree(lambda m, x: (m.polygamma(1, x), m.polygamma(0, x)), np.array([1, 1]).astype(dtype), errors=False)
    agree(lambda m, x: m.polygamma(-1, x), np.ones(2))


@pytest.mark.parametrize("p", [0, -1, 1, 2, 3, 7])
def test_mvlgamma(p: int) -> None:
    x = np.random.default_rng(p + 1).uniform(3.1, 9, (3, 2))
    agree(lambda m, x: (m.mvlgamma(x, p), x.mvlgamma(p), m.special.multigammaln(x, p)), x)
    agree(lambda m, x: m.mvlgamma(x, p), x.astype(np.float32))
    agree(lambda m, x: m.mvlgamma(x, p), np.array([4, 5]))


@pytest.mark.parametrize("eps", [None, -1.0, 0.0, 1e-6, 0.1, 0.5, 0.6])
def test_logit_within_limits(eps: float | None) -> None:
    x = np.array([0.0, 0.1, 0.3, 0.5, 0.9, 1.0, -1.0, 2.0])
    if eps == 0.0:
        x = x[1:5]
    agree(lambda m, x: (m.logit(x, eps), m.logit(x, eps=eps), x.logit(eps), m.special.logit(x, eps)), x, errors=False)


PAIRS = ["zeta", "gammainc", "gammaincc", "xlog1py", "xlogy"]


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_two_tensors(name: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1.2, 9, (3, 1, 4)), rng.uniform(0.1, 9, (5, 4))
    first = name.startswith("xlog")
    for dtype, tolerance in (("float64", None), ("float32", 1e-4)):
        inputs = a.astype(dtype), b.astype(dtype)
        agree(lambda m, a, b: function(m, name)(a, b), *inputs, needs=(first, True), tolerance=tolerance, errors=False)
        if name not in ("gammainc", "gammaincc"):
            agree(lambda m, a, b: function(m, name)(2.5, b), *inputs, needs=(False, True), tolerance=tolerance)
            agree(lambda m, a, b: function(m, name)(a, 2.5), *inputs, needs=(first, False), tolerance=tolerance)
    agree(lambda m, a, b: function(m, name)(a, b), np.zeros((0, 1)), np.zeros(3), needs=(False, True))
    if name not in ("gammainc", "gammaincc"):  # refused of integers by PyTorch only
        agree(lambda m, a, b: function(m, name)(a, b), np.array([2, 3]), np.array([1, 2]))
        agree(lambda m, a, b: function(m, name)(a, b), np.array([2, 3]), np.array([1.5, 2]))


@pytest.mark.parametrize("name", ["zeta", "gammainc", "gammaincc"])
def test_no_gradient_in_the_first_input(name: str) -> None:
    agree(lambda m, a, b: function(m, name)(a, b), np.full(2, 2.5), np.ones(2))
    a = ad.tensor([2.5], requires_grad=True)
    with pytest.raises(RuntimeError, match="first input has no derivative"):
        function(ad, name)(a, ad.tensor([1.0])).backward()


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_special_values(name: str) -> None:
    values = [0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, INF, NAN] if "xlog" in name else [1.0, 0.5, 2.0, 3.0, 10.0, NAN]
    a, b = (side.ravel() for side in np.meshgrid(values, values))
    agree(lambda m, a, b: function(m, name)(a, b), a, b, needs=("xlog" in name, True), errors=False)


def test_functions_that_stand_under_their_own_names_too() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3))
    agree(
        lambda m, x: (
            m.special.softmax(x, 1),
            m.special.log_softmax(x, 0),
            m.special.logsumexp(x, 1),
            m.special.round(x),
            m.special.round(x, decimals=1),
        ),
        x,
        errors=False,
    )


def test_every_name_is_one_of_pytorch() -> None:
    assert [name for name in ad.special.__all__ if not hasattr(torch.special, name)] == []
