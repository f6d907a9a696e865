"""Every function of the op table beside PyTorch's: values, dtypes, shapes, gradients at kinks and ties, errors."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import methods
from tests.parity.beside_torch import DTYPES, Array, agree, laid_out

INF = math.inf
EXAMPLES = max(60, settings().max_examples // 4)
# Signed zeros, halves and infinities: where functions have kinks, ties, poles and limits.
KINKS = [-INF, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, INF]
reals = st.one_of(st.sampled_from(KINKS[1:-1]), st.floats(-4, 4, width=16))
any_reals = st.one_of(st.sampled_from(KINKS), st.floats(-4, 4, width=16))
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
floats = st.sampled_from(["float32", "float64"])


def arrays(dtype: str, shape: Any = shapes, elements: st.SearchStrategy[float] = reals) -> st.SearchStrategy[Array]:
    kind = np.dtype(dtype).kind
    values = elements if kind == "f" else st.booleans() if kind == "b" else st.integers(0 if kind == "u" else -3, 4)
    layouts = st.sampled_from(["contiguous", "transposed", "strided"])
    return st.builds(laid_out, hnp.arrays(dtype, shape, elements=values), layouts)


WHOLE = DTYPES[:6]

UNARY = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "clone",
    "cos",
    "cosh",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log10",
    "log1p",
    "log2",
    "logical_not",
    "neg",
    "positive",
    "reciprocal",
    "relu",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
]
# Beyond its domain acosh's derivative is a number there and NaN here (a row of docs/differences.md).
FROM = {"acosh": 1.0}
# PyTorch refuses these of bools, where there is nothing to be wrong about (a row of docs/differences.md).
OF_BOOLS = {"abs", "ceil", "floor", "relu", "round", "trunc", "sign", "square", "positive"}


@pytest.mark.parametrize("name", UNARY)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_functions_of_one_tensor(name: str, data: st.DataObject) -> None:
    x = data.draw(floats.flatmap(lambda dtype: arrays(dtype, elements=any_reals)))
    if name in FROM:
        x = np.asarray(np.maximum(x, np.asarray(FROM[name], x.dtype)))
    agree(lambda m, x: getattr(m, name)(x), x, errors=False)
    agree(lambda m, x: getattr(x, name)(), x, errors=False)


@pytest.mark.parametrize("dtype", [*WHOLE, "float16"])
@pytest.mark.parametrize("name", [*UNARY, "bitwise_not"])
def test_functions_of_one_tensor_of_integers_bools_and_halves(name: str, dtype: str) -> None:
    if dtype == "bool" and name in OF_BOOLS:
        return
    for x in (np.array([0, 1, 2, 3]), np.array(1), np.zeros((0, 2))):
        # 3e-3: PyTorch computes float16 in float32, NumPy rounds in between.
        agree(lambda m, x: getattr(m, name)(x), x.astype(dtype))


BINARY = [
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "maximum",
    "minimum",
    "fmod",
    "atan2",
    "logaddexp",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "logical_and",
    "logical_or",
    "logical_xor",
]
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


@st.composite
def pairs(draw: st.DrawFn, elements: st.SearchStrategy[float] = reals) -> tuple[Array, Array]:
    shape_a, shape_b = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3)
    ).input_shapes
    dtype = draw(floats)
    return draw(arrays(dtype, shape_a, elements)), draw(arrays(dtype, shape_b, elements))


@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=EXAMPLES)
@given(inputs=pairs(), data=st.data())
def test_functions_of_two_tensors(name: str, inputs: tuple[Array, Array], data: st.DataObject) -> None:
    """Ties are frequent among these values: both gradients at a = b, and powers of and to 0."""
    needs = data.draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    agree(lambda m, a, b: getattr(m, name)(a, b), *inputs, needs=needs, errors=False)


def test_functions_of_two_tensors_at_all_pairs_of_special_values() -> None:
    a, b = (side.ravel() for side in np.meshgrid(KINKS, KINKS))
    for name in BINARY:
        agree(lambda m, a, b, name=name: getattr(m, name)(a, b), a, b, errors=False)


@given(inputs=pairs())
def test_remainders_and_rounded_quotients(inputs: tuple[Array, Array]) -> None:
    a, b = inputs
    agree(lambda m, a, b: (a % b, m.remainder(a, b), m.fmod(a, b)), a, b, errors=False)
    agree(lambda m, a, b: (a // b, m.floor_divide(a, b)), a, b, needs=(False, False), errors=False)
    for mode in ("floor", "trunc", None):
        agree(lambda m, a, b, mode=mode: m.div(a, b, rounding_mode=mode), a, b, errors=False)


@pytest.mark.parametrize("symbol", [s for s in OPERATORS if s not in "&|^"])
@pytest.mark.parametrize("number", [0, 1, -1, 2, 3, 0.5, -0.5, 0.0, 2.0, True, INF])
def test_operators_with_numbers_on_either_side(symbol: str, number: float) -> None:
    if symbol == "-" and number is True:
        return  # refused by PyTorch only, a row of docs/differences.md
    operate = OPERATORS[symbol]
    # PyTorch takes x ** -0.5 as 1 / sqrt(x), which differs from IEEE's power at -0 and -infinity.
    x = np.array([v for v in KINKS if not (symbol == "**" and (v == -INF or str(v) == "-0.0"))])
    needs = (symbol != "//",)
    agree(lambda m, x: operate(x, number), x, needs=needs, errors=False)
    if symbol == "%":
        needs = (False,)
    if not (symbol == "**" and number is True):
        agree(lambda m, x: operate(number, x), x, needs=needs, errors=False)


def refusals_of_pytorch(symbol: str, a: str, b: str) -> bool:
    """PyTorch has no arithmetic of bools: what is well defined works here (a row of docs/differences.md)."""
    if symbol == "-":
        return "bool" in (a, b)
    return {a, b} == {"bool"} and symbol in ("**", "//", "%")


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("a", DTYPES)
def test_dtypes_of_operators_over_all_pairs(symbol: str, a: str) -> None:
    """Tensors with and without dimensions of every dtype with each other, and with Python numbers on either side."""
    operate = OPERATORS[symbol]
    for left in (np.array([1, 2], a), np.array(3, a)):
        for b in DTYPES:
            if refusals_of_pytorch(symbol, a, b):
                continue
            for right in (np.array([2, 1], b), np.array(2, b)):
                agree(lambda m, x, y: operate(x, y), left, right, needs=(False, False))
        for number in (2, 2.0, True):
            if refusals_of_pytorch(symbol, a, type(number).__name__):
                continue
            agree(lambda m, x, number=number: operate(x, number), left, needs=(False,))
            agree(lambda m, x, number=number: operate(number, x), left, needs=(False,))


@pytest.mark.parametrize("name", ["bitwise_and", "bitwise_or", "bitwise_xor"])
@pytest.mark.parametrize("a", DTYPES)
def test_bitwise_functions(name: str, a: str) -> None:
    for b in DTYPES:
        agree(lambda m, x, y: getattr(m, name)(x, y), np.array([6, 3, 0]).astype(a), np.array([3, 1, 1]).astype(b))


REDUCTIONS = ["sum", "mean", "var", "std", "amax", "amin", "max", "min", "argmax", "argmin", "any", "all"]


@pytest.mark.parametrize("name", REDUCTIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_reductions(name: str, data: st.DataObject) -> None:
    """Over few distinct values, so that ties share gradients and rows of equal numbers have no spread."""
    x = data.draw(floats.flatmap(lambda dtype: arrays(dtype, elements=st.sampled_from([-1.0, 0.0, 1.0, 2.0]))))
    agree(lambda m, x: getattr(m, name)(x), x)
    dim = data.draw(st.integers(-4, 3))
    keepdim = data.draw(st.booleans())
    agree(lambda m, x: tuple(flat(getattr(m, name)(x, dim, keepdim=keepdim))), x)
    if name in ("sum", "mean", "var", "std", "amax", "amin"):
        dims = tuple(data.draw(st.lists(st.integers(-3, 2), min_size=1, max_size=3)))
        agree(lambda m, x: getattr(x, name)(dims, keepdim=keepdim), x)


def flat(result: Any) -> Any:
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*REDUCTIONS, "cumsum"])
def test_dtypes_of_reductions(name: str, dtype: str) -> None:
    if dtype == "bool" and name in ("argmax", "argmin"):
        return  # refused by PyTorch only, a row of docs/differences.md
    if dtype == "uint8" and name in ("any", "all"):
        return  # uint8 there, bool here, a row of docs/differences.md
    x = np.array([[0, 1], [1, 1]]).astype(dtype)
    agree(lambda m, x: getattr(m, name)(x, 0), x)
    if name != "cumsum":
        agree(lambda m, x: getattr(m, name)(x), x)
    if name in ("sum", "mean", "cumsum"):
        for wanted in DTYPES[1:]:
            # No gradient: PyTorch refuses the one of a conversion to uint8, others it leaves out, as here.
            agree(lambda m, x, wanted=wanted: getattr(m, name)(x, 0, dtype=getattr(m, wanted)), x, needs=(False,))


@pytest.mark.parametrize("name", ["var", "std"])
@given(data=st.data())
def test_spreads_with_corrections(name: str, data: st.DataObject) -> None:
    x = data.draw(arrays("float64", hnp.array_shapes(min_dims=1, max_dims=3, max_side=3)))
    correction = data.draw(st.sampled_from([0, 1, 2, 0.5]))
    dim = data.draw(st.integers(0, x.ndim - 1))
    agree(lambda m, x: getattr(m, name)(x, dim, correction=correction), x, errors=False)
    agree(lambda m, x: (getattr(m, name)(x, unbiased=False), getattr(x, name)(dim, True, True)), x, errors=False)


def test_long_sums_in_low_precision() -> None:
    """PyTorch accumulates in more digits than it returns: a running sum of halves would stop at 2048."""
    ones, tenths = np.ones(5000, np.float16), np.full(100_000, 0.1, np.float32)
    agree(lambda m, x: (x.cumsum(0), x.sum(), x.mean(), (x * 100).var(), (x * 100).std(0)), ones, needs=(False,))
    agree(lambda m, x: (x.cumsum(0), x.sum(), x.mean(), x.var()), tenths, needs=(False,))


def test_rounded_division_of_large_integers_is_exact() -> None:
    x = np.array([2**24 + 1, -(2**24) - 1, 2**53 + 1])
    for divisor, mode in product([1, 3, -2], ["floor", "trunc"]):
        agree(lambda m, x, divisor=divisor, mode=mode: m.div(x, divisor, rounding_mode=mode), x)
    agree(lambda m, x: m.div(x, 0, rounding_mode="trunc"), x)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "cumsum"])
@given(data=st.data())
def test_functions_along_an_axis(name: str, data: st.DataObject) -> None:
    elements = st.one_of(reals, st.sampled_from([-1000.0, 1000.0, -INF])) if name != "cumsum" else reals
    x = data.draw(floats.flatmap(lambda dtype: arrays(dtype, elements=elements)))
    dim = data.draw(st.integers(-4, 3))
    agree(lambda m, x: getattr(m, name)(x, dim), x)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_of_every_dtype(name: str, dtype: str) -> None:
    x = np.array([0, 1]).astype(dtype)
    agree(lambda m, x: getattr(m, name)(x, 0), x)
    # The gradient passes through float32.
    agree(lambda m, x: getattr(m, name)(x, 0, dtype=m.float32), x, tolerance=2e-5 if dtype != "float16" else 4e-3)


@given(data=st.data())
def test_selection(data: st.DataObject) -> None:
    drawn = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3))
    condition = data.draw(hnp.arrays(bool, drawn.input_shapes[0]))
    a, b = (data.draw(arrays("float64", shape)) for shape in drawn.input_shapes[1:])
    agree(lambda m, c, a, b: m.where(c, a, b), condition, a, b, errors=False)
    agree(lambda m, c, a: (m.where(c, a, 1.5), m.where(c, 2, a), m.where(c)), condition, a, errors=False)
    agree(lambda m, c, a: a.masked_fill(c, 3.0), condition, a)
    agree(lambda m, a, c: (m.nonzero(a), m.nonzero(c, as_tuple=True)), a, condition, errors=False)


LIMITS = [None, -1, 0, 1, -0.5, 1.5, 2.0, True]


@pytest.mark.parametrize(("low", "high"), list(product(LIMITS, LIMITS)))
def test_clamp(low: Any, high: Any) -> None:
    """At a limit the gradient passes; where the limits cross, the upper one wins."""
    agree(lambda m, x: (m.clamp(x, low, high), x.clip(min=low, max=high)), np.array(KINKS))
    for dtype in ("int64", "int8", "bool", "float16", "float32"):
        if dtype == "bool" and {low, high} <= {None, True}:
            continue  # refused by PyTorch only, a row of docs/differences.md
        agree(lambda m, x: m.clamp(x, low, high), np.array([0, 1, 3]).astype(dtype))


@given(inputs=pairs(), other=st.sampled_from([-1, 1]))
def test_clamp_with_tensors(inputs: tuple[Array, Array], other: int) -> None:
    agree(lambda m, x, low: (m.clamp(x, low, None), m.clamp(x, max=low), m.clamp(x, low, low + other)), *inputs)


@pytest.mark.parametrize(("a", "b"), list(product(DTYPES, DTYPES)))
def test_dtypes_of_conversion_selection_and_products(a: str, b: str) -> None:
    x, y = np.array([0, 1, 2]).astype(a), np.array([2, 1, 0]).astype(b)
    for call in (
        lambda m, x, y: x.to(y.dtype),
        lambda m, x, y: x.type_as(y),
        lambda m, x, y: m.where(x > 0, x, y),
        lambda m, x, y: m.where(x > 0, x, y.sum()),
        lambda m, x, y: m.outer(x, y),
        lambda m, x, y: m.promote_types(x.dtype, y.dtype) == (x * y).dtype,
        lambda m, x, y: m.can_cast(x.dtype, y.dtype),
        lambda m, x, y: x.masked_fill(x > 0, y[0]),
    ):
        agree(call, x, y, needs=(False, False))
    if "bool" not in (a, b):
        agree(lambda m, x, y: (x @ y, m.einsum("i,i->", x, y)), x, y, needs=(False, False))


COMPARED = [
    ([1.0, 2.0], [1.0, 2.0]),
    ([1.0], [1.0 + 1e-7]),
    ([INF], [INF]),
    ([math.nan], [math.nan]),
    ([1.0], [1.0, 1.0]),
    ([1.0], [2.0]),
]


@pytest.mark.parametrize(("a", "b"), COMPARED)
def test_equality(a: list[float], b: list[float]) -> None:
    x, y = np.array(a), np.array(b)
    agree(lambda m, x, y: (m.equal(x, y), m.allclose(x, y), m.allclose(x, y, equal_nan=True)), x, y, errors=False)
    agree(lambda m, x, y: m.allclose(x, y, rtol=0, atol=0.5), x, y, errors=False)


def test_max_and_min_take_the_first_of_equals_and_nan_wins() -> None:
    x = np.array([[1.0, 1.0, 0.0], [math.nan, 1.0, math.nan], [2.0, 2.0, 2.0]])
    for dim in (0, 1, -1):
        agree(
            lambda m, x, dim=dim: (*m.max(x, dim), *m.min(x, dim), m.argmax(x, dim), m.argmin(x, dim)), x, errors=False
        )
    agree(lambda m, x: (m.max(x), m.min(x), m.argmax(x), m.argmin(x, keepdim=True)), x, errors=False)
    agree(lambda m, x: (m.max(x, x.flip(0)), m.min(x, x.flip(1))), x, errors=False)
    result, theirs = ad.max(ad.tensor(x), 1), torch.max(torch.tensor(x), 1)
    assert result._fields == ("values", "indices")
    assert result.indices.tolist() == theirs.indices.tolist()


COMPOSITIONS: dict[str, Callable[..., Any]] = {
    "network": lambda m, x, w: m.relu(x @ w).log_softmax(1).exp().tanh(),
    "normalised": lambda m, x, w: (x - x.mean(0)) / (x.std(0) + 0.1) @ w,
    "quotients": lambda m, x, w: (x * x + 1) ** 1.5 / (1 + (x @ w).sum(1, keepdim=True).sigmoid()),
    "powers": lambda m, x, w: (x.abs() + 0.5) ** (w.T.exp().sum(0) / 4),
    "indices": lambda m, x, w: x[[0, 1, 1]].cumsum(1)[:, ::2] * w[:2, 0],
    "selection": lambda m, x, w: m.where(x > 0, x.sin(), x.exp()).clamp(-0.5, 0.9) * m.maximum(x, x.flip(0)),
    "joined": lambda m, x, w: m.cat([x, w.T, x * x]).logsumexp(1).unsqueeze(1) * m.stack([x, x.cos()], 2)[0, :, 0],
    "extremes": lambda m, x, w: x.amax(1) * (w**2).amin() + m.max(x * x, 1)[0] * x.var(1, correction=0),
    "contraction": lambda m, x, w: m.einsum("ij,jk,lk->il", x, w, x @ w),
    "shapes": lambda m, x, w: (
        x.T.reshape(-1).view(x.shape[1], -1).expand(2, -1, -1).permute(2, 0, 1).flip(0).sqrt().sum(1)
        if bool((x > 0).all())
        else x.unsqueeze(0).expand(2, *x.shape).tril() ** 3
    ),
    "logarithms": lambda m, x, w: (
        m.log1p(x * x) + m.logaddexp(x, x * 2) + m.atan2(x, 1 + w.sum() ** 2) + m.expm1(x).log1p()
    ),
}


def twice(m: Any, composition: Callable[..., Any], x: Any, w: Any) -> Any:
    """The gradient of a gradient's weighted sum, for both inputs."""
    grad = torch.autograd.grad if m is torch else ad.grad
    y = composition(m, x, w)
    first = grad((y * y).sum(), [x, w], create_graph=True, allow_unused=True)
    slope = sum((g * (i + 1)).sin().sum() for i, g in enumerate(first) if g is not None)
    return [g for g in grad(slope, [x, w], allow_unused=True) if g is not None]


