"""`autograd.Function`: the same classes, written once, on this engine and on PyTorch, at first and second order."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
from tests.parity.beside_torch import same

MODULES = {"PyTorch": torch, "here": ad}


def functions(m: Any) -> SimpleNamespace:
    """The functions under test, as subclasses of the Function of `m`."""
    Function = m.autograd.Function

    class Swish(Function):
        """A custom activation that saves its input and its output."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * m.sigmoid(x)
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            s = m.sigmoid(x)
            return g * (s + y * (1 - s))

    class StraightThrough(Function):
        """Rounds, and passes the gradient on."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return m.round(x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    class Reversal(Function):
        """Returns its input as it is, and the gradient with another sign; `strength` is an attribute of ctx."""

        @staticmethod
        def forward(ctx: Any, x: Any, strength: float) -> Any:
            ctx.strength = strength
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return -ctx.strength * g, None

    class PolarParts(Function):
        """Two outputs, both saved."""

        @staticmethod
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            r, t = m.sqrt(a * a + b * b), m.atan2(b, a)
            ctx.save_for_backward(r, t)
            return r, t

        @staticmethod
        def backward(ctx: Any, gr: Any, gt: Any) -> Any:
            r, t = ctx.saved_tensors
            return gr * m.cos(t) - gt * m.sin(t) / r, gr * m.sin(t) + gt * m.cos(t) / r

    class Lazy(Function):
        """Two outputs of which backward asks whether they were used."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x)
            return x**2, x**3

        @staticmethod
        def backward(ctx: Any, g2: Any, g3: Any) -> Any:
            (x,) = ctx.saved_tensors
            total = None if g2 is None else 2 * x * g2
            if g3 is None:
                return total
            return 3 * x**2 * g3 if total is None else total + 3 * x**2 * g3

    class Power(Function):
        """A number, None and a string among the arguments; parts of the work are left out where nobody needs them."""

        @staticmethod
        def forward(ctx: Any, x: Any, n: int, bias: Any, mode: str) -> Any:
            ctx.save_for_backward(x, bias)
            ctx.n, ctx.mode = n, mode
            y = x**n if mode == "plain" else -(x**n)
            return y if bias is None else y + bias

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, bias = ctx.saved_tensors
            sign = 1 if ctx.mode == "plain" else -1
            gx = sign * ctx.n * x ** (ctx.n - 1) * g if ctx.needs_input_grad[0] else None
            assert ctx.needs_input_grad[2] == (bias is not None and bias.requires_grad)
            return gx, None, g if ctx.needs_input_grad[2] else None, None

    class Largest(Function):
        """Values and their positions, which carry no gradient."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            at = m.argmax(x, 1, keepdim=True)
            half = x / 2
            ctx.mark_non_differentiable(at, half)
            ctx.save_for_backward(at)
            ctx.shape = x.shape
            return m.gather(x, 1, at) ** 2, at, half

        @staticmethod
        def backward(ctx: Any, g: Any, g_at: Any, g_half: Any) -> Any:
            assert not g_half.any()
            (at,) = ctx.saved_tensors
            return m.zeros(ctx.shape, dtype=g.dtype).scatter(1, at, g)

    class Doubling(Function):
        """Writes to its input."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * g

    class Exponential(Function):
        """Writes to its input and saves what it wrote."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            x.copy_(m.exp(x))
            ctx.mark_dirty(x)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (y,) = ctx.saved_tensors
            return y * g

    class Product(Function):
        """The newer form, with a default argument."""

        @staticmethod
        def forward(a: Any, b: Any, scale: float = 2.0) -> Any:
            return a * b * scale

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            a, b, ctx.scale = inputs
            ctx.save_for_backward(a, b)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            a, b = ctx.saved_tensors
            return g * b * ctx.scale, g * a * ctx.scale, None

    class Intermediate(Function):
        """Returns what it computed on the way as a second output, so that it can be differentiated."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            e = m.exp(-x)
            ctx.save_for_backward(e)
            return 1 / (1 + e), e

        @staticmethod
        def backward(ctx: Any, g: Any, ge: Any) -> Any:
            (e,) = ctx.saved_tensors
            return g * e / (1 + e) ** 2 - ge * e

    class Mixed(Function):
        """Outputs that are no tensors among those that are; sums in the shape that came."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2, "text", None, x.sum(), [1]

        @staticmethod
        def backward(ctx: Any, g: Any, none: Any, nothing: Any, gs: Any, empty: Any) -> Any:
            assert none is None
            assert nothing is None
            assert empty is None
            return 2 * g + gs

    class Wide(Function):
        """A gradient with a further axis, which is summed, for an input that was broadcast."""

        @staticmethod
        def forward(ctx: Any, x: Any, b: Any) -> Any:
            ctx.save_for_backward(x, b)
            return x * b

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, b = ctx.saved_tensors
            return g * b, g * x

    class Constant(Function):
        """No gradient at all."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return None

    class ByNumPy(Function):
        """Leaves the tensors, and says so."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return m.from_numpy(np.sinh(x.numpy()))

        @staticmethod
        @m.autograd.function.once_differentiable
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return m.from_numpy(g.numpy() * np.cosh(x.numpy()))

    class Inner(Function):
        """Differentiates inside of backward."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return m.sin(x) * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            recorded = m.is_grad_enabled()
            with m.enable_grad():
                y = m.sin(x) * x
                (gx,) = m.autograd.grad(y, x, g, create_graph=recorded)
            return gx

    class Vjp(Function):
        """`vjp` in place of backward."""

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 7

        @staticmethod
        def vjp(ctx: Any, g: Any) -> Any:
            return 7 * g

    return SimpleNamespace(**{name: value for name, value in locals().items() if isinstance(value, type)})


