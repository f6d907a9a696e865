"""`Function`: what is recorded, what is kept alive and released, and what is said when it goes wrong."""

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.autograd.function import FunctionCtx, once_differentiable
from autodiff.inspect.structure import structure_of
from autodiff.tensor import Tensor


class Swish(ad.Function):
    """x times its sigmoid."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x * x.sigmoid()
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        s = x.sigmoid()
        return g * (s + y * (1 - s))


class PolarParts(ad.Function):
    """Two outputs, both saved."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        r, t = (a * a + b * b).sqrt(), a.atan2(b)
        ctx.save_for_backward(r, t)
        return r, t

    @staticmethod
    def backward(ctx: Any, gr: Tensor, gt: Tensor) -> tuple[Tensor, Tensor]:
        r, t = ctx.saved_tensors
        return gr * t.sin() + gt * t.cos() / r, gr * t.cos() - gt * t.sin() / r


def double(*values: float) -> Tensor:
    return ad.tensor(values or (0.5, 1.5, 2.0), dtype=ad.float64, requires_grad=True)


def make(
    forward: Callable[..., Any] = lambda ctx, x, *rest: x * 2, backward: Callable[..., Any] = lambda ctx, g: 2 * g
) -> Callable[..., Any]:
    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    apply: Callable[..., Any] = type("Mine", (ad.Function,), members).apply
    return apply


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_derivatives_of_first_and_second_order() -> None:
    assert ad.gradcheck(Swish.apply, double())
    assert ad.gradgradcheck(Swish.apply, double())
    assert ad.gradcheck(PolarParts.apply, (double(), double(3.0, -1.0, 0.5)))
    assert ad.gradgradcheck(PolarParts.apply, (double(), double(3.0, -1.0, 0.5)))


def test_a_third_derivative() -> None:
    # The weights make the order of differentiation matter; the same without the Function is the reference.
    def third(function: Callable[[Tensor], Tensor]) -> np.ndarray:
        x = double()
        y = function(x)
        for _ in range(3):
            (y,) = ad.grad((y * ad.tensor([1.0, 2.0, 3.0])).sum(), x, create_graph=True)
        return y.detach().numpy()

    np.testing.assert_allclose(third(Swish.apply), third(lambda x: x * x.sigmoid()), rtol=1e-12)


def test_gradients_with_respect_to_outputs_reach_what_was_saved() -> None:
    """The outputs that backward reads are the outputs that the caller holds, also as inputs of `grad`."""
    a, b = double(), double(3.0, -1.0, 0.5)
    r, t = PolarParts.apply(a, b)
    (ga,) = ad.grad((r * r * t).sum(), a, create_graph=True)
    by_r, by_t = ad.grad(ga.sum(), (r, t))
    # ga = 2 r t sin t + r cos t.
    radius, angle = r.detach().numpy(), t.detach().numpy()
    np.testing.assert_allclose(by_r.numpy(), 2 * angle * np.sin(angle) + np.cos(angle), rtol=1e-12)
    np.testing.assert_allclose(by_t.numpy(), radius * (np.sin(angle) + 2 * angle * np.cos(angle)), rtol=1e-12)


