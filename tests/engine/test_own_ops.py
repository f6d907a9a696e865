"""Ops declared by users: by a decorator and by a call, what is said of mistakes, and that the checks find them."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.domain import POSITIVE, Interval
from autodiff.op import NUMPY, OPS
from autodiff.testing import CheckError, check_op


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    ops, numpy = dict(OPS), dict(NUMPY)
    yield
    for now, before in ((OPS, ops), (NUMPY, numpy)):
        now.clear()
        now.update(before)


def test_a_decorated_kernel_is_an_op() -> None:
    @ad.elementwise(vjp=lambda g, y, x: g * (1 - y * y), domain=Interval(-3, 3))
    def curve(x: Any) -> Any:
        """The hyperbolic tangent."""
        return np.tanh(x)

    assert curve.__name__ == "curve"
    assert curve.__module__ == __name__
    assert curve.op.doc == "The hyperbolic tangent."
    x = ad.tensor([0.5, -1.0], requires_grad=True)
    assert repr(curve(x).grad_fn) == "<CurveBackward0>"
    found = {finding.property: finding.worst for finding in check_op(curve, examples=20)}
    assert found["first order"] < 1e-12


def test_two_inputs_params_and_saves() -> None:
    blend = ad.elementwise(
        "blend",
        lambda a, b: a * np.exp(b),
        vjp=(lambda g, y, a, b: g * np.exp(b), lambda g, y, a, b: g * y),
        saves=("b", "y"),
        domain=(POSITIVE, Interval(-1, 1)),
    )
    check_op(blend, examples=20)

    @ad.elementwise(vjp=lambda g, y, x, power: g * power * x ** (power - 1))
    def raised(x: Any, power: int) -> Any:
        return x**power

    x = ad.tensor([1.0, 2.0], requires_grad=True)
    raised(x, power=3).sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]
    a = ad.tensor([1.0, 2.0], requires_grad=True)
    y = blend(a, 0.5)
    # Only the second input's rule reads y, and that input needs no gradient.
    assert [array.shape for array in y.grad_fn.saved()] == [] or y.grad_fn.y is None


def test_a_multilinear_op_is_held_to_being_one() -> None:
    @ad.multilinear(vjp=lambda g, y, x: np.flip(g, 0))
    def turned(x: Any) -> Any:
        return np.flip(x, 0) if x.ndim else x

    @ad.multilinear(vjp=lambda g, y, x: 2 * x * g)
    def squared(x: Any) -> Any:
        return x * x

    with pytest.raises(CheckError):
        check_op(squared, examples=20)


def test_one_rule_for_all_inputs() -> None:
    def joint(g: Any, y: Any, a: Any, b: Any, *, needs: Any) -> Any:
        return (g * b if needs[0] else None), (g * a if needs[1] else None)

    inner = ad.operation("inner_product", lambda a, b: np.sum(a * b), joint=joint, arity=2)
    a, b = (ad.tensor(v, requires_grad=True) for v in ([1.0, 2.0], [3.0, 5.0]))
    assert ad.gradgradcheck(inner, (a.double().detach().requires_grad_(), b.double().detach().requires_grad_()))
    inner(a, b).backward()
    assert a.grad.tolist() == [3.0, 5.0]


@pytest.mark.parametrize("constructor", [ad.operation, ad.elementwise])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_kernel_hands_on_what_the_fast_form_of_a_rule_reuses(count: int, constructor: Any) -> None:
    seen = []

    def kernel(*factors: Any) -> Any:
        y = math.prod(factors)
        return y, [y]

    def rule(i: int) -> Any:
        # The names of the inputs are read off the rule.
        return eval(f"lambda g, y, {', '.join('abcd'[:count])}: g * y / {'abcd'[i]}")

    def fast(i: int) -> Any:
        def with_memo(g: Any, y: Any, *inputs: Any) -> Any:
            seen.append(inputs[-1])
            return g * inputs[-1][0] / inputs[i]

        return with_memo

    rules, forms = ([form(i) for i in range(count)] for form in (rule, fast))
    product = constructor("product", kernel, vjp=rules, fast=forms, memo=True, domain=POSITIVE)
    xs = [ad.tensor(2.0 + i, requires_grad=True) for i in range(count)]
    y = product(*xs)
    memo, expected = y.grad_fn.memo, [y.item() / x.item() for x in xs]
    assert [g.item() for g in ad.grad(y, xs, retain_graph=True)] == pytest.approx(expected)
    y.backward()
    assert [x.grad.item() for x in xs] == pytest.approx(expected)
    assert [id(each) for each in seen] == [id(memo)] * (2 * count)
    assert y.grad_fn.memo is None
    check_op(product, examples=20)


def test_a_joint_rule_has_a_fast_form_too() -> None:
    def joint(g: Any, y: Any, a: Any, b: Any, *, needs: Any) -> Any:
        return g * np.exp(a) * b, g * np.exp(a)

    def fast(g: Any, y: Any, a: Any, b: Any, memo: Any, *, needs: Any) -> Any:
        return g * memo * b, g * memo

    def kernel(a: Any, b: Any) -> Any:
        grown = np.exp(a)
        return grown * b, grown

    growth = ad.operation("growth", kernel, joint=joint, fast=fast, memo=True, arity=2, domain=Interval(-1, 1))
    check_op(growth, examples=20)
    x = ad.randn(4, 3, dtype=ad.float64)
    in_a_vmap = ad.vmap(ad.func.grad(lambda a: growth(a, a).sum()))(x)
    assert ad.allclose(in_a_vmap, x.exp() * (x + 1))
    growth.op.array_joint = lambda *inputs, needs: (inputs[0], inputs[0])
    with pytest.raises(CheckError):
        check_op(growth, examples=20)


def test_a_wrong_rule_is_found() -> None:
    wrong = ad.elementwise("wrong_square", lambda x: x * x, vjp=lambda g, y, x: g * x)
    with pytest.raises(CheckError, match="wrong_square: first order"):
        check_op(wrong, examples=20)


def test_a_ufunc_of_numpy_can_be_given_its_derivative() -> None:
    x = ad.tensor([8.0, 27.0], dtype=ad.float64, requires_grad=True)
    with pytest.raises(TypeError, match="no derivative here"):
        np.spacing(x)
    ad.elementwise("spacing", np.spacing, vjp=lambda g, y, x: g * 0)
    assert isinstance(np.spacing(x), ad.Tensor)


def test_an_op_may_be_declared_again_but_not_one_of_the_library() -> None:
    first = ad.elementwise("mine", lambda x: x * 2, vjp=lambda g, y, x: g * 2)
    second = ad.elementwise("mine", lambda x: x * 3, vjp=lambda g, y, x: g * 3)
    assert OPS["mine"] is second.op is not first.op
    assert first(ad.ones(1)).item() == 2
    with pytest.raises(ValueError, match="tanh is an op of the library"):
        ad.elementwise("tanh", np.tanh, vjp=lambda g, y, x: g)


def test_mistakes_are_explained() -> None:
    with pytest.raises(TypeError, match="expected vjp=, a rule for each input"):
        ad.elementwise("nothing", np.sin)
    with pytest.raises(TypeError, match="needs arity="):
        ad.operation("nothing", np.sin, joint=lambda g, y, x, needs: (g,))
    with pytest.raises(TypeError, match="a decorator with parentheses"):
        ad.elementwise(np.sin, np.sin, vjp=lambda g, y, x: g)
