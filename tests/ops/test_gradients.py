"""Every op of the table, by properties: first and second derivatives, and what must hold besides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.op import OPS, Op
from autodiff.tensor import Tensor, wrap
from autodiff.testing.cases import case, has_cases
from autodiff.testing.drawing import Case

ENGINE = {name: op for name, op in OPS.items() if op.record.__module__.startswith("autodiff")}
DIFFERENTIABLE = sorted(name for name, op in ENGINE.items() if op.differentiable)
MULTILINEAR = sorted(name for name in DIFFERENTIABLE if ENGINE[name].kind == "multilinear")


def tensors(inputs: list[np.ndarray]) -> list[Tensor]:
    return [wrap(x) if x.dtype.kind != "f" else wrap(x).requires_grad_() for x in inputs]


def test_every_public_op_can_be_drawn_from() -> None:
    assert [name for name, op in ENGINE.items() if not has_cases(op)] == []


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_first_derivatives(name: str, data: st.DataObject) -> None:
    """The full Jacobian: by the complex step, exact to rounding, where the op is analytic; else by differences."""
    op = ENGINE[name]
    inputs, params = case(data.draw, op)
    xs = tensors(inputs)
    if op.analytic:
        # 1e-10 is some 1e5 roundings: what a rule may lose by cancellation near the ends of a domain.
        found = ad.compare_gradients(lambda *x: op.record(*x, **params), xs, method="complex", atol=1e-10, rtol=1e-9)
    else:
        # Central differences at 1e-6 lose |f| 1e-16 / 1e-6 to rounding, with |f| up to about 1e3 on these domains.
        found = ad.compare_gradients(lambda *x: op.record(*x, **params), xs, eps=1e-6, atol=1e-6, rtol=1e-5)
    assert found.passed, f"{name} {params}\n{found}"


def _slope(op: Op, case: Case, weight: np.ndarray, directions: list[Any], moved: float) -> float:
    """The derivative of weight · op along `directions`, at inputs moved along them."""
    xs = [
        wrap(x) if u is None else wrap(np.asarray(x + moved * v)).requires_grad_()
        for x, (u, v) in zip(case.inputs, _pairs(directions), strict=True)
    ]
    wanted = [x for x in xs if x.requires_grad]
    gradients = ad.grad(op.record(*xs, **case.params), wanted, wrap(weight), materialize_grads=True)
    along = [u for u, _ in _pairs(directions) if u is not None]
    return float(sum(np.sum(g.array * u) for g, u in zip(gradients, along, strict=True)))


def _pairs(directions: list[Any]) -> list[tuple[Any, Any]]:
    return [(None, None) if d is None else d for d in directions]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_second_derivatives(name: str, data: st.DataObject) -> None:
    """uᵀHv for random u, v over all inputs at once, by backward through backward and by extrapolated differences."""
    op = ENGINE[name]
    drawn = case(data.draw, op)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    # Now and then an input is a constant, whose array the recorded pass meets as it is.
    constants = [data.draw(st.sampled_from([False, False, True])) for _ in drawn.inputs[1:]] + [False]
    directions: list[Any] = [
        None if x.dtype.kind != "f" or constant else (rng.uniform(-1, 1, x.shape), rng.uniform(-1, 1, x.shape))
        for x, constant in zip(drawn.inputs, constants, strict=True)
    ]
    xs = [wrap(x) if d is None else wrap(x).requires_grad_() for x, d in zip(drawn.inputs, directions, strict=True)]
    y = op.record(*xs, **drawn.params)
    if not y.requires_grad:
        return
    weight = rng.uniform(-1, 1, y.shape)
    wanted = [x for x in xs if x.requires_grad]
    first = ad.grad(y, wanted, wrap(weight), create_graph=True, materialize_grads=True)
    live = [d for d in directions if d is not None]
    slope = sum(((g * ad.tensor(u)).sum() for g, (u, _) in zip(first, live, strict=True)), start=ad.zeros(()))
    analytic = 0.0
    if slope.requires_grad:
        second = ad.grad(slope, wanted, materialize_grads=True)
        analytic = float(sum(np.sum(h.array * v) for h, (_, v) in zip(second, live, strict=True)))

    def central(h: float) -> float:
        up, down = (_slope(op, drawn, weight, directions, s * h) for s in (1, -1))
        return (up - down) / (2 * h)

    # Steps stay inside the margin of 0.05 around poles; at kinks (not analytic) they must be tiny instead.
    step = 1e-3 if op.analytic else 1e-6
    numeric = (4 * central(step / 2) - central(step)) / 3
    scale = 1 + abs(float(slope.item())) + sum(float(np.abs(g.array).sum()) for g in first)
    # Extrapolation leaves an error in h⁴ f⁽⁶⁾: below 1e-6 of the scale even at the margin; rounding at 1e-6 likewise.
    assert abs(analytic - numeric) <= 2e-6 * scale + 1e-4 * abs(numeric), (name, drawn, analytic, numeric)


@pytest.mark.parametrize("name", MULTILINEAR)
@given(data=st.data())
def test_multilinear_ops_are_exact_on_integers(name: str, data: st.DataObject) -> None:
    """For an op linear in each input, g · f(.., v, ..) = v · rule(g) without any rounding on small integers."""
    op = ENGINE[name]
    inputs, params = case(data.draw, op)
    # Multiples of 216 are divisible by the count of any mean drawn here.
    inputs = [np.rint(x) * 216 if x.dtype.kind == "f" else x for x in inputs]
    xs = tensors(inputs)
    y = op.record(*xs, **params)
    g = 216 * np.rint(np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).uniform(-4, 4, y.shape))
    sums = [
        np.sum(x.array * gradient.array)
        for x, gradient in zip(xs, ad.grad(y, xs, wrap(g), materialize_grads=True), strict=True)
    ]
    # An op of many inputs of one kind (cat, stack) is linear in all of them together.
    together = name in ("cat", "stack")
    for total in [sum(sums)] if together else sums:
        assert total == np.sum(g * y.array)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@settings(max_examples=25)
@given(data=st.data())
def test_inputs_stay_and_gradients_do_not_alias(name: str, data: st.DataObject) -> None:
    """Neither pass changes an input or the seed; gradients share no memory; two runs are equal bit for bit."""
    op = ENGINE[name]
    inputs, params = case(data.draw, op)
    before = [x.copy() for x in inputs]
    runs = []
    for _ in range(2):
        xs = tensors(inputs)
        y = op.record(*xs, **params)
        seed = wrap(np.ones(y.shape))
        y.backward(seed)
        assert (seed.array == 1).all()
        runs.append([x.grad for x in xs if x.requires_grad])
    for x, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, old)
    xs = tensors(inputs)
    wanted = [x for x in xs if x.requires_grad]
    y = op.record(*xs, **params)
    # `grad` goes through the general form of the pass, `backward` through the unrolled one.
    runs.append(list(ad.grad(y, wanted, wrap(np.ones(y.shape)), materialize_grads=True)))
    for a, b, c in zip(*runs, strict=True):
        np.testing.assert_array_equal(a.array, b.array)
        np.testing.assert_array_equal(a.array, c.array)
    arrays = [g.array for g in runs[0]]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, other) for other in [*arrays[:i], *inputs, seed.array, y.array])


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@settings(max_examples=25)
@given(data=st.data())
def test_float32_and_odd_memory_layouts(name: str, data: st.DataObject) -> None:
    """float32 in gives float32 out and back; strides do not matter; raw and recorded pass agree bit for bit."""
    op = ENGINE[name]
    inputs, params = case(data.draw, op)
    if name != "to":
        singles = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in inputs]
        xs = tensors(singles)
        y = op.record(*xs, **params)
        wanted = [x for x in xs if x.requires_grad]
        gradients = ad.grad(y, wanted, wrap(np.ones(y.shape, np.float32)), materialize_grads=True)
        assert {y.dtype, *(g.dtype for g in gradients)} == {np.dtype(np.float32)}
    odd = [np.flip(np.asfortranarray(np.flip(x.copy())) if x.ndim else x) for x in inputs]
    results = []
    for arrays in (inputs, odd):
        xs = tensors(arrays)
        y = op.record(*xs, **params)
        wanted = [x for x in xs if x.requires_grad]
        results.append([y, *ad.grad(y, wanted, wrap(np.ones(y.shape)), create_graph=True, materialize_grads=True)])
        raw = ad.grad(y, wanted, wrap(np.ones(y.shape)), materialize_grads=True)
        for a, b in zip(results[-1][1:], raw, strict=True):
            np.testing.assert_array_equal(a.array, b.array)
    for a, b in zip(*results, strict=True):
        # Another order of summation may round differently.
        np.testing.assert_allclose(a.array, b.array, rtol=1e-12, atol=1e-12)
