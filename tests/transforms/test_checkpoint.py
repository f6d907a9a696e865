"""Checkpointing: the same bits, less memory; derivatives of any order; errors."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.func import grad, hessian, jacrev, jvp, vmap
from autodiff.tensor import Tensor, wrap

X = wrap(np.random.default_rng(0).uniform(-1, 1, (4, 3)))


def plain(x: Tensor) -> Tensor:
    """What it is called with is used twice inside, and before."""
    y = x.sin() * x
    return (y * x + y.exp() * y).sum() + x.prod()


def saved(x: Tensor) -> Tensor:
    y = x.sin() * x
    inside: Tensor = ad.checkpoint(lambda x, y: (y * x + y.exp() * y).sum(), x, y) + x.prod()
    return inside


def test_derivatives_of_any_order() -> None:
    x, v = X[0], X[1]
    for transform in (
        grad, hessian, lambda f: jacrev(jacrev(f)), lambda f: grad(lambda x: hessian(f)(x).sum()),
        lambda f: lambda x: jvp(f, (x,), (v,))[1], lambda f: lambda x: grad(lambda x: jvp(f, (x,), (v,))[1])(x),
        lambda f: lambda x: vmap(grad(f))(X), lambda f: lambda x: grad(lambda X: vmap(f)(X).sum())(X),
        lambda f: lambda x: vmap(hessian(f))(X),
    ):  # fmt: skip
        np.testing.assert_allclose(transform(saved)(x).array, transform(plain)(x).array, rtol=1e-12, atol=1e-12)


def model() -> nn.Sequential:
    ad.manual_seed(0)
    return nn.Sequential(*[m for _ in range(5) for m in (nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.4))])


def gradients(run: Callable[[nn.Sequential, Tensor], Tensor]) -> list[Any]:
    """The bits of the gradients, and of the next draw."""
    net = model()
    x = ad.randn(16, 8, requires_grad=True)
    y = run(net, x)
    (y * y).sum().backward()
    return [y.array, x.grad.array, *[p.grad.array for p in net.parameters()], ad.rand(3).array]


def in_parts(net: nn.Sequential, x: Tensor) -> Tensor:
    for first in range(0, 15, 3):
        x = ad.checkpoint(nn.Sequential(*list(net)[first : first + 3]), x)
    return x


@pytest.mark.parametrize(
    "run",
    [
        in_parts,
        lambda net, x: ad.checkpoint(net, x),
        lambda net, x: ad.checkpoint(lambda x: ad.checkpoint_sequential(net, 3, x), x),
        *[lambda net, x, n=n: ad.checkpoint_sequential(net, n, x) for n in (1, 2, 5, 15)],
    ],
)
def test_the_same_bits_with_dropout(run: Any) -> None:
    for a, b in zip(gradients(run), gradients(lambda net, x: net(x)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_the_generator_set_back_dropout_drops_others() -> None:
    ad.manual_seed(0)
    x = ad.ones(1000, requires_grad=True)
    y = ad.checkpoint(nn.Dropout(0.5), x, preserve_rng_state=False)
    y.sum().backward()
    assert (y.detach() != x.grad).any()


def test_different_draws_inside_vmap_are_drawn_again() -> None:
    ad.manual_seed(0)
    x = ad.ones(8, 50, requires_grad=True)
    y = vmap(lambda x: ad.checkpoint(nn.Dropout(0.5), x), randomness="different")(x)
    y.sum().backward()
    np.testing.assert_array_equal(y.array, x.grad.array)


def test_memory() -> None:
    """What is kept is one array a part, not six."""

    def peak(call: Callable[..., Tensor]) -> float:
        x = ad.ones(2**18, requires_grad=True)
        gc.collect()
        tracemalloc.start()
        y = x
        for _ in range(10):
            y = call(lambda y: y.sin().cos().sin().cos().sin().cos(), y)
        y.sum().backward()
        found = tracemalloc.get_traced_memory()[1] / x.nbytes
        tracemalloc.stop()
        return found

    assert peak(lambda function, y: function(y)) > 60
    assert peak(ad.checkpoint) < 25


def test_results_are_trees_and_may_need_no_gradient() -> None:
    x = X[0].clone().requires_grad_()
    found = ad.checkpoint(lambda x, *, k: {"a": x * k, "b": (x.argmax(), x), "c": "text"}, x, k=2.0)
    assert found["c"] == "text"
    assert not found["b"][0].requires_grad
    assert found["b"][1] is x
    found["a"].sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    assert not ad.checkpoint(ad.sin, X).requires_grad
    with ad.no_grad():
        assert not ad.checkpoint(ad.sin, x).requires_grad


def test_errors() -> None:
    x = X[0].clone().requires_grad_()
    y = ad.checkpoint(ad.exp, x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.sum().backward()
    with pytest.raises(ValueError, match="use_reentrant=False"):
        ad.checkpoint(ad.exp, x, use_reentrant=True)
    calls: list[int] = []
    with pytest.raises(RuntimeError, match="other results when it ran again"):
        ad.checkpoint(lambda x: calls.append(0) or x[: len(calls)] * 2, x).sum().backward()
    with pytest.raises(ValueError, match="from 1 to 2 segments, got 3"):
        ad.checkpoint_sequential([ad.exp, ad.sin], 3, x)
    c = X[1].clone()
    y = ad.checkpoint(lambda x, c: x * c, x, c).sum()
    c.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_nothing_is_left_behind() -> None:
    gc.collect()
    x = X[0].clone().requires_grad_()
    ad.checkpoint(ad.exp, x).sum().backward()
    assert gc.collect() == 0
