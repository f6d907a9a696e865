"""What is wrong with the parameters of a step: who has them, who gives them a gradient, and whether it is finite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autodiff.graph import Node
from autodiff.inspect.linting.fault import Fault
from autodiff.tensor import Array, Tensor

# How much of a list or dictionary is looked through for what should be registered: it may be data.
LOOKED_AT = 100
# What each kind of fault is, and what to do about it.
KINDS = {
    "unregistered": (
        "in a plain list or dictionary, where the model does not register it",
        "Put it into nn.ModuleList, nn.ModuleDict or nn.ParameterList, so that parameters() and train() see it",
    ),
    "not in the model": (
        "in the optimizer but not in the model: made of another one, or of what was replaced since",
        "Make the optimizer of model.parameters(), after the last change of the model",
    ),
    "not in the optimizer": (
        "in the model but not in the optimizer, so that it stays as it is",
        "Give it to the optimizer, as model.parameters() does; if it shall stay, call requires_grad_(False)",
    ),
    "frozen": (
        "in the optimizer but frozen, as it does not require grad, while others of its module learn",
        "Call requires_grad_() if it shall learn; if not, leave it out of the optimizer",
    ),
    "no backward": (
        "without a gradient although the loss depends on it",
        "Call loss.backward() before, and zero_grad() not in between",
    ),
    "no gradient": (
        "without a gradient: the loss does not depend on it",
        "Use its module in forward(), without detach(), no_grad() or .data on the way to the loss, or take it out",
    ),
    "gradient not finite": (
        "with an infinite or NaN gradient",
        "Do not make this step: look for log, sqrt or a division at 0, or an overflow; lower the learning rate",
    ),
    "not finite": (
        "infinite or NaN since a step before",
        "Start anew from finite values, with a lower learning rate or nn.utils.clip_grad_norm_",
    ),
}


def parameter_findings(model: Any, optimizer: Any, graph: set[Node] | None) -> list[Fault]:
    """What is wrong with the parameters of `model` and `optimizer`; `graph` has the nodes that the loss depends on."""
    names: dict[Tensor, str] = {p: name for name, p in model.named_parameters()}
    plain = {p: place for p, place in _in_plain_containers(model) if p not in names and _used(p, graph)}
    labels = {**_labels(optimizer), **plain, **names}
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    shared = [p for p in trained if p in names and p.requires_grad]
    without = [p for p in shared if p.grad is None]
    lost = [p for p in without if graph is None or p.node in graph]
    if graph is None and len(without) < len(shared):
        lost = []
    found = {
        "unregistered": list(plain),
        "not in the model": [p for p in trained if p not in names and p not in plain],
        "not in the optimizer": [p for p in names if p.requires_grad and p not in set(trained)],
        "frozen": _partly_frozen(trained, names),
        "no backward": lost,
        "no gradient": [p for p in without if p not in set(lost)],
        "gradient not finite": [p for p in trained if p.grad is not None and not finite(p.grad.array)],
        "not finite": [p for p in labels if not finite(p.array)],
    }
    return [
        Fault.of(kind, what, [labels[p] for p in found[kind]], do) for kind, (what, do) in KINDS.items() if found[kind]
    ]


def _labels(optimizer: Any) -> dict[Tensor, str]:
    """What to call the parameters of `optimizer` that the model has no name for."""
    labels = {}
    for index, group in enumerate(optimizer.param_groups):
        for number, p in enumerate(group["params"]):
            name = group["param_names"][number] if "param_names" in group else f"parameter {number} of group {index}"
            labels[p] = f"{name}, shape {p.shape}"
    return labels


def _partly_frozen(trained: list[Tensor], names: dict[Tensor, str]) -> list[Tensor]:
    """The frozen ones of modules that learn: whole modules are frozen on purpose."""
    learning = {names[p].rpartition(".")[0] for p in names if p.requires_grad}
    return [p for p in trained if not p.requires_grad and names.get(p, "").rpartition(".")[0] in learning]


def _used(p: Tensor, graph: set[Node] | None) -> bool:
    """Whether the loss depends on `p`: layers in a list may be there on purpose, such as a teacher's."""
    return p.requires_grad and (p.grad is not None if graph is None else p.node in graph)


def _in_plain_containers(model: Any) -> Iterator[tuple[Tensor, str]]:
    """What may need registering: the leaves in lists, tuples and dictionaries that are attributes of modules."""
    modules = getattr(model, "named_modules", None)
    for path, module in modules() if modules is not None else ():
        for name, value in vars(module).items():
            # What begins with _ is the module's own: its parameters, modules and hooks.
            if not name.startswith("_"):
                yield from _leaves(value, f"{path}.{name}" if path else name)


def _leaves(value: Any, place: str) -> Iterator[tuple[Tensor, str]]:
    if isinstance(value, Tensor):
        if value.is_leaf:
            yield value, place
    elif isinstance(value, list | tuple):
        for number, element in enumerate(value[:LOOKED_AT]):
            yield from _leaves(element, f"{place}[{number}]")
    elif isinstance(value, dict):
        for key, element in list(value.items())[:LOOKED_AT]:
            yield from _leaves(element, f"{place}[{key!r}]")
    elif hasattr(value, "named_parameters"):
        for name, p in value.named_parameters():
            yield p, f"{place}.{name}"


def finite(array: Array) -> bool:
    """Whether all of `array` is finite."""
    return bool(np.isfinite(array).all())
