"""What a picture of a graph holds, without its looks: boxes and the arrows between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from autodiff.graph import Node, ancestors
from autodiff.op import describe
from autodiff.tensor import Array, Tensor

Shape = tuple[int, ...]
# A recurrent network reads its weights at every step. From one box, the arrows of 60 steps took over a minute to lay
# out and could not be followed; with a box beside each step it takes 3 s.
MOST_ARROWS = 4


class Role(StrEnum):
    """What a box stands for."""

    LEAF = "leaf"
    INPUT = "input"
    CONSTANT = "constant"
    OPERATION = "operation"
    OUTPUT = "output"


@dataclass(frozen=True)
class Box:
    """A node of the picture; `note` is a second, smaller line, `about` the text shown under the mouse."""

    role: Role
    label: str
    note: str = ""
    about: str = ""


@dataclass(frozen=True)
class Arrow:
    """A tensor on its way from the box that made it to one that reads it; its shape, if known."""

    tail: str
    head: str
    shape: Shape | None


@dataclass
class Structure:
    """The boxes of a picture by key, inputs before what is computed from them, and the arrows."""

    boxes: dict[str, Box] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)


def identity(tensor: Tensor) -> Any:
    """What a tensor is recognised by in a graph: its node, or, where nothing is recorded, its memory."""
    return _memory(tensor.array) if tensor.node is None else tensor.node


def _memory(array: Array) -> tuple[int, int]:
    """Where the elements lie and how much they take, which a reshaped view shares."""
    return array.__array_interface__["data"][0], array.nbytes


def structure_of(outputs: Mapping[str, Tensor], names: Mapping[Any, str], inputs: Mapping[Any, str]) -> Structure:
    """The recorded graph that leads to `outputs`; `names` and `inputs` give names by `identity`."""
    found = Structure()
    keys: dict[Any, str] = {}

    def add(thing: Any, box: Box) -> str:
        keys[thing] = key = f"{box.role}{len(keys)}"
        found.boxes[key] = box
        return key

    def constant(value: Any) -> str:
        """The box of a value that needs no gradient: one for each memory, and one for each use of a number."""
        thing: Any = _memory(value) if isinstance(value, np.ndarray) else object()
        if thing in keys:
            return keys[thing]
        if thing in inputs:
            return add(thing, Box(Role.INPUT, inputs[thing]))
        return add(thing, Box(Role.CONSTANT, names.get(thing) or _value(value)))

    for node in ancestors(y.node for y in outputs.values() if y.node is not None):
        if node.op is not None:
            key = add(node, Box(Role.OPERATION, node.name, names.get(node, ""), _about(node)))
        elif node in inputs:
            key = add(node, Box(Role.INPUT, inputs[node]))
        else:
            key = add(node, Box(Role.LEAF, names.get(node) or _kind(node)))
        for parent, value in _operands(node):
            tail = constant(value) if parent is None else keys[parent]
            found.arrows.append(Arrow(tail, key, _shape(value) if parent is None else parent.shape))
    for name, y in outputs.items():
        tail = constant(y.array) if y.node is None else keys[y.node]
        found.arrows.append(Arrow(tail, add(object(), Box(Role.OUTPUT, name)), y.shape))
    return found


def repeat_shared(structure: Structure) -> Structure:
    """The same with a box beside each use of a leaf, input or constant that more than `MOST_ARROWS` operations read."""
    uses = Counter(arrow.tail for arrow in structure.arrows)
    shared = {
        key: replace(structure.boxes[key], note=f"used {count} times")
        for key, count in uses.items()
        if count > MOST_ARROWS and structure.boxes[key].role is not Role.OPERATION
    }
    repeated = Structure({key: box for key, box in structure.boxes.items() if key not in shared})
    for i, arrow in enumerate(structure.arrows):
        if arrow.tail in shared:
            key = f"{arrow.tail}_{i}"
            repeated.boxes[key] = shared[arrow.tail]
            arrow = replace(arrow, tail=key)
        repeated.arrows.append(arrow)
    return repeated


def _operands(node: Node) -> Iterator[tuple[Node | None, Any]]:
    """The inputs of a node in order: their nodes and, for those without one, what the graph still knows of them."""
    if node.op is None:
        return
    for parent, value in zip(node.parents(), node.operands(), strict=True):
        # Nothing is known of an input that is absent, nor, once a backward pass has freed the node, of a constant.
        if parent is not None or value is not None or node.op.arity == 2:
            yield parent, value


def _shape(value: Any) -> Shape | None:
    return None if value is None else tuple(np.shape(value))


def _value(value: Any) -> str:
    """A single number as it is; anything else is just a constant."""
    if isinstance(value, int | float | np.ndarray) and np.size(value) == 1:
        return f"{np.asarray(value).item():.4g}"
    return "constant"


def _kind(leaf: Any) -> str:
    """What to call a leaf without a name: the class of its tensor, if that still exists."""
    return type(leaf.tensor()).__name__.lower() if leaf.tensor() is not None else "tensor"


def _about(node: Node) -> str:
    params = [f"{name}: {describe(value)}" for name, value in (node.params or {}).items()]
    return "\n".join([node.op.doc, *params])