def network(m: Any, f: Any, x: Any, w: Any, b: Any) -> Any:
    """A model with a custom activation, a rounded copy and a reversed branch."""
    hidden = f.Swish.apply(x @ w + b)
    return (hidden.sum() + f.StraightThrough.apply(hidden * 3).mean(), f.Reversal.apply(hidden, 0.5).exp().sum())


def views_of_dirty(m: Any, f: Any, x: Any, w: Any, b: Any) -> Any:
    y = x * w
    part = y[1]
    f.Doubling.apply(part)
    return y * y, part


def dirty_chain(m: Any, f: Any, x: Any, w: Any, b: Any) -> Any:
    y = x * 1
    z = f.Doubling.apply(y)
    assert z is y
    return f.Exponential.apply(f.Doubling.apply(y)) * w


def without_context(m: Any, f: Any, x: Any, w: Any, b: Any) -> Any:
    return f.Product.apply(x, w), f.Product.apply(x, b=w, scale=3.0) ** 2, f.Product.apply(x, x)


Program = Callable[[Any, Any, Any, Any, Any], Any]
PROGRAMS: dict[str, Program] = {
    "network": network,
    "activation": lambda m, f, x, w, b: f.Swish.apply(x * w),
    "straight-through estimator": lambda m, f, x, w, b: f.StraightThrough.apply(x * 5) * w,
    "gradient reversal": lambda m, f, x, w, b: f.Reversal.apply(x * w, 0.25) ** 3,
    "two outputs": lambda m, f, x, w, b: f.PolarParts.apply(x, w),
    "two outputs, one unused": lambda m, f, x, w, b: f.PolarParts.apply(x, w)[1] * b,
    "an output used twice": lambda m, f, x, w, b: (lambda r, t: (r * t, r.exp(), t * t))(*f.PolarParts.apply(x * w, w)),
    "not materialised, one unused": lambda m, f, x, w, b: f.Lazy.apply(x * w)[1],
    "not materialised, both": lambda m, f, x, w, b: f.Lazy.apply(x * w),
    "no tensors among arguments": lambda m, f, x, w, b: (
        f.Power.apply(x, 3, None, "plain"),
        f.Power.apply(x, 2, w, "negative"),
        f.Power.apply(w, 3, x.detach(), "plain"),
    ),
    "positions": lambda m, f, x, w, b: f.Largest.apply(x * w),
    "in place": dirty_chain,
    "in place, on a view": views_of_dirty,
    "in place, no gradient": lambda m, f, x, w, b: f.Doubling.apply(w.detach().clone()) * x,
    "setup_context": without_context,
    "intermediate": lambda m, f, x, w, b: f.Intermediate.apply(x * w)[0],
    "mixed outputs": lambda m, f, x, w, b: (lambda y, *rest: (y * w, rest[2] ** 2))(*f.Mixed.apply(x * x)),
    "broadcast": lambda m, f, x, w, b: f.Wide.apply(x, b) * w,
    "no gradient": lambda m, f, x, w, b: f.Constant.apply(x.exp()) * w,
    "differentiates inside": lambda m, f, x, w, b: f.Inner.apply(x) * w,
    "vjp": lambda m, f, x, w, b: f.Vjp.apply(x) ** 2 * w,
    "a function of functions": lambda m, f, x, w, b: f.Swish.apply(f.Reversal.apply(f.Swish.apply(x), 2.0)) + w * b,
    "the same input twice": lambda m, f, x, w, b: f.PolarParts.apply(x, x),
}


