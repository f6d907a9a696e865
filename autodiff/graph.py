"""The recorded graph: nodes, the logical clock, and an order that needs no recursion.

Knows neither Tensor nor NumPy. A node points to its parents, never to a tensor; a leaf's node holds its tensor
weakly, for ``.grad``. So no cycle ever forms and a graph is freed the moment its last tensor goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any
from weakref import ref

# One clock stamps nodes and writes: it orders backward and tells whether a saved array was overwritten.
# `count().__next__` is one C call and atomic under the interpreter lock.
tick = count(1).__next__


class Freed:
    """What stands in a node's slots once a backward pass has released what it saved."""

    def __repr__(self) -> str:
        return "<freed by an earlier backward>"


FREED = Freed()


class Node:
    """One recorded operation: what was computed, from which nodes, and what its rules will read.

    ``p0, p1, p2`` are the parents of an op with up to three inputs, ``s0, s1, s2`` what its rules read of those inputs:
    the array, or, where no rule reads the values, the parent node itself, which has the ``shape``, ``dtype`` and
    ``ndim`` that a rule may ask for. Other ops keep both in ``rest``, as ``(parents, saved)``. ``memo`` is what a
    kernel hands to the fast form of its rule. Slots that an op has no use for are not set: setting one costs as much as
    a comparison.
    """

    __slots__ = ("dtype", "memo", "op", "p0", "p1", "p2", "params", "rest", "s0", "s1", "s2", "shape", "time", "y")

    op: Any
    time: int
    shape: tuple[int, ...]
    dtype: Any
    p0: Node | None
    p1: Node | None
    p2: Node | None
    y: Any
    s0: Any
    s1: Any
    s2: Any
    rest: Any
    memo: Any
    params: Any
    # The line of the user's program that recorded this, where `trace_lines` was on.
    line: Any = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def name(self) -> str:
        return "leaf" if self.op is None else str(self.op.name)

    def parents(self) -> tuple[Node | None, ...]:
        """The nodes of the inputs, in order; None for an input that needs no gradient."""
        if self.op is None:
            return ()
        match self.op.arity:
            case 1:
                return (self.p0,)
            case 2:
                return self.p0, self.p1
            case 3:
                return self.p0, self.p1, self.p2
        return tuple(self.rest[0])

    def operands(self) -> tuple[Any, ...]:
        """What is kept of each input for the rules: its array, or what has its shape and dtype; None once freed."""
        match self.op.arity:
            case 1:
                return (self.s0,)
            case 2:
                return self.s0, self.s1
            case 3:
                return self.s0, self.s1, self.s2
        return tuple(self.rest[1])

    def free(self) -> None:
        """Let go of what is kept for the rules."""
        self.y = FREED
        self.memo = None
        if self.op.arity in (1, 2, 3):
            self.s0 = self.s1 = self.s2 = None
        else:
            self.rest = self.rest[0], (None,) * len(self.rest[1])

    def saved(self) -> tuple[Any, ...]:
        """The arrays that this node keeps alive for its rules: those of its inputs, then its output."""
        return tuple(a for a in (*self.operands(), self.y) if hasattr(a, "itemsize"))

    @property
    def label(self) -> str:
        """What is printed of it: ``MulBackward0``."""
        return backward_name(self.name)

    def __repr__(self) -> str:
        return f"<{self.label}>"


class Leaf(Node):
    """The node of a tensor that the user made and that requires grad."""

    __slots__ = ("hooks", "tensor")

    tensor: ref[Any]
    hooks: Any

    def __init__(self, tensor: Any) -> None:
        self.tensor = ref(tensor)
        self.op = self.y = self.params = self.hooks = None
        self.shape, self.dtype = tensor.array.shape, tensor.array.dtype
        self.time = tick()


def backward_name(name: str) -> str:
    """The name PyTorch would print for the backward of an op: ``log_softmax`` gives ``LogSoftmaxBackward0``."""
    return "AccumulateGrad" if name == "leaf" else "".join(word.title() for word in name.split("_")) + "Backward0"


def ancestors(roots: Iterable[Node], since: int = 0) -> list[Node]:
    """All nodes reachable from `roots` whose time is at least `since`, oldest first."""
    found = {node for node in roots if node.time >= since}
    stack = list(found)
    while stack:
        for parent in stack.pop().parents():
            if parent is not None and parent.time >= since and parent not in found:
                found.add(parent)
                stack.append(parent)
    return sorted(found, key=lambda node: node.time)
