"""Parameter groups with options of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autodiff.tensor import Tensor


def decay_groups(named_parameters: Iterable[tuple[str, Tensor]], weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups of a model: its weights, with `weight_decay`, and all that should not decay, without.

    That is what has less than two dimensions (biases, the scales of normalisations) or ``bias`` in the last part of its
    name. For the penalty λ/2m ‖w‖² of a cost over m examples, `weight_decay` is λ/m. TypeError unless the parameters
    come with their names, ValueError if there is none to decay.

    >>> import nn, optim
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> optimizer = optim.SGD(optim.decay_groups(model.named_parameters(), weight_decay=0.01), lr=0.1)
    >>> [(group["param_names"], group["weight_decay"]) for group in optimizer.param_groups]
    [(['0.weight', '2.weight'], 0.01), (['0.bias', '2.bias'], 0.0)]
    """
    entries: list[Any] = [] if hasattr(named_parameters, "parameters") else list(named_parameters)
    if not entries or not all(isinstance(entry, tuple) and isinstance(entry[0], str) for entry in entries):
        raise TypeError("expected (name, parameter) pairs to put into groups: pass model.named_parameters()")
    weights: list[tuple[str, Tensor]] = []
    others: list[tuple[str, Tensor]] = []
    for name, p in entries:
        (others if p.ndim < 2 or "bias" in name.rpartition(".")[2] else weights).append((name, p))
    if not weights:
        raise ValueError(
            f"expected weights to decay, of two dimensions or more and not called bias, got none in "
            f"{[(name, p.shape) for name, p in others]}: make the groups by hand, with weight_decay in each"
        )
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
