"""Transforms inside each other: every order gives the same derivatives, and none mixes up two of them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.func import (
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    value_and_grad,
    vjp,
    vmap,
)
from autodiff.tensor import Tensor, wrap

W = wrap(np.random.default_rng(0).uniform(-1, 1, (3, 3)))
X = wrap(np.random.default_rng(1).uniform(-1, 1, (4, 3)))
ONE = ad.tensor(1.0, dtype=ad.float64)


def vector(x: Tensor) -> Tensor:
    """Ops of every kind: elementwise, multilinear, and those that are differentiated twice for forward mode."""
    h = ad.tanh(x @ W) * x
    return ad.cat([ad.softmax(h, 0), h[1:] / (1 + x[:2] * x[:2]), ad.logsumexp(x, 0).reshape(1)])


def scalar(x: Tensor) -> Tensor:
    return (vector(x) ** 2).sum() * x.prod()


def same(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.array, b.array, rtol=1e-10, atol=1e-10)


def numeric(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Jacobian by central differences."""
    columns = []
    for i in range(x.numel()):
        step = np.zeros(x.numel())
        step[i] = 1e-6
        moved = [function(wrap(x.array + sign * step.reshape(x.shape))).array for sign in (1, -1)]
        columns.append((moved[0] - moved[1]) / 2e-6)
    return wrap(np.stack(columns, -1).reshape(*columns[0].shape, *x.shape))


def test_jacobians() -> None:
    expected = numeric(vector, X[0])
    for transform in (jacrev, jacfwd):
        np.testing.assert_allclose(transform(vector)(X[0]).array, expected.array, atol=1e-8)
        same(transform(vector, chunk_size=2)(X[0]), transform(vector)(X[0]))


@pytest.mark.parametrize(("outer", "inner"), list(product((jacrev, jacfwd), repeat=2)))
def test_second_derivatives_in_every_order(outer: Any, inner: Any) -> None:
    np.testing.assert_allclose(outer(inner(scalar))(X[0]).array, numeric(grad(scalar), X[0]).array, atol=1e-7)
    same(outer(inner(vector))(X[0]), jacfwd(jacrev(vector))(X[0]))


@pytest.mark.parametrize("chain", list(product((jacrev, jacfwd), repeat=3)))
def test_third_derivatives_in_every_order(chain: Any) -> None:
    function: Any = scalar
    for transform in chain:
        function = transform(function)
    third = function(X[0])
    np.testing.assert_allclose(third.array, numeric(hessian(scalar), X[0]).array, atol=1e-6)
    same(third, wrap(third.array.transpose(2, 0, 1)))


def test_hvp_and_its_kin() -> None:
    x, v = X[0], X[1]
    h = hessian(scalar)(x)
    same(hvp(scalar, (x,), (v,)), h @ v)
    same(jvp(grad(scalar), (x,), (v,))[1], h @ v)
    same(grad(lambda x: jvp(scalar, (x,), (v,))[1])(x), h @ v)
    same(vjp(grad(scalar), x)[1](v)[0], h @ v)
    same(grad(lambda x: (grad(scalar)(x) * v).sum())(x), h @ v)
    same(vmap(lambda v: hvp(scalar, (x,), (v,)))(X), X @ h)
    value, push = linearize(grad(scalar), x)
    same(value, grad(scalar)(x))
    same(vmap(push)(X), X @ h)


def test_per_sample_derivatives() -> None:
    def twice(f: Any) -> Any:
        return grad(lambda x: grad(f)(x).sum())

    for transform in (grad, hessian, jacrev, jacfwd, twice):
        same(vmap(transform(scalar))(X), ad.stack([transform(scalar)(x) for x in X]))
    same(vmap(vmap(grad(scalar)))(X.reshape(2, 2, 3)), vmap(grad(scalar))(X).reshape(2, 2, 3))


def test_derivatives_of_what_is_mapped() -> None:
    total = lambda X: vmap(scalar)(X).sum()  # noqa: E731
    expected = ad.stack([grad(scalar)(x) for x in X])
    same(grad(total)(X), expected)
    same(jvp(total, (X,), (X,))[1], (expected * X).sum())
    second = hessian(total)(X)
    for i, j in product(range(4), repeat=2):
        same(second[i, :, j], hessian(scalar)(X[i]) if i == j else ad.zeros(3, 3))
    same(jacrev(jacrev(total))(X), second)
    same(
        vmap(lambda V: hvp(total, (X,), (V,)))(ad.stack([X, 2 * X])),
        ad.stack([second_times(second, k * X) for k in (1, 2)]),
    )


def second_times(second: Tensor, v: Tensor) -> Tensor:
    return ad.einsum("ijkl,kl->ij", second, v)


