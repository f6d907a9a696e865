"""Steps whose size is off by orders: what they did to each weight, compared with the weight."""

from __future__ import annotations

import numpy as np

from autodiff.inspect.linting.finding import Finding
from autodiff.tensor import Array, Tensor

# The rule of thumb is a thousandth; a step as large as the weights themselves is off by three orders.
LARGE = 1.0
# Of the middle ratio of all weights: parameters of one model differ by less in healthy training.
SMALL = 1e-4


def update_findings(before: dict[Tensor, Array], names: dict[Tensor, str]) -> list[Finding]:
    """What is wrong with the step from the values `before`, all of which had a gradient and a learning rate."""
    still = [names[p] for p, old in before.items() if np.array_equal(old, p.array)]
    ratios = {names[p]: ratio for p, ratio in sizes(before).items()}
    large = [name for name, ratio in ratios.items() if ratio > LARGE]
    middle = float(np.median(list(ratios.values()))) if ratios else 0.0
    small = [name for name, ratio in ratios.items() if ratio < SMALL * middle]
    found = []
    if still:
        found.append(
            Finding.of(
                "no update",
                "as it was before the step, although it had a gradient",
                still,
                "Raise the learning rate: the step is 0 or lost in rounding. Call backward() and step() in this order, "
                "with no zero_grad() between",
            )
        )
    if large:
        listed = [f"{name} ({ratios[name]:.1g} of it)" for name in large]
        advice = "Lower the learning rate: the rule of thumb is a step of a thousandth of the weights"
        found.append(Finding.of("large update", "changed by a step as large as the weights", listed, advice))
        found[-1].places = tuple(large)
    if small and not large:
        listed = [f"{name} ({ratios[name]:.1g}, others {middle:.1g})" for name in small]
        advice = "Raise the learning rate of its group, or look for what makes its gradient so small"
        found.append(Finding.of("small update", "changed by far less than the other weights", listed, advice))
        found[-1].places = tuple(small)
    return found


def sizes(before: dict[Tensor, Array]) -> dict[Tensor, float]:
    """The size of the update of each weight, as a part of its own.

    Weights have two axes or more. Of those with few rows in use, as embeddings, what changed counts. A weight is taken
    to be at least as large as what keeps the scale of a layer's input, ``1 / sqrt(fan_in)``, as it may start at 0.
    """
    ratios = {}
    for p, old in before.items():
        change = p.array - old
        changed = change != 0
        if p.ndim >= 2 and changed.any():
            usual = 1 / np.sqrt(old[0].size)
            ratios[p] = _rms(change[changed]) / max(_rms(old[changed]), usual)
    return ratios


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
