"""Hooks see and replace gradients; whoever removes them, or lets the tensor go, leaves nothing behind."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.tensor import Tensor


@pytest.fixture
def x() -> Tensor:
    return ad.tensor([1.0, 2.0], requires_grad=True)


def test_hooks_run_in_order_and_what_they_return_takes_the_place_of_the_gradient(x: Tensor) -> None:
    seen: list[list[float]] = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: 10 * g)
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 3).sum().backward()
    assert seen == [[3.0, 3.0], [30.0, 30.0]]
    assert x.grad is not None
    assert x.grad.tolist() == [30.0, 30.0]


def test_a_hook_of_a_result_runs_in_every_kind_of_pass(x: Tensor) -> None:
    y = x * x
    y.register_hook(lambda g: g * 2)
    for options in ({}, {"create_graph": True}):
        assert ad.grad(y.sum(), x, retain_graph=True, **options)[0].tolist() == [4.0, 8.0]
    y.sum().backward(inputs=[x], retain_graph=True)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [8.0, 16.0]


def test_hooks_are_part_of_the_second_derivative(x: Tensor) -> None:
    y = x**3
    y.register_hook(lambda g: g * x)
    (first,) = ad.grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(ad.grad(first.sum(), x)[0].numpy(), 9 * x.detach().numpy() ** 2)


def test_a_handle_removes_its_hook_once_or_at_the_end_of_a_block(x: Tensor) -> None:
    handle = x.register_hook(lambda g: g * 0)
    handle.remove()
    handle.remove()
    with x.register_hook(lambda g: g * 5):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [6.0, 6.0]


def test_the_gradient_of_a_result_is_kept_if_asked_for_and_follows_writes(x: Tensor) -> None:
    y = x * 2
    y.retain_grad()
    assert y.retains_grad
    assert not x.retains_grad
    y.mul_(3)
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad is not None
    assert y.grad.tolist() == [12.0, 24.0]


def test_what_waits_for_the_accumulated_gradient_may_step_and_free_it(x: Tensor) -> None:
    def step(p: Tensor) -> None:
        assert p.grad is not None
        p -= p.grad
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * x).sum().backward()
    assert x.tolist() == [-1.0, -2.0]
    assert x.grad is None


def test_the_errors_say_what_was_expected_what_came_and_what_to_do(x: Tensor) -> None:
    for call, error, message in (
        (lambda: ad.ones(2).register_hook(abs), RuntimeError, r"expected a tensor that requires grad.*requires_grad_"),
        (lambda: x.register_hook(3), TypeError, "register_hook: expected a function of one tensor, got int 3"),
        (lambda: (x * 1).register_post_accumulate_grad_hook(abs), RuntimeError, "expected a leaf"),
    ):
        with pytest.raises(error, match=message):
            call()
    for bad in (lambda g: g[:1], lambda g: g.double(), lambda g: 1.0):
        with x.register_hook(bad), pytest.raises(RuntimeError, match=r"like the one it got, float32 \(2,\); it ret"):
            (x * 1).sum().backward()


def test_a_hook_that_fails_leaves_the_engine_usable(x: Tensor) -> None:
    with x.register_hook(lambda g: 1 / 0), pytest.raises(ZeroDivisionError):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert ad.is_grad_enabled()


def test_hooks_leave_nothing_for_the_collector() -> None:
    def work() -> list[weakref.ref[Any]]:
        w = ad.ones(2, requires_grad=True)
        y = w * 2
        y.retain_grad()
        handles = [w.register_hook(lambda g: g), y.register_hook(lambda g: g * 2)]
        w.register_post_accumulate_grad_hook(lambda p: None)
        (y * y).sum().backward()
        return [weakref.ref(part) for part in (w, y, *handles)]

    work()
    gc.collect()
    gc.disable()
    try:
        assert all(reference() is None for reference in work())
        assert gc.collect() == 0
    finally:
        gc.enable()
