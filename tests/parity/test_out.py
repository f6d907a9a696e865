"""``out=`` beside PyTorch: values, what is returned, dtypes that fit or do not, and where gradients would be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
from tests.parity.beside_torch import name, same

A = np.random.default_rng(0).uniform(0.2, 0.8, (3, 3))
ONE = """
abs acos all any asin atan ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 fix floor frac lgamma log
log10 log1p log2 logit nan_to_num neg nonzero reciprocal round rsqrt sgn sigmoid sign sin sinc sinh sqrt square tan
tanh tril triu trunc logical_not isposinf diag inverse
"""
TWO = """
add atan2 copysign div eq floor_divide fmax fmin fmod ge gt heaviside hypot inner kron le logaddexp logical_and lt
matmul maximum minimum mm mul ne pow remainder sub true_divide xlogy
"""
CALLS: dict[str, Callable[..., Any]] = {
    **{function: lambda m, a, b, out, function=function: getattr(m, function)(a, out=out) for function in ONE.split()},
    **{
        function: lambda m, a, b, out, function=function: getattr(m, function)(a, b, out=out)
        for function in TWO.split()
    },
    "add alpha": lambda m, a, b, out: m.add(a, b, alpha=2, out=out),
    "addmm": lambda m, a, b, out: m.addmm(a, a, b, out=out),
    "addcmul": lambda m, a, b, out: m.addcmul(a, a, b, value=2, out=out),
    "bmm": lambda m, a, b, out: m.bmm(a[None], b[None], out=out),
    "cat": lambda m, a, b, out: m.cat([a, b], out=out),
    "stack": lambda m, a, b, out: m.stack([a, b], 1, out=out),
    "vstack": lambda m, a, b, out: m.vstack([a, b], out=out),
    "clamp": lambda m, a, b, out: m.clamp(a, 0.3, 0.6, out=out),
    "cumsum": lambda m, a, b, out: m.cumsum(a, 0, out=out),
    "gather": lambda m, a, b, out: m.gather(a, 0, m.tensor([[0, 1, 2]]), out=out),
    "index_select": lambda m, a, b, out: m.index_select(a, 0, m.tensor([2]), out=out),
    "lerp": lambda m, a, b, out: m.lerp(a, b, 0.5, out=out),
    "logsumexp": lambda m, a, b, out: m.logsumexp(a, 1, out=out),
    "masked_select": lambda m, a, b, out: m.masked_select(a, a > 0.5, out=out),
    "amax": lambda m, a, b, out: m.amax(a, 1, out=out),
    "argmax": lambda m, a, b, out: m.argmax(a, 1, out=out),
    "mean": lambda m, a, b, out: m.mean(a, 1, out=out),
    "dot": lambda m, a, b, out: m.dot(a[0], b[0], out=out),
    "outer": lambda m, a, b, out: m.outer(a[0], b[0], out=out),
    "bitwise_not": lambda m, a, b, out: m.bitwise_not(a.long(), out=out),
    "mv": lambda m, a, b, out: m.mv(a, b[0], out=out),
    "norm": lambda m, a, b, out: m.norm(a, 2, 1, out=out),
    "prod": lambda m, a, b, out: m.prod(a, 1, out=out),
    "renorm": lambda m, a, b, out: m.renorm(a, 2, 0, 0.5, out=out),
    "std": lambda m, a, b, out: m.std(a, 1, out=out),
    "sum": lambda m, a, b, out: m.sum(a, 1, out=out),
    "where": lambda m, a, b, out: m.where(a > 0.5, a, b, out=out),
    "linalg.inv": lambda m, a, b, out: m.linalg.inv(a, out=out),
    "linalg.norm": lambda m, a, b, out: m.linalg.norm(a, out=out),
    "linalg.solve": lambda m, a, b, out: m.linalg.solve(a, b, out=out),
    "special.expit": lambda m, a, b, out: m.special.expit(a, out=out),
}
PAIRS: dict[str, Callable[..., Any]] = {
    "max": lambda m, a, out: m.max(a, 1, out=out),
    "min": lambda m, a, out: m.min(a, 1, out=out),
    "sort": lambda m, a, out: m.sort(a, 1, out=out),
    "topk": lambda m, a, out: m.topk(a, 2, 1, out=out),
    "kthvalue": lambda m, a, out: m.kthvalue(a, 2, 1, out=out),
    "cummax": lambda m, a, out: m.cummax(a, 1, out=out),
}


def written(m: Any, call: Callable[..., Any], inputs: str, given: str) -> Any:
    """What stands in ``out=`` of a dtype afterwards, or that there was an error."""
    a, b = (m.tensor((scale * A).astype(inputs)) for scale in (1, 1.5))
    try:
        out = m.empty(0, dtype=getattr(m, given))
        with np.errstate(all="ignore"):
            assert call(m, a, b, out) is out
        return out
    except (RuntimeError, TypeError, IndexError):
        return "raises"


@pytest.mark.parametrize("function", CALLS)
def test_out(function: str) -> None:
    for inputs in ("float64", "float32", "int64"):
        for given in ("float64", "float32", "int64", "bool"):
            theirs, ours = (written(m, CALLS[function], inputs, given) for m in (torch, ad))
            if isinstance(theirs, str) or isinstance(ours, str):
                # Some functions of PyTorch want the dtype of the result itself; sums may lose their fractions there.
                assert isinstance(theirs, str) or function in ("sum", "prod", "cumsum"), (inputs, given, ours)
                continue
            same(theirs, ours, 1e-5)


@pytest.mark.parametrize("function", CALLS)
def test_out_has_no_gradient(function: str) -> None:
    for m in (torch, ad):
        a, b = m.tensor(A, requires_grad=True), m.tensor(A)
        result = CALLS[function](m, a, b, None)
        # Some functions of PyTorch that are composed of others write, and record nothing.
        if result.requires_grad and m is ad:
            with pytest.raises(RuntimeError, match="requires grad"):
                CALLS[function](m, a, b, m.empty(0, dtype=m.float64))
        with m.no_grad():
            CALLS[function](m, a, b, m.empty(0, dtype=getattr(m, name(result.dtype))))


@pytest.mark.parametrize("function", PAIRS)
def test_out_of_two(function: str) -> None:
    found = []
    for m in (torch, ad):
        out = m.empty(0, dtype=m.float64), m.empty(0, dtype=m.int64)
        values, indices = PAIRS[function](m, m.tensor(A), out)
        assert values is out[0]
        assert indices is out[1]
        found.append(out)
    for theirs, ours in zip(*found, strict=True):
        same(theirs, ours)


def test_out_is_an_operand_or_a_view() -> None:
    for m in (torch, ad):
        a, b = m.tensor(A), m.tensor(2 * A)
        m.add(a, b, out=a)
        m.mul(a, a, out=b[:])
        np.testing.assert_allclose(b.numpy(), 9 * A**2)
        rows = m.zeros(2, 3, dtype=m.float64)
        m.sum(b, 0, out=rows[1])
        np.testing.assert_allclose(rows.numpy(), [[0] * 3, b.sum(0).tolist()])
        with pytest.raises(RuntimeError):
            m.exp(a, out=m.zeros(1, dtype=m.float64).expand(3, 3))
        with pytest.raises(TypeError):
            m.exp(a, out=A)
        y = (w := m.tensor(A, requires_grad=True)).exp()
        with m.no_grad():
            m.exp(a, out=y)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
        assert w.grad is None


CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "arange": lambda m, **out: m.arange(0, 3, 0.75, **out),
    "empty": lambda m, **out: m.empty(2, 3, **out).zero_(),
    "eye": lambda m, **out: m.eye(2, 3, **out),
    "full": lambda m, **out: m.full((2,), 1.5, **out),
    "linspace": lambda m, **out: m.linspace(0, 2, 5, **out),
    "logspace": lambda m, **out: m.logspace(0, 2, 3, **out),
    "normal": lambda m, **out: m.normal(1.0, 2.0, (17,), **out),
    "ones": lambda m, **out: m.ones(2, 3, **out),
    "rand": lambda m, **out: m.rand((3,), **out),
    "randint": lambda m, **out: m.randint(1, 5, (3,), **out),
    "randn": lambda m, **out: m.randn(3, **out),
    "randperm": lambda m, **out: m.randperm(5, **out),
    "zeros": lambda m, **out: m.zeros((2, 3), **out),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "bool"])
@pytest.mark.parametrize("function", CONSTRUCTORS)
def test_constructors_into_out(function: str, dtype: str) -> None:
    found = []
    for m in (torch, ad):
        m.manual_seed(0)
        wanted = getattr(m, dtype)
        try:
            out = m.empty(0, dtype=wanted)
            assert CONSTRUCTORS[function](m, out=out, dtype=wanted) is out
            found.append(out.tolist())
        except (RuntimeError, TypeError, ValueError):
            found.append("raises")
    # A step that int64 truncates to 0, and 1.5 in integers, are refused here in all forms.
    if (function, dtype) != ("full", "int64"):
        assert found[0] == found[1]


def test_what_constructors_and_draws_do_with_out() -> None:
    found = []
    for m in (torch, ad):
        with pytest.raises(RuntimeError):
            m.zeros(2, out=m.empty(2), dtype=m.float64)
        with pytest.raises(RuntimeError, match="requires grad"):
            m.ones(2, out=m.empty(2, requires_grad=True))
        with pytest.raises(TypeError):
            m.ones(2, out=[0.0, 0.0])
        assert m.ones(2, out=m.empty(2), requires_grad=True).requires_grad
        weights = m.tensor([0.2, 0.8])
        m.manual_seed(0)
        drawn = m.empty(0), m.empty(0, dtype=m.int64)
        m.bernoulli(weights, out=drawn[0])
        m.multinomial(weights, 3, replacement=True, out=drawn[1])
        found.append([x.tolist() for x in drawn])
    assert found[0] == found[1]
