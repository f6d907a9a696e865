"""Modules in the wrong mode: batch normalisation and dropout that do not do in training what they are for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from autodiff.graph import Node
from autodiff.inspect.linting.fault import Fault
from autodiff.inspect.linting.parameters import finite
from autodiff.inspect.places import Names, place_of


def mode_findings(model: Any, nodes: Iterable[Node], names: Names) -> list[Fault]:
    """What is wrong with the modes of the modules of `model`, and with the batches in the graph of `nodes`."""
    modules = dict(model.named_modules()) if hasattr(model, "named_modules") else {}
    evaluating = {path for path, module in modules.items() if not module.training and not _set_aside(path, modules)}
    norms = {path: module for path, module in modules.items() if _keeps_averages(module)}
    train = "Call model.train() before the training steps, also after every evaluation"
    findings = {
        ("batch norm in eval mode", "normalises with its running averages, as it is in evaluation mode", train): [
            path for path in norms if path in evaluating
        ],
        ("dropout in eval mode", "drops nothing, as it is in evaluation mode", train): [
            path for path, module in modules.items() if path in evaluating and _drops(module)
        ],
        (
            "batch norm of one sample",
            "normalises each sample by itself, as the batch has only one",
            "Use larger batches, or nn.GroupNorm, which does not depend on the batch",
        ): dict.fromkeys(place_of(node, names) for node in nodes if _one_sample(node)),
        (
            "batch norm with frozen averages",
            "has momentum 0, so that its running averages stay as they are and evaluation goes wrong",
            "Give it a momentum such as 0.1, or track_running_stats=False",
        ): [path for path, module in norms.items() if module.training and module.momentum == 0],
        (
            "averages not finite",
            "has an infinite or NaN running average",
            "Call its reset_running_stats(), and look for what was not finite in a step before",
        ): [path for path, m in norms.items() if not (finite(m.running_mean.array) and finite(m.running_var.array))],
    }
    return [Fault.of(kind, what, places, do) for (kind, what, do), places in findings.items() if places]


def _keeps_averages(module: Any) -> bool:
    return getattr(module, "running_mean", None) is not None and hasattr(module, "momentum")


def _drops(module: Any) -> bool:
    """Whether `module` drops values at random in training: a dropout, or one inside a recurrent or attention layer."""
    rate = module.p if "Dropout" in type(module).__name__ else getattr(module, "dropout", 0)
    return isinstance(rate, float) and rate > 0


def _set_aside(path: str, modules: dict[str, Any]) -> bool:
    """Whether `path` is in a part of the model that evaluates on purpose: one whose parameters are frozen."""
    return any(
        parameters and not modules[part].training and not any(p.requires_grad for p in parameters)
        for part in _with_parents(path)
        for parameters in [list(modules[part].parameters())]
    )


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]
    yield ""


def _one_sample(node: Node) -> bool:
    """Whether `node` is a normalisation over a batch, and the batch is a single sample."""
    return node.name == "standardize" and node.params["groups"] is None and node.params["view"][0] == 1
