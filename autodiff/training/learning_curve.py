"""Error against the number of training examples: whether more of them would help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autodiff import random
from autodiff.random import Generator


class LearningCurve(NamedTuple):
    """Numbers of training examples, and the errors on these and on the dev set; prints as a table."""

    sizes: tuple[int, ...]
    train: tuple[float, ...]
    dev: tuple[float, ...]

    def __str__(self) -> str:
        lines = [f"{'examples':>9}{'train error':>14}{'dev error':>14}"]
        lines += [f"{size:>9}{100 * one:>12.2f} %{100 * two:>12.2f} %" for size, one, two in zip(*self, strict=True)]
        return "\n".join(lines)


def learning_curve(
    measure: Callable[[NDArray[np.int64]], tuple[Any, Any]],
    count: int,
    sizes: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
    *,
    generator: Generator | None = None,
) -> LearningCurve:
    """Train on ever more of `count` examples, and note the error on these and on the dev set.

    ``measure(places)`` trains a new model on the training examples at these places, from the start, and returns both
    errors, numbers. `sizes` are numbers of examples or fractions of `count`, increasing; examples are drawn at random,
    and each size contains those before it. `draw_learning_curve` draws the result. ValueError for sizes that do not
    increase, or lie outside 1 to `count`. Estimators have scikit-learn's ``learning_curve``.

    >>> import autodiff as ad
    >>> from autodiff.training import learning_curve
    >>> train, dev = ad.rand(100), ad.rand(50)
    >>> def measure(places):
    ...     guess = train[places].mean()
    ...     return (train[places] - guess).abs().mean(), (dev - guess).abs().mean()
    >>> learning_curve(measure, 100, (5, 50, 100)).sizes
    (5, 50, 100)
    """
    counts = tuple(round(size * count) if isinstance(size, float) else int(size) for size in sizes)
    if not counts or counts[0] < 1 or counts[-1] > count or any(np.diff(counts) <= 0):
        raise ValueError(
            f"learning_curve: expected increasing sizes from 1 to {count} examples, or fractions up to 1.0, "
            f"got {tuple(sizes)}" + (f", that is {counts}" if counts != tuple(sizes) else "")
        )
    order = (generator or random.default_generator).permutation(count)
    errors = [tuple(float(error) for error in measure(order[:size])) for size in counts]
    train, dev = zip(*errors, strict=True)
    return LearningCurve(counts, train, dev)
