"""Batch, mini-batch and stochastic descent on one problem; "J must fall in every iteration"; saddles and plateaus."""

from collections.abc import Callable
from itertools import pairwise

import autodiff as ad
import nn
import optim


def costs_of_descent(batch_size: int, lr: float, epochs: int = 20, m: int = 256) -> list[float]:
    """Logistic regression; the cost over all examples before the first and after every step."""
    ad.manual_seed(0)
    x = ad.randn(m, 5)
    y = (x.sum(dim=1) + ad.randn(m) > 0).float()
    model = nn.Linear(5, 1)
    optimizer = optim.SGD(model.parameters(), lr=lr)

    def cost(rows: ad.Tensor | slice) -> ad.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(model(x[rows]).squeeze(1), y[rows])

    costs = [cost(slice(None)).item()]
    for _ in range(epochs):
        for rows in ad.randperm(m).split(batch_size):
            optimizer.zero_grad()
            cost(rows).backward()
            optimizer.step()
            with ad.no_grad():
                costs.append(cost(slice(None)).item())
    return costs


def falling(costs: list[float]) -> float:
    """The share of steps in which J fell: less than 1 in batch descent tells of a bug or of too large a rate."""
    return sum(after < before for before, after in pairwise(costs)) / (len(costs) - 1)


def saddle(w: ad.Tensor) -> ad.Tensor:
    """Flat at 0, where it is lowest along one axis and highest along the other; falls to -1/4 on both sides."""
    return w[0] ** 2 - w[1] ** 2 / 2 + w[1] ** 4 / 4


def plateau(w: ad.Tensor) -> ad.Tensor:
    """Nearly flat far out; lowest at 0."""
    return -ad.exp(-(w**2) / 8).sum()


def steps_to_leave(surface: Callable, start: list[float], below: float, make: Callable, most: int = 1000) -> int:
    """How many steps an optimizer takes until the surface is lower than `below`; `most` if it never is."""
    w = ad.tensor(start, dtype=ad.float64, requires_grad=True)
    optimizer = make([w])
    for step in range(most):
        height = surface(w)
        if height.item() < below:
            return step
        optimizer.zero_grad()
        height.backward()
        optimizer.step()
    return most


OPTIMIZERS = {
    "gradient descent": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
}


def main() -> None:
    print(f"{'20 epochs':28}{'steps':>7}{'J fell in':>12}{'last J':>9}")
    for name, size, lr in (("batch, 256", 256, 0.5), ("mini-batches of 32", 32, 0.5), ("stochastic, 1", 1, 0.5)):
        costs = costs_of_descent(size, lr)
        print(f"{name:28}{len(costs) - 1:7}{falling(costs):12.0%}{costs[-1]:9.3f}")
    costs = costs_of_descent(256, lr=30.0)
    print(f"{'batch, too large a rate':28}{len(costs) - 1:7}{falling(costs):12.0%}{costs[-1]:9.3f}")
    print(f"\n{'steps until it is left':28}{'exact saddle':>14}{'1e-6 beside it':>16}{'plateau':>9}")
    for name, make in OPTIMIZERS.items():
        exact = steps_to_leave(saddle, [1.0, 0.0], -0.2, make)
        beside = steps_to_leave(saddle, [1.0, 1e-6], -0.2, make)
        print(f"{name:28}{exact:14}{beside:16}{steps_to_leave(plateau, [9.0], -0.5, make):9}")


if __name__ == "__main__":
    main()
