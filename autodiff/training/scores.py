"""How good a batch of outputs is: plain functions of the output and the target, and their means over many batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autodiff.tensor import Tensor

Metric = Callable[[Any, Any], Any]
Metrics = Mapping[str, Metric] | Iterable[Metric]


def accuracy(output: Tensor, target: Tensor) -> float:
    """The share of the rows of `output`, (rows, classes), whose largest score is that of the class in `target`, (rows).

    ValueError for other shapes.

    >>> import autodiff as ad
    >>> accuracy(ad.tensor([[2.0, 1.0], [0.0, 3.0]]), ad.tensor([0, 0]))
    0.5
    """
    if output.ndim != 2 or target.shape != output.shape[:1]:
        raise ValueError(
            f"accuracy: expected scores of shape (rows, classes) and the classes of the rows, got {output.shape} and "
            f"{target.shape}"
        )
    return float((output.array.argmax(1) == target.array).mean())


def named(metrics: Metrics) -> dict[str, Metric]:
    """Metrics by name: that of a function is its own; TypeError for what cannot be called, ValueError for a name twice.

    >>> list(named([accuracy]))
    ['accuracy']
    """
    pairs = list(metrics.items()) if isinstance(metrics, Mapping) else [(_name(metric), metric) for metric in metrics]
    for name, metric in pairs:
        if not callable(metric):
            raise TypeError(f"metrics: expected functions of (output, target), got {type(metric).__name__} as {name!r}")
        if name == "loss" or sum(name == other for other, _ in pairs) > 1:
            raise ValueError(f"metrics: the name {name!r} is taken; give a dictionary from names to functions")
    return dict(pairs)


def _name(metric: Any) -> str:
    return getattr(metric, "__name__", type(metric).__name__)


class Means:
    """Means over batches, each counted with its number of examples.

    >>> means = Means()
    >>> means.add({"loss": 1.0}, 3)
    >>> means.add({"loss": 5.0}, 1)
    >>> means.values()
    {'loss': 2.0}
    """

    def __init__(self) -> None:
        self.count = 0
        self.sums: dict[str, float] = {}

    def add(self, values: Mapping[str, Any], count: int) -> None:
        """Take the means over `count` more examples."""
        self.count += count
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * count

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self.count for name, total in self.sums.items()}
