"""Arithmetic, rounding, powers, limits and interpolation beside PyTorch's, as functions and as methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.beside_torch import DTYPES, Array, agree, laid_out

INF, NAN = math.inf, math.nan
SPECIAL = [-INF, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.5, 3.0, INF]
EXAMPLES = max(40, settings().max_examples // 5)
finite = st.one_of(st.sampled_from(SPECIAL[1:-1]), st.floats(-4, 4, width=16))
any_reals = st.one_of(st.sampled_from(SPECIAL), st.floats(-4, 4, width=16))
floats = st.sampled_from(["float32", "float64"])
layouts = st.sampled_from(["contiguous", "transposed", "strided"])


def arrays(dtype: str, shape: Any, elements: st.SearchStrategy[float]) -> st.SearchStrategy[Array]:
    return st.builds(laid_out, hnp.arrays(dtype, shape, elements=elements), layouts)


@st.composite
def several(draw: st.DrawFn, count: int, elements: st.SearchStrategy[float] = finite) -> list[Array]:
    """Arrays of one floating-point dtype and of shapes that broadcast, empty ones and scalars among them."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, min_side=0, max_side=3)).input_shapes
    dtype = draw(floats)
    return [draw(arrays(dtype, shape, elements)) for shape in shapes]


def both(m: Any, name: str, x: Any, *args: Any, **named: Any) -> tuple[Any, Any]:
    """The function and the method."""
    return getattr(m, name)(x, *args, **named), getattr(x, name)(*args, **named)


# Values.

