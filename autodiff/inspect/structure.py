"""What a picture of a graph holds, without its looks: boxes and the arrows between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np

from autodiff.graph import Leaf, Node, ancestors
from autodiff.op import describe
from autodiff.tensor import Array, Tensor

Shape = tuple[int, ...]


class Role(StrEnum):
    """What a box stands for."""

    LEAF = "leaf"
    INPUT = "input"
    CONSTANT = "constant"
    OPERATION = "operation"
    OUTPUT = "output"
    FOLDED = "folded"


@dataclass(frozen=True)
class Box:
    """A node of the picture; `note` is smaller text below the label, `about` the text shown under the mouse.

    `shape` and `dtype` are those of its value; `parameters` counts the learned numbers, `saved` the bytes that are kept
    for the backward pass beside these, of all `times` copies for which it stands. `inside` is the cluster in which it
    stands, `members` are the keys of the boxes that were folded into it. `fill` and `reading` are the colour and the
    text that an overlay gives it.
    """

    role: Role
    label: str
    note: str = ""
    about: str = ""
    shape: Shape | None = None
    dtype: str = ""
    parameters: int = 0
    saved: int = 0
    times: int = 1
    inside: str = ""
    members: tuple[str, ...] = ()
    fill: str = ""
    reading: str = ""


@dataclass(frozen=True)
class Arrow:
    """A tensor on its way from the box that made it to one that reads it; its shape and dtype, if known.

    `again` is one that goes from a part of the graph to the next of the same kind, where only one of them is drawn.
    `count` is for how many tensors it stands.
    """

    tail: str
    head: str
    shape: Shape | None
    dtype: str = ""
    again: bool = False
    count: int = 1


@dataclass(frozen=True)
class Cluster:
    """A frame around boxes, in the frame `inside`: a module, with its dotted `path`, or a part of a longer graph."""

    label: str
    note: str = ""
    parameters: int = 0
    saved: int = 0
    times: int = 1
    inside: str = ""
    path: str = ""


@dataclass
class Structure:
    """The boxes of a picture by key, inputs before what is computed from them, the arrows and the frames.

    `nodes` are what leaves and operations were recorded as; `advice` is a sentence for the reader of the
    picture, `legend` the title of an overlay and its colours, each with the text of its value.
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    advice: str = ""
    legend: tuple[Any, ...] = ()


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
    nodes = ancestors(y.node for y in outputs.values() if y.node is not None)
    kept = _kept_bytes(nodes)

    def add(thing: Any, box: Box) -> str:
        keys[thing] = key = f"{box.role}{len(keys)}"
        found.boxes[key] = replace(box, members=(key,))
        return key

    def constant(value: Any) -> str:
        """The box of a value that needs no gradient: one for each memory, and one for each use of a number."""
        thing: Any = _memory(value) if isinstance(value, np.ndarray) else object()
        if thing in keys:
            return keys[thing]
        role, label = Role.CONSTANT, names.get(thing) or _value(value)
        if thing in inputs:
            role, label = Role.INPUT, inputs[thing]
        return add(thing, Box(role, label, shape=_shape(value), dtype=_dtype(value)))

    for node in nodes:
        facts: dict[str, Any] = {"shape": node.shape, "dtype": _dtype(node)}
        if node.op is not None:
            box = Box(Role.OPERATION, node.name, names.get(node, ""), _about(node), saved=kept[node], **facts)
        elif node in inputs:
            box = Box(Role.INPUT, inputs[node], **facts)
        else:
            box = Box(Role.LEAF, names.get(node) or _kind(node), parameters=prod(node.shape), **facts)
        key = add(node, box)
        found.nodes[key] = node
        for parent, value in _operands(node):
            tail = constant(value) if parent is None else keys[parent]
            read = value if parent is None else parent
            found.arrows.append(Arrow(tail, key, _shape(read), _dtype(read)))
    for name, y in outputs.items():
        tail = constant(y.array) if y.node is None else keys[y.node]
        key = add(object(), Box(Role.OUTPUT, name, shape=y.shape, dtype=_dtype(y)))
        found.arrows.append(Arrow(tail, key, y.shape, _dtype(y)))
    return found


def _kept_bytes(nodes: Iterable[Node]) -> dict[Node, int]:
    """The bytes that each node keeps alive for its rules, each array at the first; those of leaves are not counted."""
    leaves = (node.tensor() for node in nodes if isinstance(node, Leaf))
    seen = {_owner(leaf.array).__array_interface__["data"][0] for leaf in leaves if leaf is not None}
    kept = {}
    for node in nodes:
        arrays = [_owner(a) for a in node.saved() if isinstance(a, np.ndarray)] if node.op is not None else []
        fresh = {a.__array_interface__["data"][0]: a.nbytes for a in arrays}
        kept[node] = sum(size for start, size in fresh.items() if start not in seen)
        seen |= fresh.keys()
    return kept


def _owner(array: Array) -> Array:
    """The array whose memory a view keeps alive."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _operands(node: Node) -> Iterator[tuple[Node | None, Any]]:
    """The inputs of a node in order: their nodes and, for those without one, what the graph still knows of them."""
    if node.op is None:
        return
    for parent, value in zip(node.parents(), node.operands(), strict=True):
        # Nothing is known of an input that is absent, nor, once a backward pass has freed the node, of a constant.
        if parent is not None or value is not None or node.op.arity == 2:
            yield parent, value


def _shape(value: Any) -> Shape | None:
    shape = value.shape if isinstance(value, Node) else None if value is None else np.shape(value)
    # What several outputs have in common, before they are told apart, has none.
    return None if shape is None else tuple(shape)


def _dtype(value: Any) -> str:
    """The name of a dtype, where the value has one."""
    dtype = getattr(value, "dtype", None)
    return str(dtype) if isinstance(dtype, np.dtype) else ""


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


def size(count: float) -> str:
    """A number of bytes in the unit that suits it: ``1.5 MB``."""
    if count < 999.5:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.5:
            return f"{count:.3g} {unit}"
    return f"{count / 1000:.3g} TB"
