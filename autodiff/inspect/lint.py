"""What is wrong with a step of training, before it is made."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.tensor import Array, Tensor

# How many names a sentence lists before it says how many more there are.
SHOWN = 8


def lint(model: Any, optimizer: Any) -> list[str]:
    """What is wrong with a training step of `model` by `optimizer`: sentences that name the parameters, or none.

    Call it between ``loss.backward()`` and ``optimizer.step()``. It finds parameters that only one of the two has, that
    are frozen or have no gradient, and gradients and values that are infinite or NaN. A `model` is what has
    ``named_parameters()``, an `optimizer` what has ``param_groups``.

    >>> import nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.SGD([model.weight], lr=0.1)
    >>> model.weight.sum().backward()
    >>> lint(model, optimizer)
    ['in the model but not in the optimizer, so that it stays as it is: bias']
    """
    names: dict[Tensor, str] = {p: name for name, p in model.named_parameters()}
    labels = {**_labels(optimizer), **names}
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    shared = [p for p in trained if p in names and p.requires_grad]
    without = [p for p in shared if p.grad is None]
    reason = "the loss does not depend on it"
    if len(without) == len(shared):
        reason = "call loss.backward() before, and zero_grad() not in between"
    findings = {
        "in the optimizer but not in the model: made of another one, or of what was replaced since": [
            p for p in trained if p not in names
        ],
        "in the model but not in the optimizer, so that it stays as it is": [
            p for p in names if p.requires_grad and p not in set(trained)
        ],
        "in the optimizer but frozen, as it does not require grad": [p for p in trained if not p.requires_grad],
        f"without a gradient: {reason}": without,
        "with an infinite or NaN gradient": [p for p in trained if p.grad is not None and not _finite(p.grad.array)],
        "infinite or NaN since a step before": [p for p in labels if not _finite(p.array)],
    }
    return [f"{what}: {_listed([labels[p] for p in found])}" for what, found in findings.items() if found]


def _labels(optimizer: Any) -> dict[Tensor, str]:
    """What to call the parameters of `optimizer` that the model has no name for."""
    labels = {}
    for index, group in enumerate(optimizer.param_groups):
        for number, p in enumerate(group["params"]):
            name = group["param_names"][number] if "param_names" in group else f"parameter {number} of group {index}"
            labels[p] = f"{name}, shape {p.shape}"
    return labels


def _finite(array: Array) -> bool:
    return bool(np.isfinite(array).all())


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "; ".join(names[:SHOWN]) + more
