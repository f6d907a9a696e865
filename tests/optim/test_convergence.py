"""Every optimizer reaches the minimum of functions that are known to be hard for it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import optim
from autodiff.tensor import Tensor

Make = Callable[[list[Tensor]], optim.Optimizer]


def minimize(loss: Callable[[Tensor], Tensor], start: Any, make: Make, steps: int) -> Tensor:
    x = ad.tensor(start, dtype=ad.float64, requires_grad=True)
    optimizer = make([x])
    for _ in range(steps):
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()
    return x


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda p: optim.SGD(p, lr=1e-3, momentum=0.9), 4000),
        (lambda p: optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True), 4000),
        (lambda p: optim.RMSprop(p, lr=2e-3, momentum=0.5), 4000),
        (lambda p: optim.Adam(p, lr=2e-2), 4000),
        (lambda p: optim.Adam(p, lr=5e-2, amsgrad=True), 4000),
        (lambda p: optim.AdamW(p, lr=2e-2, weight_decay=0.0), 4000),
    ],
    ids=["SGD", "Nesterov", "RMSprop", "Adam", "AMSGrad", "AdamW"],
)
def test_rosenbrock(make: Make, steps: int) -> None:
    """Rosenbrock (1960): a curved valley with its minimum of 0 at (1, 1); from its usual start, (-1.2, 1)."""
    x = minimize(lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2, [-1.2, 1.0], make, steps)
    np.testing.assert_allclose(x.detach().numpy(), [1.0, 1.0], atol=1e-2)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=3.6e-3, momentum=0.88),
        lambda p: optim.SGD(p, lr=1e-3, momentum=0.95, nesterov=True),
        lambda p: optim.RMSprop(p, lr=1e-3),
        lambda p: optim.Adam(p, lr=3e-2),
    ],
    ids=["SGD", "Nesterov", "RMSprop", "Adam"],
)
def test_ill_conditioned_quadratic(make: Make) -> None:
    """Curvatures from 1 to 1000, a condition number at which plain descent has hardly moved along the flat axis."""
    curvature = ad.tensor([1.0, 10.0, 100.0, 1000.0], dtype=ad.float64)
    target = ad.tensor([1.0, -1.0, 0.5, -0.5], dtype=ad.float64)
    x = minimize(lambda x: (curvature * (x - target) ** 2).sum() / 2, [0.0] * 4, make, 3000)
    np.testing.assert_allclose(x.detach().numpy(), target.numpy(), atol=2e-3)


def test_momentum_beats_plain_descent_on_the_flat_axis() -> None:
    curvature = ad.tensor([1.0, 1000.0], dtype=ad.float64)

    def loss(x: Tensor) -> Tensor:
        return (curvature * x * x).sum() / 2

    # Each with the best constants for these curvatures (Polyak 1964): 2 / (1 + 1000), and 4 / (1 + sqrt(1000))**2.
    root = 1000**0.5
    plain = minimize(loss, [1.0, 1.0], lambda p: optim.SGD(p, lr=2 / 1001), 300)
    heavy = minimize(
        loss,
        [1.0, 1.0],
        lambda p: optim.SGD(p, lr=4 / (1 + root) ** 2, momentum=((root - 1) / (root + 1)) ** 2),
        300,
    )
    assert abs(plain[0].item()) > 0.5
    assert abs(heavy[0].item()) < 1e-4


def test_maximize_climbs() -> None:
    x = ad.tensor([0.0], requires_grad=True)
    optimizer = optim.SGD([x], lr=0.1, momentum=0.5, maximize=True)
    for _ in range(100):
        optimizer.zero_grad()
        (-((x - 2) ** 2)).sum().backward()
        optimizer.step()
    assert abs(x.item() - 2) < 1e-3


def test_adamw_decays_weights_that_have_no_slope() -> None:
    x = ad.tensor([1.0], dtype=ad.float64, requires_grad=True)
    x.grad = ad.zeros(1, dtype=ad.float64)
    optimizer = optim.AdamW([x], lr=0.1, weight_decay=0.5)
    for _ in range(10):
        optimizer.step()
    assert abs(x.item() - 0.95**10) < 1e-12