def test_backward_is_called_once_for_all_outputs_and_only_with_those_used() -> None:
    calls: list[tuple[Any, ...]] = []

    def backward(ctx: Any, *gradients: Any) -> Tensor:
        calls.append(gradients)
        first, second, third = (g if g is not None else 0 for g in gradients)
        return first + 2 * second + 3 * third

    x = double()
    a, b, c = make(lambda ctx, x: (x * 1, x * 2, x * 3), backward)(x)
    ((a * a).sum() + (b.sum() + b.exp().sum()) * 2).backward()
    assert len(calls) == 1
    assert not calls[0][2].numpy().any()
    del c

    def lazily(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        return x * 1, x * 2, x * 3

    make(lazily, backward)(x)[1].sum().backward()
    assert calls[1][0] is None
    assert calls[1][2] is None


class Both(ad.Function):
    """The product and the sine of the first, both saved with the inputs."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        y, s = a * b, a.sin()
        ctx.save_for_backward(a, b, s)
        return y, s

    @staticmethod
    def backward(ctx: Any, gy: Tensor, gs: Tensor) -> tuple[Tensor, Tensor]:
        a, b, s = ctx.saved_tensors
        # cos a, by what was saved of the output where that is no loss: its derivative goes through the output too.
        return gy * b + gs * (a.cos() * (1 - s) + s * a.cos()), gy * a


def by_ops(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    return a * b, a.sin()


def derivatives_of_a_random_program(seed: int, both: Callable[..., Any]) -> list[Any]:
    """First and second derivatives with respect to leaves and values in between, for the ops that `both` gives."""
    rng = np.random.default_rng(seed)
    leaves = [ad.tensor(rng.uniform(-1, 1, 3), requires_grad=True) for _ in range(2)]
    values = list(leaves)
    for _ in range(rng.integers(2, 8)):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        made = both(a, b)
        values += [made[0] if rng.random() < 0.3 else made[1]] if rng.random() < 0.5 else made
    wanted = [*leaves, values[rng.integers(2, len(values))]]
    total = sum(
        (value * float(weight)).sum() for value, weight in zip(values, rng.uniform(1, 2, len(values)), strict=True)
    )
    first = ad.grad(total, wanted, create_graph=True, materialize_grads=True)
    penalty = sum((g * g * g).sum() for g in first)
    second = ad.grad(penalty, wanted, retain_graph=True, materialize_grads=True)
    total.backward()
    return [g.detach().numpy() for g in (*first, *second, *(x.grad for x in leaves))]


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_agree_with_those_made_of_ops(seed: int) -> None:
    expected, found = (derivatives_of_a_random_program(seed, both) for both in (by_ops, Both.apply))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)


def test_in_a_module_it_trains() -> None:
    class Activation(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = Swish.apply(x)
            return out

    ad.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), Activation(), nn.Linear(8, 1))
    x = ad.randn(32, 2)
    target = (x[:, :1] * x[:, 1:]).detach()
    losses = []
    for _ in range(300):
        loss = ((model(x) - target) ** 2).mean()
        model.zero_grad()
        loss.backward()
        with ad.no_grad():
            for p in model.parameters():
                assert p.grad is not None
                p -= 0.2 * p.grad
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_numpy_and_numbers_in_forward_and_in_a_plain_backward() -> None:
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return ad.from_numpy(np.sinh(x.numpy())) * float(x[0])

    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        rest = ad.from_numpy(np.cosh(x.numpy())) * x[0].item()
        return g * rest + ad.tensor([(g * x.sinh()).sum().item(), 0.0, 0.0], dtype=ad.float64)

    assert ad.gradcheck(make(forward, backward), double())
    x = double()
    (y,) = [make(forward, backward)(x)]
    with pytest.raises(RuntimeError, match=r"numpy\(\).*@once_differentiable"):
        ad.grad(y.sum(), x, create_graph=True)
    number = make(forward, lambda ctx, g: g * ctx.saved_tensors[0][0].item())
    with pytest.raises(RuntimeError, match=r"item\(\).*@once_differentiable"):
        ad.grad(number(x).sum(), x, create_graph=True)
    # A constant may be read.
    mask = make(lambda ctx, x: x * 2, lambda ctx, g: 2 * g * float(ad.ones(1)))
    ad.grad((mask(x) * x).sum(), x, create_graph=True)


def test_once_differentiable_says_so_also_if_the_gradient_that_came_is_constant() -> None:
    class Square(ad.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, g: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return ad.from_numpy(2 * x.numpy() * g.numpy())

    assert ad.gradcheck(Square.apply, double())
    nothing = make(backward=once_differentiable(lambda ctx, g: None))
    x = double()
    assert ad.grad(nothing(x).sum(), x, create_graph=True, allow_unused=True) == (None,)
    x = double()
    (first,) = ad.grad(Square.apply(x).sum(), x, create_graph=True)
    np.testing.assert_array_equal(first.detach().numpy(), 2 * x.detach().numpy())
    # PyTorch takes this for a constant, and the penalty's gradient would be silently wrong.
    with pytest.raises(RuntimeError, match="differentiate twice"):
        ((first * first).sum() + x.sum()).backward()


def test_keyword_arguments_reach_forward() -> None:
    scaled = make(lambda ctx, x, factor=2.0: x * factor, lambda ctx, g: (g * 5, None))
    x = double()
    y = scaled(x, factor=5.0)
    np.testing.assert_array_equal(y.detach().numpy(), 5 * x.detach().numpy())
    y.sum().backward()
    assert x.grad is not None
    with pytest.raises(TypeError, match="unexpected keyword argument 'faktor'"):
        scaled(x, faktor=1.0)


def test_the_context_is_free_for_attributes_and_the_node_shows_them() -> None:
    def forward(ctx: Any, x: Tensor) -> Tensor:
        assert isinstance(ctx, FunctionCtx)
        ctx.shape, ctx.name, ctx.y, ctx.time, ctx.extra = "a", "b", "c", "d", "e"
        return x * 2

    def backward(ctx: Any, g: Tensor) -> Tensor:
        assert (ctx.shape, ctx.name, ctx.y, ctx.time) == ("a", "b", "c", "d")
        return 2 * g

    x = double()
    y = make(forward, backward)(x)
    y.sum().backward()
    assert y.grad_fn.extra == "e"
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = y.grad_fn.absent


def test_an_error_in_backward_is_the_users() -> None:
    def backward(ctx: Any, g: Tensor) -> Tensor:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        make(backward=backward)(double()).sum().backward()


def test_messages_name_the_class_and_what_to_do() -> None:
    cases: list[tuple[Callable[..., Any], Any, tuple[str, ...]]] = [
        (make(backward=lambda ctx, g: (g, g)), (), ("MineBackward", "expected 1, got 2", "one for each argument")),
        (make(backward=lambda ctx, g: g), (3.0,), ("MineBackward", "expected 2, got 1", "None for an argument")),
        (make(backward=lambda ctx, g: g[:2]), (), ("MineBackward", "index 0", "got [2]", "compatible with [3]")),
        (make(backward=lambda ctx, g: (g, g)), (3.0,), ("MineBackward", "position 2", "return None")),
        (make(backward=lambda ctx, g: g.numpy()), (), ("MineBackward", "Tensor or None", "ndarray")),
    ]
    for apply, extra, words in cases:
        with pytest.raises(RuntimeError) as caught:
            apply(double(), *extra).sum().backward()
        assert [word for word in words if word not in str(caught.value)] == []


def test_a_tensor_of_inference_mode_cannot_be_saved() -> None:
    with ad.inference_mode():
        weight = ad.ones(3, dtype=ad.float64)

    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return x * w

    with pytest.raises(RuntimeError, match="made inside inference_mode cannot be saved"):
        make(forward)(double(), weight)


def test_a_write_after_saving_is_noticed() -> None:
    x, w = double(), ad.ones(3, dtype=ad.float64)

    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(w)
        return x * w

    y = make(forward, lambda ctx, g: (g * ctx.saved_tensors[0], None))(x, w)
    w.add_(1)
    with pytest.raises(RuntimeError, match=r"Mine saved .* add_ wrote to that memory"):
        y.sum().backward()


def test_what_forward_writes_by_numpy_is_stamped_as_dirty() -> None:
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x.numpy()[:] *= 2
        ctx.mark_dirty(x)
        return x

    x = double()
    y = x.exp()
    z = make(forward)(y)
    assert z is y
    # exp saved its output, which is overwritten.
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    y = x + 1
    whole = y.view(3, 1)
    make(forward)(y)
    (whole * whole).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 8 * (x.detach().numpy() + 1))


def test_a_step_leaves_nothing_to_collect(no_collector: None) -> None:
    a, b = double(), double(3.0, -1.0, 0.5)
    passing = make(lambda ctx, x: x, lambda ctx, g: g)

    def step() -> None:
        r, t = PolarParts.apply(a, b)
        (first,) = ad.grad((Swish.apply(r) * t).sum(), a, create_graph=True)
        ad.grad((first * first).sum(), (a, b))
        abandoned = PolarParts.apply(Swish.apply(a), r)
        del abandoned
        passing(a * 1).sum().backward()

    step()
    gc.collect()
    step()
    assert gc.collect() == 0


def test_saved_tensors_are_released_by_backward(no_collector: None) -> None:
    x = double()
    kept: list[weakref.ref[Any]] = []

    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        inside, y, z = x.exp(), x * 2, x * 3
        ctx.save_for_backward(inside, x, y, z)
        kept[:] = [weakref.ref(t.array) for t in (inside, y, z)]
        return y, z

    apply = make(forward, lambda ctx, g, h: g * ctx.saved_tensors[0])
    y, z = apply(x)
    total = y.sum()
    del y, z
    assert all(array() is not None for array in kept)
    total.backward(retain_graph=True)
    assert all(array() is not None for array in kept)
    total.backward()
    assert all(array() is None for array in kept)
    with pytest.raises(RuntimeError, match=r"second time: Mine has freed .* retain_graph=True"):
        total.backward()
    y, z = apply(x)
    context = weakref.ref(y.grad_fn.p0.ctx)
    del y, z
    assert context() is None
    assert all(array() is None for array in kept)


def test_a_long_chain_needs_no_recursion(no_collector: None) -> None:
    x = double(1.0)
    y = x
    halves = make(lambda ctx, x: (x / 2, x / 2), lambda ctx, g, h: (g + h) / 2)
    for _ in range(5_000):
        left, right = halves(y)
        y = left + right
    (gradient,) = ad.grad(y, x)
    assert gradient.item() == 1.0


def test_hooks_on_an_output_and_on_the_input() -> None:
    x = double()
    middle = x * 1
    r, t = PolarParts.apply(middle, middle)
    only = Swish.apply(middle)
    only.register_hook(lambda g: 0 * g)
    only.sum().backward(retain_graph=True)
    assert not x.grad.numpy().any()
    seen: list[str] = []
    r.register_hook(lambda g: seen.append("output") or 10 * g)
    middle.register_hook(lambda g: seen.append("input"))
    (r.sum() + t.sum()).backward()
    assert seen == ["output", "input"]
    # r = √2 x, and t is constant.
    np.testing.assert_allclose(x.grad.numpy(), 10 * np.sqrt(2) * np.ones(3), rtol=1e-12)


def test_it_can_be_drawn() -> None:
    x = double()
    r, t = PolarParts.apply(Swish.apply(x), x)
    labels = [box.label for box in structure_of({"y": r + t}, {}, {}).boxes.values()]
    assert labels.count("Swish") == labels.count("PolarParts") == 1


def test_definitions_for_forward_mode_and_vectorisation_are_accepted() -> None:
    class Sine(ad.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return x.sin()

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            return g * ctx.saved_tensors[0].cos()

        @staticmethod
        def jvp(ctx: Any, tangent: Tensor) -> Tensor:
            return tangent * ctx.saved_for_forward[0].cos()

    x = double()
    y = Sine.apply(x)
    node = y.grad_fn
    tangent = node.op.function.jvp(node.ctx, ad.ones(3, dtype=ad.float64))
    np.testing.assert_array_equal(tangent.detach().numpy(), np.cos(x.detach().numpy()))
    with pytest.raises(NotImplementedError, match="jvp"):
        ad.Function.jvp(None)
