"""Whether the graph of a loss is still there after its step, and which variable holds it.

A node has no room for weak references, which would cost every op of every program. So a mark that has is put among its
params, once the backward pass has read them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import deque
from collections.abc import Iterator
from types import FrameType
from typing import Any
from weakref import ref

from autodiff.graph import Node
from autodiff.tensor import Tensor

# How far from a node its holder is looked for: total += loss has one node more a step.
DEPTH = 50


class Mark(dict[str, Any]):
    """The params of a node, to which there can be weak references."""

    @classmethod
    def on(cls, node: Node) -> ref[Mark]:
        """Put a mark on `node`; it lives as long as the node."""
        mark = cls(getattr(node, "params", None) or {})
        node.params = mark
        return ref(mark)


def holders_of(*objects: Any) -> list[str]:
    """The variables that hold the next tensors computed from `objects`, such as "losses[...] in train(), fit.py"."""
    return list(dict.fromkeys(name for x in objects for name in _next_variables(x)))


def _next_variables(x: Any) -> list[str]:
    """The variables with tensors whose graphs have `x` in them, as few ops behind it as there are any."""
    seen: set[int] = set()
    layer = [x]
    for _ in range(DEPTH):
        holders = [holder for holder in gc.get_referrers(*layer) if id(holder) not in seen]
        seen.update(map(id, holders))
        named = [name for holder in holders if isinstance(holder, Tensor) for name in _variables(holder)]
        layer = [holder for holder in holders if isinstance(holder, Node) or _in_node(holder)]
        if named or not layer:
            return named
    return []


def _in_node(holder: Any) -> bool:
    """Whether `holder` is where a node of many inputs keeps its parents."""
    return isinstance(holder, tuple) and any(isinstance(x, Node | tuple) for x in holder)


def _variables(tensor: Tensor) -> Iterator[str]:
    """The variable that holds `tensor`, alone or in a container, in the innermost function that has one."""
    frame: FrameType | None = sys._getframe()
    here = os.path.dirname(__file__)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(here):
            found = [name + path for name, value in list(frame.f_locals.items()) for path in _paths(value, tensor)]
            if found:
                shortest = min(found, key=len)
                yield f"{shortest} in {frame.f_code.co_name}(), {os.path.basename(frame.f_code.co_filename)}"
                return
        frame = frame.f_back


def _paths(value: Any, tensor: Tensor, depth: int = 2) -> Iterator[str]:
    """How `value` leads to `tensor`: "" if it is the tensor, "[...]" for an element, ".name" for an attribute."""
    if value is tensor:
        yield ""
    if depth == 0 or isinstance(value, Tensor | str | bytes | type):
        return
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = [(f"[{key!r}]", part) for key, part in value.items()]
    elif isinstance(value, list | tuple | deque):
        parts = [("[...]", part) for part in value]
    elif hasattr(value, "__dict__"):
        parts = [(f".{name}", part) for name, part in vars(value).items()]
    for name, part in parts:
        for path in _paths(part, tensor, depth - 1):
            yield name + path