def orders(m: Any, program: Program) -> list[Any]:
    """Outputs, first derivatives without and with a graph, and second derivatives."""
    rng = np.random.default_rng(0)
    x, w = (m.tensor(rng.uniform(0.5, 1.5, (3, 3)), requires_grad=True) for _ in range(2))
    b = m.tensor(rng.uniform(0.5, 1.5, 3), requires_grad=True)
    leaves = [x, w, b]

    def loss() -> tuple[list[Any], Any]:
        result = program(m, functions(m), x, w, b)
        outputs = list(result) if isinstance(result, tuple) else [result]
        live = [y for y in outputs if y.requires_grad]
        return outputs, sum((y * (i + 1) * m.cos(y)).sum() for i, y in enumerate(live))

    outputs, total = loss()
    first = m.autograd.grad(total, leaves, allow_unused=True)
    recorded = m.autograd.grad(loss()[1], leaves, create_graph=True, allow_unused=True)
    live = [g for g in recorded if g is not None and g.requires_grad]
    penalty = sum((g * g).sum() for g in live)
    second = m.autograd.grad(penalty, leaves, allow_unused=True)
    loss()[1].backward()
    return [*outputs, *first, *[g if g is None else g.detach() for g in recorded], *second, *[p.grad for p in leaves]]


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_derivatives_of_first_and_second_order(name: str) -> None:
    theirs, ours = (orders(m, PROGRAMS[name]) for m in (torch, ad))
    for a, b in zip(theirs, ours, strict=True):
        same(a, b)


def test_leaving_the_tensors_is_differentiable_once() -> None:
    results: list[Any] = []
    for m in (torch, ad):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        (first,) = m.autograd.grad((functions(m).ByNumPy.apply(x) * x).sum(), x, create_graph=True)
        results.append(first.detach())
        with pytest.raises(RuntimeError, match=r"differentiate twice a function .* @once_differentiable"):
            first.sum().backward()
    same(*results)


def once(m: Any, forward: Any = None, backward: Any = None, **more: Any) -> Any:
    """A function made of what is given; else it doubles."""
    parts: dict[str, Any] = {"forward": forward or (lambda ctx, x, *rest: x * 2), "backward": backward, **more}
    members = {name: staticmethod(part) for name, part in parts.items() if part is not None}
    return type("MyFunction", (m.autograd.Function,), members).apply


def x_of(m: Any) -> Any:
    return m.tensor([1.0, 2.0], requires_grad=True)


def run(m: Any, forward: Any = None, backward: Any = None, *extra: Any) -> Any:
    x = x_of(m)
    once(m, forward, backward)(x, *extra).sum().backward()
    return x.grad


def marks(name: str, *values: Any) -> Callable[..., Any]:
    def forward(ctx: Any, x: Any) -> Any:
        getattr(ctx, name)(*(values or (x,)))
        return x * 2

    return forward


def saves(ctx: Any, x: Any) -> Any:
    ctx.save_for_backward(x)
    return x * x


def uses(ctx: Any, g: Any) -> Any:
    return 2 * ctx.saved_tensors[0] * g


def raising(ctx: Any, g: Any) -> Any:
    raise KeyError("my own error")


def dirty(ctx: Any, x: Any) -> Any:
    x.mul_(2)
    ctx.mark_dirty(x)
    return x


def twice(m: Any) -> None:
    total = once(m, saves, uses)(x_of(m)).sum()
    total.backward()
    total.backward()


def passed_on_then_written(m: Any) -> None:
    middle = x_of(m) * 1
    y = once(m, lambda ctx, x: x, lambda ctx, g: g)(middle)
    middle.mul_(2)
    y.sum().backward()


def written(m: Any) -> None:
    middle = x_of(m) * 1
    y = once(m, saves, uses)(middle)
    middle.add_(1)
    y.sum().backward()


