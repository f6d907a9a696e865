"""Memory: graphs go at once and without recursion, nothing is left for the garbage collector."""

import contextlib
import copy
import gc
import pickle
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.tensor import Tensor


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Without the collector only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_chain_of_a_million_ops_differentiates_and_is_freed_without_recursion(no_collector: None) -> None:
    x = ad.tensor(1.0, dtype=ad.float64, requires_grad=True)
    y = x
    start = time.perf_counter()
    for _ in range(500_000):
        y = y * 1.0 + 0.0
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0
    del y
    # It takes some 2 s; a minute means that something is quadratic.
    assert time.perf_counter() - start < 60


def test_a_chain_through_ops_of_many_inputs_and_by_grad_needs_no_recursion(no_collector: None) -> None:
    x = ad.tensor(1.0, dtype=ad.float64, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = ad.stack([y, y]).sum() / 2
    (gradient,) = ad.grad(y, x)
    assert gradient.item() == 1.0


def test_a_long_chain_differentiates_twice_without_recursion(no_collector: None) -> None:
    x = ad.tensor(1.0, dtype=ad.float64, requires_grad=True)
    y = x * x
    for _ in range(20_000):
        y = y * 1.0
    (first,) = ad.grad(y, x, create_graph=True)
    (second,) = ad.grad(first, x)
    assert second.item() == 2.0


def test_an_abandoned_graph_is_freed_without_a_backward(no_collector: None) -> None:
    x = ad.ones(10, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y.sin()
    last = weakref.ref(y.array)
    del y
    assert last() is None


def training_step(parameters: list[Tensor], x: Tensor, target: Tensor) -> float:
    w, b, v = parameters
    hidden = (x @ w + b).relu()
    logits = (hidden / (hidden.std(0) + 1e-5)) @ v
    loss = -(logits.log_softmax(1)[ad.arange(len(x)), target]).mean() + 1e-3 * sum((p * p).sum() for p in parameters)
    for p in parameters:
        p.grad = None
    loss.backward()
    with ad.no_grad():
        for p in parameters:
            assert p.grad is not None
            p -= 0.1 * p.grad
    return loss.item()


def test_a_training_step_leaves_nothing_to_collect(no_collector: None) -> None:
    rng = np.random.default_rng(0)
    parameters = [ad.tensor(rng.standard_normal(s), requires_grad=True) for s in ((4, 8), (8,), (8, 3))]
    x, target = ad.tensor(rng.standard_normal((16, 4))), ad.tensor(rng.integers(0, 3, 16))
    training_step(parameters, x, target)  # fills caches
    gc.collect()
    losses = [training_step(parameters, x, target) for _ in range(3)]
    assert gc.collect() == 0
    assert losses[2] < losses[0]


def test_double_backward_leaves_nothing_to_collect(no_collector: None) -> None:
    x = ad.ones(3, dtype=ad.float64, requires_grad=True)

    def step() -> None:
        (first,) = ad.grad((x.exp() * x).sum(), x, create_graph=True)
        ad.grad((first * first).sum(), x)

    step()
    gc.collect()
    step()
    assert gc.collect() == 0


def test_errors_leave_the_engine_usable_and_nothing_behind(no_collector: None) -> None:
    x = ad.ones(3, requires_grad=True)

    def failing() -> None:
        y = x.exp().sum()
        y.backward()
        with contextlib.suppress(RuntimeError):
            y.backward()
        with contextlib.suppress(RuntimeError):
            x + ad.ones(2)

    failing()
    gc.collect()
    alive = len(gc.get_objects())
    for _ in range(20):
        failing()
    gc.collect()
    assert len(gc.get_objects()) <= alive + 20


def test_intermediate_tensors_die_when_the_last_name_goes(no_collector: None) -> None:
    x = ad.ones(3, requires_grad=True)
    middle = x + 1
    array, tensor = weakref.ref(middle.array), weakref.ref(middle)
    y = middle.sum()
    del middle
    # No rule of add or sum reads the values, so nothing keeps the array alive; the graph still works.
    assert tensor() is None
    assert array() is None
    y.backward()
    assert x.grad is not None


def test_what_a_rule_reads_stays_alive_until_backward_has_used_it(no_collector: None) -> None:
    x = ad.ones(3, requires_grad=True)
    middle = x.exp()
    array = weakref.ref(middle.array)
    y = middle.sum()
    del middle
    assert array() is not None
    y.backward()
    assert array() is None
    assert y.grad_fn is not None


def test_backward_frees_as_it_goes(no_collector: None) -> None:
    """When the rule of the first op runs, what the later ops saved is gone already."""
    x = ad.ones(3, requires_grad=True)
    first = x.exp()
    saved_later = weakref.ref((late := first.sin() * 2).array)
    y = late.exp()
    saved_last = weakref.ref(y.array)
    loss = y.sum()
    alive: list[bool] = []

    class Probe(np.ndarray):
        """An array that tells when the rule of the first op multiplies by it."""

        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: object) -> object:
            alive.append(saved_last() is not None)
            plain = [np.asarray(a) if isinstance(a, Probe) else a for a in inputs]
            return getattr(ufunc, method)(*plain, **options)

    assert first.node is not None
    first.node.y = first.array.view(Probe)
    del y, late
    assert saved_last() is not None
    assert saved_later() is None
    loss.backward()
    assert alive == [False]


def test_a_retained_graph_keeps_what_it_saved(no_collector: None) -> None:
    x = ad.ones(3, requires_grad=True)
    middle = x.exp()
    array = weakref.ref(middle.array)
    y = middle.sum()
    del middle
    y.backward(retain_graph=True)
    assert array() is not None
    del y
    assert array() is None


def test_a_graph_does_not_keep_its_leaf_alive(no_collector: None) -> None:
    x = ad.ones(3, requires_grad=True)
    leaf = weakref.ref(x)
    y = (x + 1).sum()
    del x
    assert leaf() is None
    y.backward()


def test_grad_releases_the_seed_and_the_graph(no_collector: None) -> None:
    x = ad.ones(3, requires_grad=True)
    seed = ad.ones(3)
    watch = weakref.ref(seed.array)
    (gradient,) = ad.grad(x.exp(), x, seed)
    del seed
    assert watch() is None
    assert gradient.is_leaf


def test_constants_are_not_recorded(no_collector: None) -> None:
    x = ad.ones(3)
    watch = weakref.ref(x.array)
    y = x.exp().sum()
    del x
    assert watch() is None
    assert y.node is None


class Doubled(ad.Function):
    """A function of two outputs that saves an input and an output."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * 1.0
        ctx.save_for_backward(x, y)
        return y, x * 0.0

    @staticmethod
    def backward(ctx: Any, g: Tensor, h: Tensor) -> Tensor:
        assert len(ctx.saved_tensors) == 2
        return g + h * 0.0


def seen(g: Tensor) -> None:
    """A hook that leaves the gradient as it is."""


def hooked(y: Tensor) -> Tensor:
    y = y * 1.0
    y.register_hook(seen)
    return y


def retained(y: Tensor) -> Tensor:
    y = y * 1.0
    y.retain_grad()
    return y


def written_through_a_view(y: Tensor) -> Tensor:
    y.view(-1)[:2].mul_(1.0)
    return y


LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "view": lambda y: y.view(3, 2).view(2, 3),
    "write": lambda y: y.mul_(1.0),
    "write through a view": written_through_a_view,
    "write of an output that is read": lambda y: y.mul_(y.exp() * 0.0 + 1.0),
    "hook": hooked,
    "retained gradient": retained,
    "Function": lambda y: Doubled.apply(y)[0],
    "pieces": lambda y: ad.cat(y.split(1)),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
def test_long_chains_of_every_kind_need_no_recursion_and_leave_nothing(
    link: Callable[[Tensor], Tensor], no_collector: None
) -> None:
    """30,000 links are several times what the C stack or the interpreter would bear, did anything recurse."""
    x = ad.ones(2, 3, requires_grad=True)
    y = x * 1.0
    for _ in range(30_000):
        y = link(y)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0] * 3] * 2
    last = weakref.ref(y)
    y = link(y)
    del y
    assert last() is None
    assert gc.collect() == 0


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
def test_no_kind_of_graph_is_a_cycle(link: Callable[[Tensor], Tensor], no_collector: None) -> None:
    def graphs() -> list[weakref.ref[Any]]:
        x = ad.ones(2, 3, requires_grad=True)
        x.register_hook(seen)
        y = link(x * 1.0)
        (first,) = ad.grad((y * y).sum(), x, create_graph=True)
        (first * first).sum().backward(create_graph=True)
        abandoned = link(x.exp())
        assert x.grad is not None
        return [weakref.ref(t) for t in (x, y, first, x.grad, abandoned)]

    graphs()
    gc.collect()
    assert [watch() for watch in graphs()] == [None] * 5
    assert gc.collect() == 0


def test_a_leaf_whose_gradient_has_a_long_graph_is_copied_pickled_and_freed(no_collector: None) -> None:
    x = ad.ones(2, requires_grad=True)
    y = x * x
    for _ in range(100_000):
        y = y * 1.0
    y.sum().backward(create_graph=True)
    assert x.grad is not None
    assert x.grad.requires_grad
    twin = copy.deepcopy(x)
    assert twin.grad is not None
    assert twin.grad.tolist() == [2.0, 2.0]
    assert not twin.grad.requires_grad
    assert pickle.loads(pickle.dumps(x)).grad is None
    gradient = weakref.ref(x.grad)
    del x, y
    assert gradient() is None
    assert gc.collect() == 0


def test_a_view_after_many_views_is_copied_pickled_and_written_to(no_collector: None) -> None:
    root = ad.ones(2, 3)
    y = root
    for _ in range(100_000):
        y = y.view(6).view(2, 3)
    for twin in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert twin.tolist() == y.tolist()
        assert not twin._is_view()
    x = ad.full((2, 3), 3.0, requires_grad=True)
    y.mul_(x)
    root.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0] * 3] * 2
    last = weakref.ref(y)
    del y
    assert last() is None
    assert gc.collect() == 0


def test_backward_holds_nothing_that_an_earlier_rule_has_used(no_collector: None) -> None:
    """The operand of a product, and the gradients on the way, are gone when the rule of an older op runs."""
    x = ad.ones(3, requires_grad=True)
    watched: list[weakref.ref[Any]] = []
    alive: list[list[bool]] = []

    def look(g: Tensor) -> None:
        alive.append([watch() is not None for watch in watched])

    start = x * 2.0
    start.register_hook(look)
    right = start.exp()
    product = start.sin() * right
    watched += [weakref.ref(right.array), weakref.ref(product.array)]
    y = product.exp()
    watched.append(weakref.ref(y.array))
    loss = y.tanh().sum()
    del start, right, product, y
    loss.backward()
    assert alive == [[False, False, False]]