@pytest.mark.parametrize("name", COMPOSITIONS)
@pytest.mark.parametrize("seed", range(5))
def test_compositions_at_first_and_second_order(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((2, 3)), rng.standard_normal((3, 3))
    if seed == 4:
        x = np.abs(x) + 0.1
    composition = COMPOSITIONS[name]
    agree(composition, x, w, errors=False)
    # Second derivatives of powers and quotients amplify rounding by their size, here up to some 1e3.
    agree(lambda m, x, w: twice(m, composition, x, w), x, w, tolerance=1e-9, errors=False)


# Public names that PyTorch lacks or that are compared in another file.
OTHERWISE = {
    "Tensor",
    "Generator",
    "GradcheckError",
    "compare_gradients",
    "gradcheck",
    "gradgradcheck",
    "backward",
    "grad",
    "no_grad",
    "enable_grad",
    "set_grad_enabled",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "set_printoptions",
    "methods",
    "finfo",
    "iinfo",
    "manual_seed",
    "seed",
    "initial_seed",
    "get_rng_state",
    "set_rng_state",
    "rand",
    "randn",
    "rand_like",
    "randn_like",
    "randint",
    "randperm",
    "bernoulli",
}


def test_every_public_function_is_compared_with_pytorch() -> None:
    """Its name stands in this file or in test_engine.py, in the middle of a call or in a table."""
    text = " ".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    words = set(re.findall(r"\w+", text))
    functions = {name for name in dir(ad) if callable(getattr(ad, name)) and not inspect.ismodule(getattr(ad, name))}
    functions -= {name for name in functions if name.startswith("_") or name in OTHERWISE}
    in_pytorch = {name for name in functions if hasattr(torch, name)}
    assert sorted(in_pytorch - words) == [], sorted(in_pytorch - words)
    names = {name for family in methods.METHODS.values() for name in family.split()}
    assert sorted(name for name in names if hasattr(torch.Tensor, name) and name not in words) == []
