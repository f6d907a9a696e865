"""The mistakes that everybody makes once with automatic differentiation: each error says what to do instead."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.tensor import Tensor


def w() -> Tensor:
    return ad.ones(2, requires_grad=True)


def backward_twice() -> None:
    loss = (w() ** 2).sum()
    loss.backward()
    loss.backward()


def overwritten_result() -> None:
    y = w().exp()
    y += 1
    y.sum().backward()


def overwritten_parameter() -> None:
    x = w()
    loss = (x * x).sum()
    with ad.no_grad():
        x -= 0.1
    loss.backward()


def loss_made_without_grad() -> None:
    x = w()
    with ad.no_grad():
        loss = (x * x).sum()
    loss.backward()


def loss_of_numbers() -> None:
    ad.tensor(float((w() * 2).sum().item())).backward()


def update_of_a_parameter() -> None:
    x = w()
    x -= 0.1


def update_of_a_part_of_a_parameter() -> None:
    w()[0] = 0.0


def inference_tensor() -> Tensor:
    with ad.inference_mode():
        return ad.ones(2)


MISTAKES: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "backward twice": (backward_twice, ["second time", "output shape (2,)", "retain_graph=True"]),
    "a result overwritten": (overwritten_result, ["exp saved its output", "float32 (2,)", "add_ wrote", "clone()"]),
    "a parameter overwritten": (overwritten_parameter, ["mul saved an input", "sub_ wrote", "backward() before"]),
    "no grad_fn, under no_grad": (loss_made_without_grad, ["no grad_fn", "shape ()", "outside no_grad()"]),
    "no grad_fn, after item()": (loss_of_numbers, ["does not require grad", "computed from parameters"]),
    "an update that is recorded": (update_of_a_parameter, ["sub_: a leaf tensor", "with ad.no_grad():"]),
    "a part of a parameter": (update_of_a_part_of_a_parameter, ["a view of a leaf tensor", "with ad.no_grad():"]),
    "a loss with elements": (lambda: (w() * 2).backward(), ["scalar outputs", "shape (2,)", "y.sum() or y.mean()"]),
    "an unused parameter": (lambda: ad.grad((w() * 2).sum(), w()), ["input 0 (shape (2,))", "allow_unused=True"]),
    "an input without grad": (lambda: ad.grad(w().sum(), ad.ones(2)), ["input 0", "requires_grad=True"]),
    "numpy of a parameter": (lambda: w().numpy(), ["numpy() on a tensor that requires grad", "x.detach().numpy()"]),
    "array of a parameter": (lambda: np.asarray(w()), ["requires grad", "x.detach().numpy()"]),
    "a number of many": (lambda: w().item(), ["2 elements", "exactly one element", "x.sum()"]),
    "the truth of many": (lambda: bool(w() > 0), ["2 elements is ambiguous", "x.any() or x.all()"]),
    "inference tensor, saved": (lambda: w() * inference_tensor(), ["made inside inference_mode", "clone() it first"]),
    "inference tensor, trained": (lambda: inference_tensor().requires_grad_(), ["inside inference_mode", "x.clone()"]),
    "inference tensor, written": (lambda: inference_tensor().add_(1), ["add_: a tensor made inside", "clone()"]),
    "whole numbers to train": (
        lambda: ad.ones(2, dtype=ad.int64).requires_grad_(),
        ["floating-point dtype", "got int64", "x.float()"],
    ),
    "freezing a result": (lambda: (w() * 2).requires_grad_(False), ["leaf tensors only", "computed by mul"]),
    "copying a result": (lambda: __import__("copy").deepcopy(w() * 2), ["leaf tensors", "x.detach().clone()"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_error_says_what_was_expected_what_came_and_what_to_do(name: str) -> None:
    mistake, parts = MISTAKES[name]
    with pytest.raises(RuntimeError) as caught:
        mistake()
    assert [part for part in parts if part not in str(caught.value)] == []


def test_the_gradient_of_a_result_is_none_and_a_warning_says_how_to_keep_it() -> None:
    y = w() * 2
    y.sum().backward()
    with pytest.warns(UserWarning, match=r"computed by mul.*leaves only; call x\.retain_grad\(\) before backward\(\)"):
        assert y.grad is None
    y = w() * 2
    y.retain_grad()
    y.sum().backward()
    assert y.grad is not None


def test_a_gradient_that_is_not_there_yet_is_none() -> None:
    x = w()
    with pytest.raises(TypeError, match="NoneType"):
        x - 0.1 * x.grad  # type: ignore[operator]
