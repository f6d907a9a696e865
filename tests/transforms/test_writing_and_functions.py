"""Writing in place, custom functions and hooks inside vmap and forward mode, against a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.tensor import Tensor, wrap


def randn(*shape: int) -> Tensor:
    return wrap(np.random.default_rng(0).standard_normal(shape))


WRITES = (
    "z.add_(y)", "z.mul_(y)", "z.add_(z)", "z.sub_(y, alpha=2)", "z.exp_()", "z.sigmoid_()", "z.clamp_(-0.5, 0.5)",
    "z.copy_(y)", "z.copy_(y[0])", "z.fill_(2.0)", "z.fill_(y[0, 0])", "z.zero_()", "z.masked_fill_(y > 0, 1.5)",
    "z.addcmul_(y, y)", "z.lerp_(y, 0.25)", "z.t_().mul_(2)", "z.index_add_(0, i, y[:2])",
    "z.index_fill_(1, i, 2.0)", "z.scatter_(1, k, y)", "z.scatter_add_(1, k, y)", "z.index_copy_(0, i, y[:2])",
    "z.fill_diagonal_(3.0)", "z.tril_()", "z.cumsum_(1)", "z.view(-1).mul_(2)", "z[0].add_(y[1])", "z[0].add_(z[1])",
    "z[:, 1].add_(z[:, 0])", "z.t()[1:].add_(y[:2])", "z.__setitem__(0, y[1])", "z.__setitem__((0, 1), y[1, 1])",
    "z.__setitem__((slice(None), 1), y[0])", "z.__setitem__(i, y[:2])", "z.__setitem__((slice(None), i), y[:, :2])",
    "z.__setitem__((i, i), y[0, :2])", "z.__setitem__((0, i), y[0, :2])", "z.__setitem__(mask, y[mask])",
    "z.__setitem__(mask, 2.0)", "z.__setitem__(y > 0, 2.0)", "z.__setitem__(m, y[0])", "z.__setitem__(k[0], y)",
    "z.__setitem__((slice(None), k[0]), y)", "z.__setitem__((k[0], k[1]), y[0])", "z.__setitem__(0, 4.0)",
    "z[0].__setitem__(m, 2.0)", "z.__setitem__(..., y[:1])", "z.index_put_((i,), y[:2])", "z.unbind()",
    "z.index_put_((i,), y[:2], accumulate=True)", "z.relu_()", "z.squeeze_().add_(y)", "z.diagonal().mul_(y[0])",
)  # fmt: skip


def written(call: str) -> Callable[..., Tensor]:
    def function(x: Tensor, y: Tensor, k: Tensor, m: Tensor) -> Tensor:
        z = x * 1.5
        mask = ad.tensor([[True, False, True], [False, False, True], [True, True, False]])
        eval(call, {"z": z, "y": y, "k": k, "m": m, "mask": mask, "i": ad.tensor([2, 0])})
        return z * z

    return function


def arguments() -> tuple[Tensor, ...]:
    rng = np.random.default_rng(0)
    k = wrap(np.stack([np.stack([rng.permutation(3) for _ in range(3)]) for _ in range(4)]))
    x, y = wrap(rng.standard_normal((4, 3, 3))), wrap(rng.standard_normal((4, 3, 3)))
    return x, y, k, k[:, 0, 0]


@pytest.mark.parametrize("call", WRITES)
def test_what_is_written_has_the_values_and_gradients_of_a_loop(call: str) -> None:
    x, y, k, m = arguments()
    function = written(call)

    def gradients(x: Tensor, y: Tensor, k: Tensor, m: Tensor) -> Any:
        return ad.func.grad(lambda x, y: function(x, y, k, m).sum(), (0, 1))(x, y)

    for mapped in (function, gradients):
        found = ad.vmap(mapped)(x, y, k, m)
        loop = [mapped(*each) for each in zip(x, y, k, m, strict=True)]
        if mapped is function:
            found, loop = (found,), [(part,) for part in loop]
        for part, each in zip(found, zip(*loop, strict=True), strict=True):
            np.testing.assert_allclose(part.array, ad.stack(list(each)).array, rtol=1e-12, atol=1e-12)
    # And the gradient from outside.
    x.requires_grad_(), y.requires_grad_()
    for g, loop in zip(ad.grad(ad.vmap(function)(x, y, k, m).sum(), (x, y), allow_unused=True, materialize_grads=True),
                       found, strict=True):  # fmt: skip
        np.testing.assert_allclose(g.array, loop.array, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("z.__setitem__((slice(None), m), y)", "broadcast"), ("z.copy_(ad.ones(4, 3, 3))", "broadcast"),
        ("z.__setitem__(0, ad.ones(4, 3))", "broadcast"), ("ad.ones(3, 3).add_(y)", "new_zeros"),
        ("ad.ones(3, 3).__setitem__(0, y[0])", "new_zeros"), ("ad.ones(3).__setitem__(m, 1.0)", "vmap"),
        ("ad.add(y, y, out=ad.ones(3, 3))", "new_zeros"), ("z[0].expand(3, 3).add_(y)", "clone"),
        ("z.__setitem__(y > 0, y[y > 0])", "vmap"), ("x.mul_(y)", "clone"), ("x.t()[0].mul_(2)", "clone"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_an_error(call: str, message: str) -> None:
    x, y, k, m = arguments()
    x.requires_grad_()

    def function(x: Tensor, y: Tensor, k: Tensor, m: Tensor) -> Tensor:
        z = x * 1.5
        eval(call, {"ad": ad, "x": x, "z": z, "y": y.double(), "k": k, "m": m})
        return z * z

    with pytest.raises((RuntimeError, TypeError), match=message):
        ad.vmap(function)(x, y, k, m)


def test_what_came_from_outside() -> None:
    x = randn(3, 2)
    expected = x.array + 1
    ad.vmap(lambda x: x.add_(1))(x)
    np.testing.assert_array_equal(x.array, expected)
    w = randn(2).requires_grad_()
    with pytest.raises(RuntimeError, match="by vmap, of a tensor from outside"):
        ad.vmap(lambda x: x.mul_(w))(x)
    computed = w * 1
    with pytest.raises(RuntimeError, match="by grad, of what it differentiates by"):
        ad.func.grad(lambda x: x.mul_(2).sum())(computed)
    with ad.no_grad():
        view = computed[:1]
    with pytest.raises(RuntimeError, match="by vmap"):
        ad.vmap(lambda x: x.mul_(2))(view)


class Cube(ad.Function):
    """Without a jvp."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