def test_a_map_differentiated_by_what_all_samples_share() -> None:
    shared = lambda w: vmap(lambda x: (ad.tanh(x @ w) ** 2).sum() * w[0, 0])(X).sum()  # noqa: E731
    plain = lambda w: (ad.tanh(X @ w) ** 2).sum() * w[0, 0]  # noqa: E731
    for transform in (grad, hessian, lambda f: jacrev(jacrev(f)), lambda f: jacfwd(jacfwd(f))):
        same(transform(shared)(W), transform(plain)(W))
    three = lambda f: jacrev(jacfwd(grad(f)))  # noqa: E731
    same(three(shared)(W), three(plain)(W))


def test_a_map_inside_a_map_that_is_differentiated() -> None:
    def mapped(w: Tensor) -> Tensor:
        return vmap(lambda x: vmap(lambda a: ad.sin(a * x @ w).sum())(x) @ x)(X).sum()

    def looped(w: Tensor) -> Tensor:
        return sum((ad.stack([ad.sin(a * x @ w).sum() for a in x]) @ x for x in X), start=ONE * 0)

    v = W.t()
    same(mapped(W), looped(W))
    same(grad(mapped)(W), grad(looped)(W))
    same(hvp(mapped, (W,), (v,)), hvp(looped, (W,), (v,)))
    same(vmap(grad(lambda s: mapped(W * s)))(X[0]), vmap(grad(lambda s: looped(W * s)))(X[0]))


def test_perturbations_are_not_confused() -> None:
    # d/dx (x · d/dy (x + y)) is 1: with one perturbation for both it would be 2.
    same(grad(lambda x: x * grad(lambda y: x + y)(ONE))(ONE), ONE)
    same(jvp(lambda x: x * jvp(lambda y: x + y, (ONE,), (ONE,))[1], (ONE,), (ONE,))[1], ONE)
    same(jvp(lambda x: x * grad(lambda y: x + y)(ONE), (ONE,), (ONE,))[1], ONE)
    same(grad(lambda x: x * jvp(lambda y: x + y, (ONE,), (ONE,))[1])(ONE), ONE)
    # The inner function returns the outer variable itself.
    same(grad(lambda x: grad(lambda y: x * x)(x) + x)(ONE), ONE)
    same(grad(lambda x: grad(lambda y: y * x)(x))(3 * ONE), ONE)
    same(jacfwd(lambda x: jacfwd(lambda y: y * x)(x))(3 * ONE), ONE)
    same(vmap(grad(lambda x: x * grad(lambda y: x * y * y)(x)))(X[0]), 6 * X[0] * X[0])


def test_derivatives_through_what_a_function_closes_over() -> None:
    w = W.clone().requires_grad_()
    gradient = grad(lambda x: ad.tanh(x @ w).sum())(X[0])
    assert gradient.requires_grad
    gradient.square().sum().backward()
    expected = grad(lambda w: grad(lambda x: ad.tanh(x @ w).sum())(X[0]).square().sum())(W)
    same(w.grad, expected)
    w.grad = None
    vmap(grad(lambda x: ad.tanh(x @ w).sum()))(X).square().sum().backward()
    per_sample = lambda w: vmap(grad(lambda x: ad.tanh(x @ w).sum()))(X).square().sum()  # noqa: E731
    same(w.grad, grad(per_sample)(W))
    w.grad = None
    jvp(lambda x: ad.tanh(x @ w).sum(), (X[0],), (X[1],))[1].backward()
    same(w.grad, grad(lambda w: jvp(lambda x: ad.tanh(x @ w).sum(), (X[0],), (X[1],))[1])(W))
    assert not grad(lambda x: (x * x).sum())(X[0]).requires_grad


def test_inputs_that_require_grad() -> None:
    x = X[0].clone().requires_grad_()
    for result in (grad(scalar)(x).sum(), hessian(scalar)(x).sum(), jvp(scalar, (x,), (X[1],))[1]):
        assert result.requires_grad
    same(ad.grad(grad(scalar)(x).sum(), x)[0], hessian(scalar)(X[0]).sum(0))
    assert x.grad is None


def test_grad_mode() -> None:
    with ad.no_grad():
        same(grad(scalar)(X[0]), numeric(scalar, X[0]) * 0 + grad(scalar)(X[0]))
        assert not grad(scalar)(X[0].clone().requires_grad_()).requires_grad
        same(hessian(scalar)(X[0]), jacfwd(jacrev(scalar))(X[0]))
    assert grad(lambda x: ad.no_grad()(scalar)(x) + x.sum())(X[0]).tolist() == [1.0, 1.0, 1.0]


