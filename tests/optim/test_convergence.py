"""Every optimizer reaches the minimum of functions that are known to be hard for it."""

from collections.abc import Callable
from functools import cache
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


def valley(x: Tensor) -> Tensor:
    return (1 - x[0, 0]) ** 2 + 100 * (x[1, 0] - x[0, 0] ** 2) ** 2


def bowl(x: Tensor) -> Tensor:
    curvature, target = (ad.tensor(v, dtype=ad.float64) for v in ([1.0, 10, 100, 1000], [1, -1, 0.5, -0.5]))
    return (curvature * (x[:, 0] - target) ** 2).sum() / 2


@cache
def diabetes() -> tuple[Tensor, Tensor, float]:
    """The ten features and the progression of 442 patients, standardised, and the least mean square of a linear map."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return ad.tensor(x), ad.tensor(y), float((residual**2).mean())


def excess(w: Tensor) -> Tensor:
    """How much more than the least mean square the weights leave; the correlations have a condition number of 470."""
    x, y, least = diabetes()
    return ((x @ w[:, 0] - y) ** 2).mean() - least


# Each with its rates for the three problems; None where it does not get along the valley in these steps, and for what
# stands above.
RATES: dict[str, tuple[Callable[[list[Tensor], float], optim.Optimizer], tuple[float | None, float | None, float]]] = {
    "SGD": (lambda p, r: optim.SGD(p, lr=r, momentum=0.9), (None, None, 0.05)),
    "Adam": (lambda p, r: optim.Adam(p, lr=r), (None, None, 0.02)),
    "Adagrad": (lambda p, r: optim.Adagrad(p, lr=r), (1.0, 1.0, 1.0)),
    "Adadelta": (lambda p, r: optim.Adadelta(p, lr=r), (None, 1.0, 3.0)),
    "Adamax": (lambda p, r: optim.Adamax(p, lr=r), (0.2, 0.1, 0.1)),
    "NAdam": (lambda p, r: optim.NAdam(p, lr=r), (0.03, 0.05, 0.02)),
    # Its first five steps are plain momentum, with slopes of 200 on the side of the valley.
    "RAdam": (lambda p, r: optim.RAdam(p, lr=r, betas=(0.9, 0.99)), (5e-3, 2e-3, 0.05)),
    "Rprop": (lambda p, r: optim.Rprop(p, lr=r), (0.01, 0.01, 0.01)),
    "ASGD": (lambda p, r: optim.ASGD(p, lr=r, lambd=0), (2e-3, 1.9e-3, 0.2)),
    "LBFGS": (lambda p, r: optim.LBFGS(p, lr=r, line_search_fn="strong_wolfe"), (1.0, 1.0, 1.0)),
    "Adafactor": (lambda p, r: optim.Adafactor(p, lr=r), (None, 0.2, 0.2)),
    "Lion": (lambda p, r: optim.Lion(p, lr=r), (0.01, 0.02, 0.01)),
    "Muon": (lambda p, r: optim.Muon(p, lr=r, weight_decay=0.0), (0.02, 0.02, 0.02)),
}
# Steps of one length end only as far from the minimum as they are long.
DECAYED = {"Adadelta", "Adafactor", "Lion", "Muon"}
PROBLEMS: dict[str, tuple[Callable[[Tensor], Tensor], list[float], int, float]] = {
    "Rosenbrock's valley": (valley, [-1.2, 1.0], 3000, 0.02),
    "a bowl of condition 1000": (bowl, [0.0] * 4, 1500, 2e-3),
    "diabetes": (excess, [0.0] * 10, 800, 2e-4),
}


CASES = [
    (name, problem, rate)
    for name, (_, rates) in RATES.items()
    for problem, rate in zip(PROBLEMS, rates, strict=True)
    if rate is not None
]


@pytest.mark.parametrize(("name", "problem", "rate"), CASES)
def test_every_optimizer(name: str, problem: str, rate: float) -> None:
    make, (loss, start, steps, bound) = RATES[name][0], PROBLEMS[problem]
    x = ad.tensor(start, dtype=ad.float64).reshape(-1, 1).requires_grad_()
    optimizer = make([x], rate)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.997 if name in DECAYED else 1.0)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(x)
        value.backward()
        return value

    for _ in range(10 if name == "LBFGS" else steps):
        optimizer.step(closure)
        schedule.step()
    assert loss(x).item() < bound


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