# A program that must fail in both, the error, and what both messages say.
ERRORS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "too few gradients": (
        lambda m: run(m, None, lambda ctx, g: g, 3.0), RuntimeError,
        r"MyFunctionBackward returned an incorrect number of gradients \(expected 2, got 1\)",
    ),
    "too many gradients": (
        lambda m: run(m, None, lambda ctx, g: (g, None, g)), RuntimeError,
        r"MyFunctionBackward returned an incorrect number of gradients \(expected 1, got 3\)",
    ),
    "a list of gradients": (
        lambda m: run(m, None, lambda ctx, g: [g, None], 3.0), RuntimeError, r"\(expected 2, got 1\)",
    ),
    "shape of a gradient": (
        lambda m: run(m, None, lambda ctx, g: m.ones(3)), RuntimeError,
        r"MyFunctionBackward returned an invalid gradient at index 0 - got \[3\] .* compatible with \[2\]",
    ),
    "a gradient that is a sum": (lambda m: run(m, None, lambda ctx, g: g.sum()), RuntimeError, r"got \[\]"),
    "a gradient of length 1": (lambda m: run(m, None, lambda ctx, g: g[:1]), RuntimeError, r"got \[1\]"),
    "a gradient of a number": (
        lambda m: run(m, None, lambda ctx, g: (g, g), 3.0), RuntimeError,
        r"MyFunctionBackward returned a gradient different than None at position 2",
    ),
    "a gradient that is a number": (
        lambda m: run(m, None, lambda ctx, g: 2.0), RuntimeError, r"expected .* or None.* float",
    ),
    "a saved number": (lambda m: run(m, marks("save_for_backward", 3)), TypeError, "argument 0 is of type int"),
    "no forward": (lambda m: type("F", (m.autograd.Function,), {}).apply(x_of(m)), NotImplementedError, "forward"),
    "no backward": (run, NotImplementedError, "backward or vjp|backward.*or vjp"),
    "backward and vjp": (
        lambda m: once(m, None, uses, vjp=uses)(x_of(m)).sum().backward(), RuntimeError, "both '?backward'? and '?vjp",
    ),
    "an error of the user": (lambda m: run(m, None, raising), KeyError, "my own error"),
    "an instance that is called": (
        lambda m: type("F", (m.autograd.Function,), {})()(x_of(m)), RuntimeError, "static",
    ),
    "second backward": (twice, RuntimeError, "second time"),
    "saved and written to": (written, RuntimeError, "modified by an inplace operation"),
    "a leaf marked as dirty": (lambda m: once(m, dirty)(x_of(m)), RuntimeError, "a leaf .* requires grad"),
    "marked as dirty, not returned": (
        lambda m: once(m, marks("mark_dirty"))(x_of(m) * 1), RuntimeError, "marked as dirty .* not returned",
    ),
    "marked as dirty, a number": (lambda m: run(m, marks("mark_dirty", 3)), (RuntimeError, TypeError), "mark_dirty"),
    "a constant number": (
        lambda m: run(m, marks("mark_non_differentiable", 3)), (RuntimeError, TypeError), "mark_non_differentiable",
    ),
    "a view written to": (
        lambda m: once(m, lambda ctx, x: x.view(1, 2), uses)(x_of(m) * 1).mul_(2), RuntimeError, "view .* MyFunction|"
        "MyFunction is a view",
    ),
    "an input that is passed on, then written to": (passed_on_then_written, RuntimeError, "view"),
    "an output that is an input, written to": (
        lambda m: once(m, lambda ctx, x: x, uses)(x_of(m) * 1).mul_(2), RuntimeError, "view",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("where", MODULES)
def test_errors(where: str, name: str) -> None:
    program, error, message = ERRORS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=message):
            program(MODULES[where])


@pytest.mark.parametrize("where", MODULES)
def test_manners(where: str) -> None:
    """What both libraries do besides values and derivatives."""
    m = MODULES[where]
    seen: dict[str, Any] = {}

    def forward(ctx: Any, x: Any, n: Any, c: Any) -> Any:
        seen["forward"] = ctx.needs_input_grad, m.is_grad_enabled(), x.requires_grad, ctx.saved_tensors
        ctx.save_for_backward(x, None)
        ctx.shape = "mine"
        return x * 2

    def backward(ctx: Any, g: Any) -> Any:
        x, none = ctx.saved_tensors
        seen["backward"] = m.is_grad_enabled(), g.requires_grad, x.requires_grad, none, ctx.shape
        return g, None, None, None

    apply = once(m, forward, backward)
    x, c = x_of(m), m.ones(2)
    y = apply(x, 3, c)
    assert str(y.grad_fn).startswith(("<MyFunctionBackward", "<torch.autograd.function.MyFunctionBackward"))
    assert "grad_fn=<MyFunctionBackward>" in repr(y)
    assert y.grad_fn.saved_tensors[1] is None
    y.sum().backward()
    assert seen == {"forward": ((True, False, False), False, True, ()), "backward": (False, False, True, None, "mine")}
    with m.no_grad():
        assert not apply(x, 3, c).requires_grad
    assert seen["forward"][0] == (True, False, False)
    # An input that is passed on becomes another tensor on the same memory, whether or not something is recorded.
    passing = once(m, lambda ctx, x: x, lambda ctx, g: g)
    for given in (x, c):
        out = passing(given)
        assert out is not given
        assert out.requires_grad == given.requires_grad
        assert np.shares_memory(out.detach().numpy(), given.detach().numpy())
    # What is not saved does not stand in the way of a second pass.
    total = passing(x).sum()
    total.backward()
    total.backward()
    assert once(m, lambda ctx, x: None)(x) is None
    assert once(m, lambda ctx, x: ())(x) == ()
    assert type(once(m, lambda ctx, x: [x * 1])(x)) is list
    assert [y.requires_grad for y in once(m, lambda ctx, x: (x * 1,))(x)] == [True]
