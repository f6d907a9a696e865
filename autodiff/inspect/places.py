"""Where in a model a recorded node stands, read off the parameters that lead to it."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

from autodiff.graph import Node

Names = dict[Node, str]


def parameter_names(model: Any) -> Names:
    """The names of the parameters of `model` that require a gradient, by their nodes."""
    return {p.node: name for name, p in model.named_parameters() if p.node is not None}


def module_of(name: str) -> str:
    """The module that has the parameter `name`: ``encoder.0`` for ``encoder.0.weight``, the name itself at the top."""
    return name.rpartition(".")[0] or name


def place_of(node: Node, names: Names) -> str:
    """The module whose parameters are the last to be used on the way to `node`, or "" where none are."""
    seen, waiting = {node}, [(-node.time, node)]
    while waiting:
        _, node = heappop(waiting)
        parents = [parent for parent in node.parents() if parent is not None]
        for parent in parents:
            if parent in names:
                return module_of(names[parent])
        for parent in parents:
            if parent not in seen:
                seen.add(parent)
                heappush(waiting, (-parent.time, parent))
    return ""
