"""Steps whose size is off by orders: what they did to each weight, compared with the weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.inspect.linting.fault import Fault
from autodiff.tensor import Array, Tensor

# The rule of thumb is a thousandth; steps larger than the weights themselves are off by three orders. A logistic
# regression on raw data, which learns all the same, has one as large as they are on its way.
LARGE = 3.0
# Of the middle ratio of all weights. In nineteen healthy programs the smallest was 0.14 of it, and the largest 0.22.
SMALL = 1e-3
# Steps after which it is said that a parameter hardly changes. A trained model comes to rest: at the start it does not.
STEPS = 3


class Updates:
    """What the steps did to the parameters with these names, from one check to the next."""

    def __init__(self, names: dict[Tensor, str]) -> None:
        self.names, self.steps = names, 0
        self.before: dict[Tensor, Array] = {}
        # Those that were left as they were, or nearly, by every step so far.
        # A bias whose gradient is only rounding, as that before a batch normalisation, may rest: it does not count.
        weights = {p for p in names if p.ndim >= 2}
        self.still, self.small = weights, set(weights)

    def keep(self, optimizer: Any) -> None:
        """Keep the values of the parameters that the next step should change."""
        rates = {p: float(group.get("lr", 1)) for group in optimizer.param_groups for p in group["params"]}
        self.before = {
            p: p.array.copy() for p in self.names if rates.get(p) and p.grad is not None and p.grad.array.any()
        }

    def findings(self) -> list[Fault]:
        """What is wrong with the step, or steps, since `keep`."""
        self.steps += 1
        ratios = sizes(self.before)
        middle = float(np.median(list(ratios.values()))) if ratios else 0.0
        self.still &= {p for p, old in self.before.items() if np.array_equal(old, p.array)}
        self.small &= {p for p, ratio in ratios.items() if ratio < SMALL * middle}
        large = {self.names[p]: f"{ratio:.1g} of it" for p, ratio in ratios.items() if ratio > LARGE}
        found = []
        if large:
            advice = "Lower the learning rate: the rule of thumb is a step of a thousandth of the weights"
            found.append(_sized("large update", "changed by steps larger than the weights", large, advice))
        if self.steps != STEPS:
            # Later they may be as they should be.
            return found
        small = self.small - self.still
        if self.still:
            what = f"as it was, although it had gradients, after {STEPS} steps"
            advice = (
                "Raise the learning rate: the step is 0 or lost in rounding. Call backward() and step() in this order, "
                "with no zero_grad() between"
            )
            found.append(Fault.of("no update", what, [self.names[p] for p in self.names if p in self.still], advice))
        if small:
            listed = {self.names[p]: f"{ratios[p]:.1g}, others {middle:.1g}" for p in ratios if p in small}
            advice = "Raise the learning rate of its group, or look for what makes its gradient so small"
            found.append(_sized("small update", "changed by far less than the other weights", listed, advice))
        return found


def _sized(kind: str, what: str, sizes: dict[str, str], advice: str) -> Fault:
    finding = Fault.of(kind, what, [f"{name} ({size})" for name, size in sizes.items()], advice)
    finding.places = tuple(sizes)
    return finding


def sizes(before: dict[Tensor, Array]) -> dict[Tensor, float]:
    """The size of the update of each weight, as a part of its own.

    Weights have two axes or more. Of those with few rows in use, as embeddings, what changed counts. A weight is taken
    to be at least as large as what keeps the scale of a layer's input, ``1 / sqrt(fan_in)``, as it may start at 0.
    """
    ratios = {}
    for p, old in before.items():
        change = p.array - old
        changed = change != 0
        if p.ndim >= 2:
            usual = 1 / np.sqrt(old[0].size)
            ratios[p] = _rms(change[changed]) / max(_rms(old[changed]), usual) if changed.any() else 0.0
    return ratios


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
