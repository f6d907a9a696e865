"""Hooks beside PyTorch: what they see, in which order, what they replace, and in which passes they run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import autodiff as ad

Scenario = Callable[[Any], Iterator[Any]]


def leaf(m: Any) -> Any:
    return m.tensor([1.0, 2.0, 3.0], dtype=m.float64, requires_grad=True)


def grad_of(m: Any) -> Any:
    return torch.autograd.grad if m is torch else ad.grad


def order(m: Any) -> Iterator[Any]:
    x, seen = leaf(m), []
    x.register_hook(lambda g: seen.append(("first", g.tolist())))
    x.register_hook(lambda g: 2 * g)
    x.register_hook(lambda g: seen.append(("third", g.tolist())))
    y = x * x
    y.register_hook(lambda g: seen.append(("middle", g.tolist())))
    z = y.sum()
    z.register_hook(lambda g: seen.append(("loss", g.tolist())))
    z.backward()
    yield seen
    yield x.grad


def replaced(m: Any) -> Iterator[Any]:
    x = leaf(m)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: None)
    (y * y).sum().backward()
    yield x.grad
    x = leaf(m)
    handle = x.register_hook(lambda g: g.clamp(max=1.0))
    (x * 5).sum().backward()
    yield x.grad
    handle.remove()
    handle.remove()
    (x * 5).sum().backward()
    yield x.grad
    with x.register_hook(lambda g: g * 0):
        (x * 5).sum().backward()
    yield x.grad
    (x * 5).sum().backward()
    yield x.grad


def wrong(m: Any) -> Iterator[Any]:
    for bad in (lambda g: g[:2], lambda g: g.sum(), lambda g: 3.0, lambda g: g[None]):
        for make in (lambda x: x, lambda x: x * 1):
            x = leaf(m)
            y = make(x)
            y.register_hook(bad)
            yield (y * 2).sum().backward
    yield lambda: m.ones(2).register_hook(lambda g: g)
    yield lambda: leaf(m).detach().register_hook(lambda g: g)
    yield lambda: (leaf(m) * 1).register_post_accumulate_grad_hook(lambda x: None)
    yield lambda: m.ones(2).register_post_accumulate_grad_hook(lambda x: None)
    yield lambda: m.ones(2).retain_grad()
    x = leaf(m)
    x.register_hook(lambda g: 1 / 0)
    yield (x * 2).sum().backward


def other_dtypes(m: Any) -> Iterator[Any]:
    x = m.ones(2, requires_grad=True)
    x.register_hook(lambda g: g.double())
    yield (x * 2).sum().backward


def shared_tensors(m: Any) -> Iterator[Any]:
    """A tensor used several times: the hook sees the sum, once."""
    x, seen = leaf(m), []
    y = x * 1
    y.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: seen.append(g.tolist()))
    (y.sum() + (y * y).sum() + x.sum()).backward()
    yield seen
    yield x.grad


def twice(m: Any) -> Iterator[Any]:
    x, seen = leaf(m), []
    y = x.exp()
    y.register_hook(lambda g: seen.append(g.tolist()))
    z = y.sum()
    z.backward(retain_graph=True)
    y.register_hook(lambda g: g * 2)
    z.backward()
    yield seen
    yield x.grad


def with_grad(m: Any) -> Iterator[Any]:
    grad, x = grad_of(m), leaf(m)
    seen: list[Any] = []
    y = x * 2
    z = y * y
    for name, tensor in (("x", x), ("y", y), ("z", z)):
        tensor.register_hook(lambda g, name=name: seen.append((name, g.tolist())))
        tensor.register_hook(lambda g: g * 10)
    for inputs in (x, y, z, [x, y], [z, x]):
        yield grad(z, inputs, m.ones(3, dtype=m.float64), retain_graph=True)
    yield seen
    z.sum().backward(inputs=[y], retain_graph=True)
    yield y.grad
    z.sum().backward(inputs=[x], retain_graph=True)
    yield x.grad
    yield seen


def under_create_graph(m: Any) -> Iterator[Any]:
    grad, x, w = grad_of(m), leaf(m), leaf(m)
    modes: list[bool] = []
    y = x**3
    y.register_hook(lambda g: g * w)
    x.register_hook(lambda g: (modes.append(g.requires_grad), g * g)[1])
    (first,) = grad(y.sum(), x, create_graph=True)
    yield first
    yield grad(first.sum(), [x, w], retain_graph=True)
    yield grad(y.sum(), x, retain_graph=True)
    yield modes
    y.sum().backward()
    yield x.grad


def mode_inside(m: Any) -> Iterator[Any]:
    x, seen = leaf(m), []
    x.register_hook(lambda g: seen.append((m.is_grad_enabled(), (x * 2).requires_grad)))
    (x * 2).sum().backward()
    with m.no_grad():
        y = leaf(m)
    y.register_hook(lambda g: seen.append(m.is_grad_enabled()))
    (y * 2).sum().backward(create_graph=True)
    yield seen


def retained(m: Any) -> Iterator[Any]:
    x = leaf(m)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    yield [x.retains_grad, y.retains_grad, (x * 1).retains_grad]
    x.retain_grad()
    z = (y * y).sum()
    z.backward(retain_graph=True)
    yield y.grad
    z.backward()
    yield y.grad
    x = leaf(m)
    y = x * 2
    y.register_hook(lambda g: g * 3)
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    y.sum().backward()
    yield y.grad
    yield x.grad
    y = leaf(m) * 2
    y.retain_grad()
    y.sum().backward(create_graph=True)
    yield y.grad.tolist()


def writes_in_place(m: Any) -> Iterator[Any]:
    """A hook stays with the value it was registered for; a retained gradient is that of the last value."""
    x, seen = leaf(m), []
    y = x * 1
    y.register_hook(lambda g: seen.append(("before", g.tolist())))
    y.mul_(3)
    y.register_hook(lambda g: seen.append(("after", g.tolist())))
    (y * y).sum().backward()
    yield seen
    yield x.grad
    x = leaf(m)
    y = x * 1
    y.retain_grad()
    y.mul_(3)
    yield y.retains_grad
    (y * y).sum().backward()
    yield y.grad
    x = leaf(m)
    base = x * 1
    view = base[1:]
    view.retain_grad()
    view.mul_(2)
    (base * base).sum().backward()
    yield x.grad


def after_accumulation(m: Any) -> Iterator[Any]:
    x, seen = leaf(m), []
    x.register_hook(lambda g: seen.append("hook"))
    first = x.register_post_accumulate_grad_hook(lambda x: seen.append(("first", x.grad.tolist())))
    x.register_post_accumulate_grad_hook(lambda x: seen.append(("second", x.grad.tolist())))
    (x * x).sum().backward()
    (x * x).sum().backward()
    first.remove()
    grad_of(m)((x * x).sum(), x)
    (x * x).sum().backward()
    yield seen

    def step(p: Any) -> None:
        p.add_(p.grad, alpha=-0.1)
        p.grad = None

    weights = leaf(m)
    weights.register_post_accumulate_grad_hook(step)
    for _ in range(3):
        (weights * weights).sum().backward()
    yield weights
    yield weights.grad


def of_views(m: Any) -> Iterator[Any]:
    x, seen = leaf(m), []
    view = x[1:]
    view.register_hook(lambda g: seen.append(g.tolist()))
    (x.sum() + (view * view).sum()).backward()
    yield seen
    yield x.grad
    parts = (leaf(m) * 1).unbind()
    parts[1].register_hook(lambda g: seen.append(g.item()))
    m.stack(parts[::-1]).cumsum(0).sum().backward()
    yield seen


SCENARIOS: list[Scenario] = [
    order, replaced, wrong, other_dtypes, shared_tensors, twice, with_grad, under_create_graph, mode_inside, retained,
    writes_in_place, after_accumulation, of_views,
]  # fmt: skip


def outcome(value: Any) -> Any:
    if callable(value):
        try:
            value()
        except (RuntimeError, TypeError, ZeroDivisionError):
            return "raises"
        return "works"
    if isinstance(value, tuple | list):
        return [outcome(part) for part in value]
    return value.detach().tolist() if isinstance(value, torch.Tensor | ad.Tensor) else value


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_hooks(scenario: Scenario) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step, (a, b) in enumerate(zip(scenario(torch), scenario(ad), strict=True)):
            assert outcome(b) == outcome(a), step