def test_trees_argnums_and_aux() -> None:
    def function(p: dict[str, Tensor], x: Tensor, *, scale: float = 1.0) -> tuple[Tensor, Any]:
        y = ad.tanh(x @ p["w"] + p["b"])
        return (y * y).sum() * scale, {"y": y, "note": "kept"}

    p = {"w": W, "b": X[0]}
    (gp, gx), aux = grad(function, argnums=(0, 1), has_aux=True)(p, X[1], scale=2.0)
    assert set(gp) == {"w", "b"}
    assert aux["note"] == "kept"
    assert not aux["y"].requires_grad
    loss = lambda p, x: function(p, x)[0]  # noqa: E731
    same(gx, 2 * grad(loss, 1)(p, X[1]))
    same(grad(loss, argnums=-1)(p, X[1]), grad(loss, 1)(p, X[1]))
    (g, (value, _)), ((value2, _), g2) = (t(function, has_aux=True)(p, X[1]) for t in (grad_and_value, value_and_grad))
    same(value, value2)
    same(g["w"], g2["w"])
    outputs = lambda p, x: {"a": x @ p["w"], "b": (p["b"].sum(),)}  # noqa: E731
    for transform in (jacrev, jacfwd):
        found = transform(outputs, argnums=(0, 1))(p, X[1])
        assert found["a"][0]["w"].shape == (3, 3, 3)
        same(found["a"][1], W.t())
        same(found["b"][0][0]["b"], ad.ones(3))
        same(found["b"][0][1], ad.zeros(3))
    blocks = hessian(loss, argnums=(0, 1))(p, X[1])
    same(blocks[1][0]["b"], wrap(blocks[0]["b"][1].array.T))
    value, pull, aux = vjp(function, p, X[1], has_aux=True)
    same(pull(ONE)[0]["w"], grad(loss)(p, X[1])["w"])
    assert len(jvp(function, (p, X[1]), (p, X[1]), has_aux=True)) == 3


def test_a_pull_may_be_called_again_and_with_others() -> None:
    value, pull = vjp(vector, X[0])
    jacobian = jacrev(vector)(X[0])
    for row in range(value.numel()):
        same(pull(wrap(np.eye(value.numel())[row]))[0], jacobian[row])
    u = ad.ones_like(value).requires_grad_()
    (second,) = ad.grad((pull(u)[0] * X[1]).sum(), u)
    same(second, jacobian @ X[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: grad(vector)(X[0]), "expected the function to return a scalar, got shape"),
        (lambda: grad(lambda x: 1.0)(X[0]), "return tensors, got float"),
        (lambda: grad(lambda x: (x.sum(), x))(X[0]), "return one tensor, got tuple"),
        (lambda: grad(scalar)(1.0), "expected tensors to differentiate by, got float"),
        (lambda: grad(lambda x: x.sum())(ad.tensor([1, 2])), "floating-point tensors to differentiate by"),
        (lambda: grad(lambda x: (x > 0).sum())(X[0]), "floating-point tensor, got int64"),
        (lambda: grad(scalar, argnums=1)(X[0]), "argnums 1 is not among the 1 positional"),
        (lambda: grad(scalar, argnums=(0, 0))(X[0]), "each of argnums once"),
        (lambda: grad(scalar, argnums="x")(X[0]), "an int or a tuple of ints"),
        (lambda: grad(scalar, has_aux=True)(X[0]), r"return \(output, aux\)"),
        (lambda: vjp(vector), "at least one primal"),
        (lambda: vjp(vector, X[0])[1]((X[0],)), "cotangents with the structure"),
        (lambda: vjp(vector, X[0])[1](X[0]), r"cotangents of shape \(6,\)"),
        (lambda: jvp(vector, X[0], X[0]), "expected primals in a tuple"),
        (lambda: jvp(vector, (X[0],), X[0]), "expected tangents in a tuple"),
        (lambda: jvp(vector, (X[0],), (X[0], X[0])), "tangents with the structure"),
        (lambda: jvp(vector, (X[0],), (X[0][:2],)), r"tangents of shape \(3,\)"),
        (lambda: jvp(vector, (X[0],), (X[0].float(),)), "tangents of dtype float64"),
        (lambda: jvp(lambda x: W, (X[0],), (X[0],), strict=True), "does not depend on the primals"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call()


def test_what_does_not_depend_gets_zeros() -> None:
    same(grad(lambda x, y: x.sum(), argnums=1)(X[0], X[1]), ad.zeros(3))
    same(jacfwd(lambda x: W[0])(X[0]), ad.zeros(3, 3))
    same(jacrev(lambda x: W[0])(X[0]), ad.zeros(3, 3))
    assert jvp(lambda x: (x > 0).long(), (X[0],), (X[0],))[1].tolist() == [0, 0, 0]


def test_nothing_is_left_behind() -> None:
    gc.collect()
    for function in (grad(scalar), hessian(scalar), jacrev(vector), lambda x: vmap(grad(scalar))(ad.stack([x, x]))):
        function(X[0])
        assert gc.collect() == 0