ONE = {
    "absolute": any_reals, "negative": any_reals, "signbit": any_reals, "deg2rad": any_reals,
    "rad2deg": any_reals, "fix": any_reals, "frac": any_reals, "nan_to_num": st.one_of(any_reals, st.just(NAN)),
    "arccos": finite, "arcsin": finite, "arctan": any_reals, "arcsinh": any_reals, "arctanh": finite,
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_functions_of_one_tensor(name: str, data: st.DataObject) -> None:
    (x,) = data.draw(several(1, ONE[name]))
    agree(lambda m, x: both(m, name, x), x, errors=False)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bool"])
def test_sgn(dtype: str) -> None:
    """Values only: PyTorch's gradient is a tensor without memory, which NumPy cannot read."""
    x = np.array([0, 1, 2]).astype(dtype)
    agree(lambda m, x: both(m, "sgn", x), x if dtype == "uint8" else -x, needs=(False,), errors=False)


def test_arccosh() -> None:
    agree(lambda m, x: both(m, "arccosh", x), np.array([1.0, 2.0, 3.0, INF]), errors=False)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bool"])
@pytest.mark.parametrize("name", ["absolute", "negative", "signbit", "deg2rad", "rad2deg", "fix", "nan_to_num"])
def test_functions_of_one_tensor_of_every_dtype(name: str, dtype: str) -> None:
    for x in (np.array([0, 1, 2, 3]), np.array(1), np.zeros((0, 2))):
        agree(lambda m, x: both(m, name, x), x.astype(dtype), errors=False)


TWO = ["copysign", "hypot", "fmax", "fmin", "logaddexp2", "xlogy", "arctan2", "float_power", "divide", "true_divide",
       "multiply", "subtract", "clamp_min", "clamp_max", "ldexp"]  # fmt: skip


@pytest.mark.parametrize("name", TWO)
@settings(max_examples=EXAMPLES)
@given(inputs=several(2), data=st.data())
def test_functions_of_two_tensors(name: str, inputs: list[Array], data: st.DataObject) -> None:
    needs = data.draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    agree(lambda m, a, b: both(m, name, a, b), *inputs, needs=needs, errors=False)


# Where a derivative is inf · 0 or inf - inf, PyTorch's formula and the one here may differ in NaN; the values agree.
VALUES_ONLY = {"copysign", "hypot", "float_power", "logaddexp2", "ldexp", "xlogy"}


@pytest.mark.parametrize("name", [*TWO, "maximum", "minimum", "logaddexp"])
def test_functions_of_two_tensors_at_all_pairs_of_special_values(name: str) -> None:
    specials = [*SPECIAL, NAN] if name not in ("clamp_min", "clamp_max") else SPECIAL
    a, b = (side.ravel() for side in np.meshgrid(specials, specials))
    needs = (name not in VALUES_ONLY,) * 2
    agree(lambda m, a, b: both(m, name, a, b), a, b, needs=needs, errors=False)
    # So many that the forms for large arrays are taken.
    a, b = np.tile(a, 80).astype("f"), np.tile(b, 80).astype("f")
    agree(lambda m, a, b: both(m, name, a, b), a, b, needs=needs, errors=False)


@pytest.mark.parametrize("name", ["hypot", "logaddexp", "logaddexp2", "xlogy", "maximum", "fmin", "copysign", "ldexp"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_arrays(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.1, 5, 10_000).astype(dtype) for _ in range(2))
    agree(lambda m, a, b: getattr(m, name)(a, b), a, b, errors=False)
    # Sums of a hundred terms, some of which cancel.
    wide = 1e-3 if dtype == "float32" else 1e-10
    agree(lambda m, a, b: getattr(m, name)(a, b), a.reshape(100, 100), b[:100], tolerance=wide, errors=False)


@pytest.mark.parametrize("name", ["fmod", "remainder", "floor_divide"])
def test_quotients_of_large_arrays(name: str) -> None:
    """Whole quotients of any size, and quotients that are whole but for the last bit."""
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e3, 1e7, 1e12):
        a, b = (scale * rng.uniform(-5, 5, 20_000)).astype("f"), rng.uniform(-5, 5, 20_000).astype("f")
        agree(lambda m, a, b: both(m, name, a, b), a, b, needs=(False, False), tolerance=0, errors=False)
    whole = rng.integers(-50, 50, 20_000).astype("f")
    near = np.nextafter((whole * b).astype("f"), np.float32(9e9) * rng.choice([-1, 1], b.shape).astype("f"))
    for numerator in (near, (whole * b).astype("f"), np.resize(np.array([*SPECIAL, NAN], "f"), b.shape)):
        agree(lambda m, a, b: both(m, name, a, b), numerator, b, needs=(False, False), tolerance=0, errors=False)
        if numerator is not near:  # by subnormal numbers PyTorch's large arrays give NaN
            agree(lambda m, a, b: both(m, name, b, a), numerator, b, needs=(False, False), tolerance=0, errors=False)
    agree(lambda m, a: getattr(m, name)(a, 0.7), a, needs=(False,), tolerance=0)
    if name != "fmod":
        agree(lambda m, a: getattr(m, name)(5.3, a), a, needs=(False,), tolerance=0)
    agree(lambda m, a, b: getattr(m, name)(a, b), a.reshape(100, 200).T, b[:100], needs=(False, False), tolerance=0)


PROMOTED = ["fmax", "fmin", "xlogy", "copysign", "float_power", "divide", "multiply", "ldexp", "arctan2", "clamp_min",
            "clamp_max"]  # fmt: skip


@pytest.mark.parametrize("name", PROMOTED)
@pytest.mark.parametrize("a", DTYPES)
def test_dtypes_over_all_pairs(name: str, a: str) -> None:
    for b in DTYPES:
        if name == "ldexp" and b == "bool":
            continue  # not implemented by PyTorch
        for x, y in (
            (np.array([1, 3]), np.array([2, 1])),
            (np.array(3), np.array([1, 2])),
            (np.array([1]), np.array(2)),
        ):
            agree(lambda m, x, y: both(m, name, x, y), x.astype(a), y.astype(b), needs=(False, False), errors=False)


@pytest.mark.parametrize("name", ["xlogy", "copysign", "float_power", "divide", "true_divide", "multiply", "clamp_max"])
@pytest.mark.parametrize("number", [0, 2, -1, 0.5, -0.0, 2.0, INF])
def test_numbers_beside_tensors(name: str, number: float) -> None:
    x = np.array([-2.0, -0.5, 0.5, 1.0, 3.0])
    needs = (not (name == "xlogy" and number in (0, -1)),)
    agree(lambda m, x: both(m, name, x, number), x, errors=False)
    if name in ("xlogy", "float_power"):
        agree(lambda m, x: getattr(m, name)(number, x), x, needs=needs, errors=False)
    for dtype in DTYPES[1:]:
        if not (name == "clamp_max" and number == -1 and dtype == "uint8"):
            agree(lambda m, x: both(m, name, x, number), np.array([1, 2]).astype(dtype), errors=False)


# Multiples and their dtypes.

ALPHAS = [1, 2, -1, 0.5, 0, 2.0, True, False]


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("name", ["add", "sub", "subtract", "rsub"])
def test_alpha(name: str, alpha: Any) -> None:
    for a, b in product(DTYPES, DTYPES):
        if alpha is True or (name != "add" and "bool" in (a, b)):
            continue  # True is 1 here, and differences of bools are a row of docs/differences.md
        x, y = np.array([1, 2]).astype(a), np.array([3, 1]).astype(b)
        agree(lambda m, x, y: getattr(m, name)(x, y, alpha=alpha), x, y, needs=(False, False))
    x, y = np.array([1.0, 2.0]), np.array([[3.0], [1.0]])
    if alpha not in (True, False) or type(alpha) is not bool:
        agree(lambda m, x, y: getattr(m, name)(x, y, alpha=alpha), x, y, errors=False)
        agree(lambda m, x: getattr(m, name)(x, 1.5, alpha=alpha), x, errors=False)
    if name != "rsub":
        agree(lambda m, x, y: x.add(y, alpha=2) - x.sub(y, alpha=3), x, y, errors=False)


@pytest.mark.parametrize("name", ["addcmul", "addcdiv"])
@settings(max_examples=EXAMPLES)
@given(inputs=several(3), value=st.sampled_from([1, 2, -0.5, 0]))
def test_added_products_and_quotients(name: str, inputs: list[Array], value: float) -> None:
    a, b, c = inputs
    if name == "addcdiv":
        c = np.where(c == 0, np.ones((), c.dtype), c)
    agree(lambda m, a, b, c: both(m, name, a, b, c, value=value), a, b, c, errors=False)


@pytest.mark.parametrize("name", ["addcmul", "addcdiv"])
@pytest.mark.parametrize("a", DTYPES[1:])
def test_dtypes_of_added_products_and_quotients(name: str, a: str) -> None:
    for b, c, value in product(DTYPES[1:], DTYPES[1:], (1, 3, 0.5)):
        x, y, z = (np.array([1, 2]).astype(dtype) for dtype in (a, b, c))
        agree(lambda m, x, y, z, value=value: getattr(m, name)(x, y, z, value=value), x, y, z, needs=(False,) * 3)


# Rounding.


@pytest.mark.parametrize("decimals", [0, 1, 3, -1, -2])
def test_round_to_decimals(decimals: int) -> None:
    x = np.array([-INF, -125.0, -2.5, -1.25, -0.5, -0.0, 0.05, 0.15, 0.5, 1.005, 2.675, 15.0, 1234.5678, INF, NAN])
    for dtype in ("float32", "float64"):
        agree(lambda m, x: both(m, "round", x, decimals=decimals), x.astype(dtype), errors=False)
    if decimals:
        agree(lambda m, x: m.round(x, decimals=decimals), np.array([125, 12]))


# Limits.


@given(data=st.data())
def test_clamp_between_tensors(data: st.DataObject) -> None:
    """Of one shape: of several, PyTorch's derivative fails."""
    dtype, shape = data.draw(floats), data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    inputs = [data.draw(arrays(dtype, shape, finite)) for _ in range(3)]
    agree(lambda m, x, low, high: (m.clamp(x, low, high), x.clip(low, high)), *inputs, errors=False)


@pytest.mark.parametrize("name", ["clamp_min", "clamp_max"])
@pytest.mark.parametrize("limit", [0, -1, 0.5, 2.5, -INF, INF])
def test_one_sided_limits(name: str, limit: float) -> None:
    agree(lambda m, x: both(m, name, x, limit), np.array(SPECIAL), errors=False)
    for dtype in DTYPES[1:]:
        if dtype != "uint8" or limit >= 0:
            agree(lambda m, x: both(m, name, x, limit), np.array([0, 1, 3]).astype(dtype), errors=False)


@pytest.mark.parametrize("replaced", [{}, {"nan": 1.5}, {"posinf": 2, "neginf": -3.5}, {"nan": None, "posinf": 7}])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_to_num(replaced: dict[str, Any], dtype: str) -> None:
    x = np.array([NAN, *SPECIAL]).astype(dtype)
    agree(lambda m, x: both(m, "nan_to_num", x, **replaced), x, errors=False)
    agree(lambda m, x: m.nan_to_num(x, 1, 2, 3), np.tile(x, 1000), errors=False)


# Powers.


@pytest.mark.parametrize("exponent", [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 3.0, 5.0, 0.5, 1.5, -1.5, INF])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_by_numbers(exponent: float, dtype: str) -> None:
    """Of negative numbers and signed zeros too; PyTorch's x ** -0.5 is a row of docs/differences.md."""
    x = np.array([*SPECIAL, NAN]).astype(dtype)
    if exponent == 0.5:
        x = x[~np.signbit(x)]  # its derivative is an inverse root
    agree(lambda m, x: (m.pow(x, exponent), x**exponent), x, errors=False)
    agree(lambda m, x: m.float_power(x, exponent), x, errors=False)
    if exponent == int(min(exponent, 99)) and exponent >= 0:
        agree(lambda m, x: x ** int(exponent), np.array([-3, 0, 1, 2, 9]), errors=False)


def test_ldexp_of_large_exponents() -> None:
    for dtype, places in (("float32", [100, -100, 3]), ("float64", [1000, -1000, 3])):
        x, k = np.array([1.5, -2.0, 2.0**-100], dtype), np.array(places)
        # Values only: PyTorch's gradient shifts an integer, which loses the bits beyond 64.
        agree(lambda m, x, k: both(m, "ldexp", x, k), x, k, needs=(False, False), errors=False)
        agree(lambda m, x, k: both(m, "ldexp", x, k), x, np.array([3, 0, 20]), errors=False)


# Interpolation.


@settings(max_examples=EXAMPLES)
@given(inputs=several(3))
def test_lerp(inputs: list[Array]) -> None:
    agree(lambda m, a, b, w: both(m, "lerp", a, b, w), *inputs, errors=False)
    agree(lambda m, a, b: both(m, "lerp", a, b, 0.25), *inputs[:2], errors=False)


@pytest.mark.parametrize("weight", [0, 1, 0.3, 0.5, 0.7, -2, 3.0])
def test_lerp_is_exact_at_its_ends(weight: float) -> None:
    a, b = np.array([0.1, 1e8, -3.0, 2.0], "f"), np.array([0.7, 1.0, 1e-8, 2.0], "f")
    agree(lambda m, a, b: m.lerp(a, b, weight), a, b, tolerance=2e-7, errors=False)
    w = np.full(4, weight, "f")
    agree(lambda m, a, b, w: m.lerp(a, b, w), *(np.tile(x, 2000) for x in (a, b, w)), tolerance=2e-7, errors=False)


@pytest.mark.parametrize(("a", "b", "w"), list(product(["int64", "float32", "float64"], repeat=3)))
def test_dtypes_of_lerp(a: str, b: str, w: str) -> None:
    for shape in ((2,), ()):
        x, y, z = np.ones(2, a), np.ones(2, b), np.ones(shape, w)
        if (a, b, shape) == ("int64", "int64", ()) or (w, shape) == ("int64", ()):
            continue  # integers have no values in between, and a weight without dimensions is converted here
        agree(lambda m, x, y, z: m.lerp(x, y, z), x, y, z, needs=(False,) * 3)


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, INF, -INF, -1])
def test_dist(p: float) -> None:
    rng = np.random.default_rng(0)
    # Of p = 0 PyTorch's derivative fails, as that of a constant.
    needs = (p != 0,) * 2
    for first, second in (((3,), (3,)), ((2, 3), (3,)), ((2, 1), (3,)), ((), ()), ((0,), (0,)), ((2, 3), (4,))):
        x, y = rng.standard_normal(first), rng.standard_normal(second)
        agree(lambda m, x, y: both(m, "dist", x, y, p), x, y, needs=needs)
    agree(lambda m, x, y: m.dist(x, y, p), np.array([1.0, 2.0]), np.array([1.0, 4.0]), needs=needs)
    agree(lambda m, x, y: m.dist(x, y, p), np.array([1, 2]), np.array([1, 4]))
    agree(lambda m, x, y: m.dist(x, y, p), np.ones(2, "f"), np.zeros(2), needs=needs)


