"""Every op that `nn` declares, by properties: derivatives of first and second order, and what must hold besides."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.op import OPS
from autodiff.tensor import Tensor, wrap

Draw = Callable[[st.SearchStrategy[Any]], Any]
sizes = st.integers(1, 4)


class Case(NamedTuple):
    """Arrays (None for an input that is absent) and params with which to call an op's recorder."""

    inputs: list[Any]
    params: dict[str, Any]


def _uniform(draw: Draw, *bounds: tuple[tuple[int, ...], float, float]) -> list[Any]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [np.asarray(rng.uniform(low, high, shape)) for shape, low, high in bounds]


def _linear(draw: Draw) -> Case:
    n_in, n_out, rows = draw(sizes), draw(sizes), tuple(draw(st.lists(sizes, max_size=2)))
    x, weight, bias = _uniform(draw, ((*rows, n_in), -3, 3), ((n_out, n_in), -3, 3), ((n_out,), -3, 3))
    return Case([x, weight, draw(st.sampled_from([bias, None]))], {})


def _batch_norm(draw: Draw) -> Case:
    n, c = draw(sizes), draw(sizes)
    x, mean, var, weight, bias = _uniform(
        draw, ((n, c), -3, 3), ((1, c), -1, 1), ((1, c), 0.2, 3), ((c,), -2, 2), ((c,), -2, 2)
    )
    weight, bias = (draw(st.sampled_from([given, None])) for given in (weight, bias))
    return Case([x, mean, var, weight, bias], {"eps": draw(st.sampled_from([1e-5, 0.1]))})


def _pairs(low: float, high: float) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        shape = tuple(draw(st.lists(sizes, max_size=2)))
        return Case(_uniform(draw, (shape, low, high), (shape, 0.05, 0.95)), {})

    return build


def _scores(draw: Draw) -> tuple[Any, dict[str, Any]]:
    """Scores (N, C, D), and one place in each column of classes with its weight."""
    n, c, d = draw(sizes), draw(sizes), draw(sizes)
    x, each = _uniform(draw, ((n, c, d), -4, 4), ((n, d), -1, 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    at = np.arange(n)[:, None] * c * d + rng.integers(0, c, (n, d)) * d + np.arange(d)
    return x, {"at": at, "weights": draw(st.sampled_from([each, -0.25]))}


def _at(draw: Draw) -> Case:
    x, params = _scores(draw)
    return Case([x], params)


def _at_classes(draw: Draw) -> Case:
    x, params = _scores(draw)
    return Case([x], {"axis": 1, **params})


def _spread(draw: Draw) -> Case:
    x, params = _scores(draw)
    return Case(_uniform(draw, ((), -2, 2)), {"shape": x.shape, **params})


def _slope(draw: Draw) -> Case:
    x, params = _scores(draw)
    return Case([*_uniform(draw, ((), -2, 2)), x], {"axis": 1, **params})


CASES: dict[str, Callable[[Draw], Case]] = {
    "linear": _linear,
    "batch_norm": _batch_norm,
    "binary_cross_entropy": _pairs(0.05, 0.95),
    "binary_cross_entropy_with_logits": _pairs(-20, 20),
    "nll_loss": _at,
    "nll_loss_slope": _spread,
    "cross_entropy": _at_classes,
    "cross_entropy_slope": _slope,
}


def tensors(arrays: list[Any]) -> list[Any]:
    return [None if x is None else wrap(x).requires_grad_() for x in arrays]


def apply(name: str, case: Case) -> tuple[Tensor, list[Tensor]]:
    """The output, and the inputs that are there."""
    xs = tensors(case.inputs)
    return OPS[name].record(*xs, **case.params), [x for x in xs if x is not None]


def test_every_op_that_nn_declares_can_be_drawn_from() -> None:
    assert {name for name, op in OPS.items() if op.record.__module__.startswith(nn.__name__ + ".")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20)
@given(data=st.data())
def test_first_derivatives(name: str, data: st.DataObject) -> None:
    """The full Jacobian: by the complex step, exact to rounding, where the op is analytic; else by differences."""
    case, op = CASES[name](data.draw), OPS[name]
    present = [x is not None for x in case.inputs]

    def function(*xs: Tensor) -> Tensor:
        rest = iter(xs)
        return op.record(*(next(rest) if there else None for there in present), **case.params)

    xs = [x for x in tensors(case.inputs) if x is not None]
    if op.analytic:
        found = ad.compare_gradients(function, xs, method="complex", atol=1e-10, rtol=1e-9)
    else:
        # Extrapolated differences leave about 1e-10 of values that reach 20 here.
        found = ad.compare_gradients(function, xs, method="richardson", atol=1e-8, rtol=1e-7)
    assert found.passed, f"{name} {case}\n{found}"


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=10)
@given(data=st.data())
def test_second_derivatives(name: str, data: st.DataObject) -> None:
    case, op = CASES[name](data.draw), OPS[name]
    present = [x is not None for x in case.inputs]

    def function(*xs: Tensor) -> Tensor:
        rest = iter(xs)
        return op.record(*(next(rest) if there else None for there in present), **case.params)

    xs = [x for x in tensors(case.inputs) if x is not None]
    assert ad.gradgradcheck(function, xs, method="richardson", atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20)
@given(data=st.data())
def test_inputs_stay_and_gradients_do_not_alias(name: str, data: st.DataObject) -> None:
    """Neither pass changes an input or the seed; gradients share no memory; two runs are equal bit for bit."""
    case = CASES[name](data.draw)
    before = [x if x is None else x.copy() for x in case.inputs]
    runs = []
    for _ in range(2):
        y, xs = apply(name, case)
        seed = ad.ones_like(y)
        y.backward(seed)
        assert (seed.numpy() == 1).all()
        runs.append([x.grad.numpy() for x in xs])
    for x, old in zip(case.inputs, before, strict=True):
        np.testing.assert_array_equal(x, old)
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)
    others = [x for x in case.inputs if x is not None] + [seed.numpy(), y.detach().numpy()]
    for i, a in enumerate(runs[0]):
        assert not any(np.shares_memory(a, other) for other in [*runs[0][:i], *others])


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20)
@given(data=st.data())
def test_float32_stays_float32_and_memory_layouts_do_not_matter(name: str, data: st.DataObject) -> None:
    case = CASES[name](data.draw)
    params = {key: v.astype(np.float32) if key == "weights" and np.ndim(v) else v for key, v in case.params.items()}
    single = Case([x if x is None else x.astype(np.float32) for x in case.inputs], params)
    y, xs = apply(name, single)
    gradients = ad.grad(y, xs, ad.ones_like(y))
    assert {y.dtype, *(g.dtype for g in gradients)} == {ad.float32}
    odd = Case([x if x is None else np.flip(np.asfortranarray(np.flip(x.copy()))) for x in case.inputs], case.params)
    results = []
    for arrays in (case, odd):
        y, xs = apply(name, arrays)
        recorded = ad.grad(y, xs, ad.ones_like(y), create_graph=True)
        raw = ad.grad(y, xs, ad.ones_like(y))
        results.append([y, *recorded])
        for a, b in zip(recorded, raw, strict=True):
            # The pass on tensors may multiply in another order than the pass on arrays.
            np.testing.assert_allclose(a.detach().numpy(), b.numpy(), rtol=1e-13, atol=1e-14)
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-12)
