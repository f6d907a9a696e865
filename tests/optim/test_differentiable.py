"""Steps that are part of the graph: derivatives of a loss after training by what the training depended on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import optim
from autodiff.tensor import Tensor

STEPS = 4
Make = Callable[..., optim.Optimizer]
# What is learned beside the start of the parameters, each a number in the middle of its range.
CASES: dict[str, tuple[Make, dict[str, float]]] = {
    "SGD": (optim.SGD, {"lr": 0.1, "weight_decay": 0.2}),
    "SGD, Nesterov": (lambda p, **o: optim.SGD(p, momentum=0.9, nesterov=True, **o), {"lr": 0.1, "weight_decay": 0.2}),
    "RMSprop": (lambda p, **o: optim.RMSprop(p, momentum=0.5, centered=True, **o), {"lr": 0.02}),
    "Adam": (lambda p, **o: optim.Adam(p, eps=1e-3, amsgrad=True, **o), {"lr": 0.1, "weight_decay": 0.2}),
    "AdamW": (optim.AdamW, {"lr": 0.1, "weight_decay": 0.2}),
    "Adam, betas": (lambda p, b1, b2, **o: optim.Adam(p, betas=(b1, b2), **o), {"lr": 0.1, "b1": 0.8, "b2": 0.95}),
    "Adagrad": (lambda p, **o: optim.Adagrad(p, lr_decay=0.1, weight_decay=0.1, **o), {"lr": 0.1}),
    "Adadelta": (lambda p, **o: optim.Adadelta(p, eps=1e-3, **o), {"lr": 3.0}),
    "Adamax": (optim.Adamax, {"lr": 0.1}),
    "NAdam": (lambda p, **o: optim.NAdam(p, weight_decay=0.1, decoupled_weight_decay=True, **o), {"lr": 0.1}),
    "RAdam": (lambda p, **o: optim.RAdam(p, betas=(0.9, 0.8), **o), {"lr": 0.1}),
    "ASGD": (lambda p, **o: optim.ASGD(p, lambd=0.1, t0=1, **o), {"lr": 0.1}),
    "Lion": (lambda p, **o: optim.Lion(p, weight_decay=0.1, **o), {"lr": 0.1}),
    "Rprop": (optim.Rprop, {"lr": 0.1}),
}


def trained_loss(make: Make, start: Tensor, options: dict[str, Tensor], **more: Any) -> Tensor:
    """A loss after some steps down another, both smooth and bumpy."""
    weights = start.clone()
    optimizer = make([weights], **options, differentiable=True, **more)
    for _ in range(STEPS):
        (weights.grad,) = ad.grad((weights.sin() + weights * weights).sum(), [weights], create_graph=True)
        optimizer.step()
    return (weights**3).sum()


def numbers(values: Any) -> Tensor:
    return ad.tensor(values, dtype=ad.float64, requires_grad=True)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_those_of_differences(name: str) -> None:
    make, learned = CASES[name]
    ad.set_default_dtype(ad.float64)  # so that the numbers an optimizer keeps are not rounded to float32
    try:
        inputs = [numbers([0.7, -1.3, 0.4]), *map(numbers, learned.values())]

        def loss(start: Tensor, *values: Tensor) -> Tensor:
            return trained_loss(make, start, dict(zip(learned, values, strict=True)))

        if name == "Rprop":
            # It reads the rate as a number, as PyTorch's does.
            assert ad.gradcheck(lambda start: loss(start, inputs[1].detach()), (inputs[0],))
        else:
            assert ad.gradcheck(loss, tuple(inputs), rtol=1e-5, atol=1e-7)
    finally:
        ad.set_default_dtype(ad.float32)


@pytest.mark.parametrize("name", [name for name in CASES if name != "Adam, betas"])
def test_the_numbers_are_those_of_plain_steps(name: str) -> None:
    make, learned = CASES[name]
    plain = numbers([0.7, -1.3, 0.4])
    optimizer = make([plain], **learned)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (plain.sin() + plain * plain).sum().backward()
        optimizer.step()
    recorded = trained_loss(make, numbers([0.7, -1.3, 0.4]), {name: numbers(v) for name, v in learned.items()})
    # A plain ASGD rounds its rate to float32 between steps.
    np.testing.assert_allclose(recorded.item(), (plain**3).sum().item(), rtol=1e-7 if name == "ASGD" else 1e-12)


def test_a_step_size_can_be_learned() -> None:
    """Ten steps down a valley of curvature 3 end nearest to its bottom with a rate of 1 / 3."""
    rate = numbers(0.05)
    outer = optim.SGD([rate], lr=0.01)
    for _ in range(100):
        weight = numbers(1.0).clone()
        inner = optim.SGD([weight], lr=rate, differentiable=True)
        for _ in range(3):
            (weight.grad,) = ad.grad(1.5 * weight * weight, [weight], create_graph=True)
            inner.step()
        outer.zero_grad()
        (weight * weight).backward()
        outer.step()
    assert abs(rate.item() - 1 / 3) < 0.1
    assert weight.item() ** 2 < 1e-3


def test_leaves_would_lose_their_history() -> None:
    weights = numbers([1.0, 2.0])
    weights.grad = ad.ones_like(weights)
    optimizer = optim.SGD([("w", weights)], lr=0.1, differentiable=True)
    with pytest.raises(RuntimeError, match=r"parameter w is a leaf .* give p.clone\(\)"):
        optimizer.step()


def test_a_rate_given_as_a_tensor_is_read_at_every_step() -> None:
    rate = ad.tensor(0.5)
    weights = ad.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([weights], lr=rate)
    assert optimizer.param_groups[0]["lr"] is rate
    weights.grad = ad.ones(2)
    optimizer.step()
    rate.fill_(1.0)
    optimizer.step()
    assert weights.tolist() == [-0.5, 0.5]
    assert weights.is_leaf
    rate.fill_(float("nan"))
    with pytest.raises(ValueError, match="finite lr"):
        optimizer.step()