class SumAndProduct(ad.Function):
    """Two outputs of two tensors and a number, without a jvp."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float, y: Tensor) -> Any:
        ctx.save_for_backward(x, y)
        ctx.factor = factor
        return x + y, factor * x * y

    @staticmethod
    def backward(ctx: Any, g: Tensor, h: Tensor) -> Any:
        x, y = ctx.saved_tensors
        return g + ctx.factor * h * y, None, g + ctx.factor * h * x


class WithJvp(SumAndProduct):
    """With a jvp that is twice the derivative, so that it can be told from that."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, ctx.factor, y = inputs
        ctx.save_for_backward(x, y)
        ctx.save_for_forward(y, x)

    @staticmethod
    def forward(x: Tensor, factor: float, y: Tensor) -> Any:
        return x + y, factor * x * y

    @staticmethod
    def jvp(ctx: Any, x_t: Any, _: Any, y_t: Any) -> Any:
        assert _ is None
        y, x = ctx.saved_tensors
        x_t, y_t = (ad.zeros_like(x) if t is None else t for t in (x_t, y_t))
        return 2 * (x_t + y_t), 2 * ctx.factor * (x_t * y + x * y_t)


class OneWithJvp(Cube):
    @staticmethod
    def jvp(ctx: Any, t: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 6 * x * x * t


class ByNumPy(ad.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return wrap(np.exp(x.numpy()))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().array, b.detach().array, rtol=1e-12, atol=1e-12)


def test_a_function_inside_vmap() -> None:
    x, y = randn(4, 3), randn(4, 3) + 1
    close(ad.vmap(Cube.apply)(x), x**3)
    close(ad.vmap(ad.func.grad(lambda x: Cube.apply(x).sum()))(x), 3 * x**2)
    close(ad.vmap(ad.func.hessian(lambda x: Cube.apply(x).sum()))(x), ad.diag_embed(6 * x))
    x.requires_grad_()
    close(ad.grad(ad.vmap(Cube.apply)(x).sum(), x)[0], 3 * x**2)

    def both(x: Tensor, y: Tensor) -> Tensor:
        a, b = SumAndProduct.apply(x, 2.0, y)
        return (a * b).sum()

    found = ad.vmap(ad.func.grad(both, (0, 1)))(x, y)
    close(found[0], 2 * (2 * x * y + y * y))
    close(found[1], 2 * (2 * x * y + x * x))
    with pytest.raises(RuntimeError, match="vmap: what differs between samples has no plain NumPy array"):
        ad.vmap(ByNumPy.apply)(x.detach())


def test_forward_mode_takes_the_jvp_of_a_function_or_differentiates_its_backward() -> None:
    x, y, t, u = randn(3), randn(3) + 1, randn(3) - 1, randn(3) + 2
    close(ad.func.jvp(Cube.apply, (x,), (t,))[1], 3 * x * x * t)
    close(ad.func.jvp(OneWithJvp.apply, (x,), (t,))[1], 6 * x * x * t)
    for function, factor in ((SumAndProduct, 1), (WithJvp, 2)):
        called = lambda x, y, function=function: function.apply(x, 2.0, y)  # noqa: E731
        (a, b) = ad.func.jvp(called, (x, y), (t, u))[1]
        close(a, factor * (t + u))
        close(b, factor * 2 * (t * y + x * u))
        close(ad.func.jvp(lambda x, c=called: c(x, y)[1], (x,), (t,))[1], factor * 2 * t * y)
        close(ad.func.jacfwd(lambda x, c=called: c(x, y)[1])(x), factor * 2 * ad.diag(y))
        both = lambda x, y, c=called: ad.func.jvp(c, (x, y), (t, u))[1][1]  # noqa: E731
        close(ad.vmap(both)(ad.stack([x, y]), ad.stack([y, x])), ad.stack([both(x, y), both(y, x)]))
        # Of the tangent, the derivative in reverse mode.
        close(ad.func.grad(lambda x, b=both: b(x, y).sum())(x), factor * 2 * u)
    close(ad.func.jacfwd(ad.func.jacfwd(lambda x: Cube.apply(x).sum()))(x), ad.diag(6 * x))


def test_a_jvp_of_another_form_is_an_error() -> None:
    answers: list[Any] = []

    class Wrong(Cube):
        @staticmethod
        def jvp(ctx: Any, t: Tensor) -> Any:
            return answers[-1]

    for answer, message in (((ad.ones(3), None), "2 tangents"), (ad.ones(2), "like output 0"), (1.0, "got float")):
        answers.append(answer)
        with pytest.raises(RuntimeError, match=message):
            ad.func.jvp(Wrong.apply, (randn(3),), (randn(3),))
    answers.append(None)
    assert not ad.func.jvp(Wrong.apply, (randn(3),), (randn(3),))[1].any()


def test_hooks_inside_vmap() -> None:
    seen: list[tuple[int, ...]] = []

    def hook(g: Tensor) -> Tensor:
        seen.append(g.shape)
        return 10 * g

    def function(x: Tensor) -> Tensor:
        y = x * x
        y.register_hook(hook)
        return y.sum()

    x = randn(4, 3)
    close(ad.vmap(ad.func.grad(function))(x), 20 * x)
    assert seen == [(3,)]
    x.requires_grad_()
    close(ad.grad(ad.vmap(function)(x).sum(), x)[0], 20 * x)

    def on_the_input(x: Tensor) -> Tensor:
        x.register_hook(hook)
        return (x * x).sum()

    close(ad.grad(ad.vmap(on_the_input)(x).sum(), x)[0], 20 * x)
    ad.vmap(on_the_input)(x).sum().backward()
    close(x.grad, 20 * x)
    close(ad.vmap(ad.func.grad(on_the_input))(x.detach()), 20 * x)


def test_hooks_of_what_a_region_uses_run_once() -> None:
    w = randn(3).requires_grad_()
    for leaf in (False, True):
        for region in (lambda f, x: ad.vmap(f)(x), lambda f, x: ad.checkpoint(f, x, use_reentrant=False)):
            seen: list[tuple[int, ...]] = []
            y = randn(3).requires_grad_() if leaf else w * 1
            y.register_hook(lambda g, seen=seen: seen.append(g.shape) or 10 * g)
            (g,) = ad.grad(region(lambda x, y=y: x * y, randn(2, 3)).sum(), y if leaf else w)
            close(g, 10 * randn(2, 3).sum(0))
            assert seen == [(3,)]
