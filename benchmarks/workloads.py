"""The programs that are timed: one text for both libraries, which differ only in the modules that come in.

Each workload returns the function that is timed; what stands before its definition is not. `goal` is the highest ratio
of our time to PyTorch's that we accept.
"""

from collections.abc import Callable
from itertools import cycle, pairwise
from types import ModuleType
from typing import NamedTuple

Step = Callable[[], None]


class Workload(NamedTuple):
    goal: float
    build: Callable[[ModuleType, ModuleType, ModuleType], Step]


def chain(*, learn_factor: bool) -> Callable[[ModuleType, ModuleType, ModuleType], Step]:
    """100 multiplications of 16 elements, forward and backward: hardly anything but the overhead of an op."""

    def build(ad: ModuleType, nn: ModuleType, optim: ModuleType) -> Step:
        def step() -> None:
            x = ad.ones(16, requires_grad=True)
            b = ad.full((16,), 1.01, requires_grad=learn_factor)
            for _ in range(100):
                x = x * b
            x.sum().backward()

        return step

    return build


def training(*sizes: int, batch: int, optimizer_name: str) -> Callable[[ModuleType, ModuleType, ModuleType], Step]:
    """One training step of a ReLU network, on enough random batches that the gradients do not vanish meanwhile."""

    def build(ad: ModuleType, nn: ModuleType, optim: ModuleType) -> Step:
        ad.manual_seed(0)
        layers = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        criterion = nn.CrossEntropyLoss()
        optimizer = getattr(optim, optimizer_name)(model.parameters(), lr=1e-3)
        batches = cycle([(ad.randn(batch, sizes[0]), ad.randint(0, sizes[-1], (batch,))) for _ in range(32)])

        def step() -> None:
            inputs, labels = next(batches)
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()

        return step

    return build


WORKLOADS = {
    "chain of 100, constant factor": Workload(0.40, chain(learn_factor=False)),
    "chain of 100, learned factor": Workload(0.40, chain(learn_factor=True)),
    "MLP 2-16-16-2, SGD, batch 32": Workload(0.40, training(2, 16, 16, 2, batch=32, optimizer_name="SGD")),
    "MLP 64-64-10, SGD, batch 32": Workload(0.40, training(64, 64, 10, batch=32, optimizer_name="SGD")),
    "MLP 784-256-128-10, Adam, batch 128": Workload(
        0.95, training(784, 256, 128, 10, batch=128, optimizer_name="Adam")
    ),
    "MLP 784-1024-1024-10, Adam, batch 128": Workload(
        1.15, training(784, 1024, 1024, 10, batch=128, optimizer_name="Adam")
    ),
}