def coordinates(m: Any, n: int) -> Any:
    return m.from_numpy(np.cumsum(np.linspace(0.5, 1.5, n)) ** 1.5)


SPACINGS: list[Callable[[Any], dict[str, Any]]] = [
    lambda m: {},
    lambda m: {"spacing": 2},
    lambda m: {"spacing": 0.5, "dim": 0},
    lambda m: {"spacing": [2.0, 3.0], "dim": (1, -2)},
    lambda m: {"spacing": (2.0, 3.0)},
    lambda m: {"spacing": (2.0, 3.0, 1.0)},
    lambda m: {"dim": (0, 0)},
    lambda m: {"dim": 5},
    lambda m: {"dim": (0, -1)},
    lambda m: {"dim": -1},
    lambda m: {"spacing": (coordinates(m, 3), coordinates(m, 4))},
    lambda m: {"spacing": (coordinates(m, 4),), "dim": 1},
    lambda m: {"spacing": [coordinates(m, 4), coordinates(m, 3)], "dim": (1, 0)},
    lambda m: {"edge_order": 3},
]


@pytest.mark.parametrize("named", SPACINGS)
@pytest.mark.parametrize("order", [1, 2])
def test_gradient(named: Callable[[Any], dict[str, Any]], order: int) -> None:
    for shape in ((3, 4), (4,), (2, 2), (1, 3), (), (3, 4, 2)):
        if named(np_like).get("spacing", 0).__class__ in (tuple, list) and shape != (3, 4):
            continue
        x = np.random.default_rng(0).standard_normal(shape)
        agree(lambda m, x: list(m.gradient(x, **{"edge_order": order, **named(m)})), x)
        if shape == (3, 4):
            agree(lambda m, x: list(m.gradient(x, **{"edge_order": order, **named(m)})), laid_out(x, "transposed"))


class np_like:
    """Stands in for a library where only the form of the arguments matters."""

    from_numpy = staticmethod(np.asarray)


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_gradient_of_every_dtype(dtype: str) -> None:
    agree(lambda m, x: m.gradient(x), np.array([1, 2, 4, 9]).astype(dtype))
    agree(lambda m, x, at: m.gradient(x, spacing=(at,)), np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 5.0]))
