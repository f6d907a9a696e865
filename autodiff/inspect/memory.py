"""`memory`: which ops keep which arrays alive until the backward pass, and how large they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from autodiff.function_node import FunctionNode
from autodiff.graph import Node, ancestors
from autodiff.inspect.places import Names, parameter_names, place_of
from autodiff.tensor import Tensor, is_array
from autodiff.writes import owner

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class Kept(NamedTuple):
    """What the ops of one name in one place of the model keep: how many arrays, and their bytes."""

    place: str
    op: str
    arrays: int
    bytes: int


@dataclass(frozen=True)
class Memory:
    """What a graph keeps alive: `kept` by the ops, largest first; the bytes of the `leaves`, `gradients` and `state`.

    Printed it is a table. ``total`` is the sum of `kept`, in bytes: what goes with the graph.
    """

    kept: tuple[Kept, ...]
    leaves: int
    gradients: int
    state: int

    @property
    def total(self) -> int:
        return sum(row.bytes for row in self.kept)

    def __str__(self) -> str:
        rows = [(row.place, row.op, f"{row.arrays:,}", _size(row.bytes)) for row in self.kept]
        rows.append(("kept for the backward pass", "", f"{sum(row.arrays for row in self.kept):,}", _size(self.total)))
        others = {"parameters and other leaves": self.leaves, "gradients": self.gradients, "optimizer": self.state}
        rows += [(name, "", "", _size(size)) for name, size in others.items() if size]
        table = [("module", "op", "arrays", "size"), *rows]
        a, b, c, d = (max(map(len, column)) for column in zip(*table, strict=True))
        lines = [f"{w:{a}}  {x:{b}}  {y:>{c}}  {z:>{d}}".rstrip() for w, x, y, z in table]
        return "\n".join([*lines[: 1 + len(self.kept)], "-" * max(map(len, lines)), *lines[1 + len(self.kept) :]])


def memory(loss: Tensor, model: Any = None, optimizer: Any = None) -> Memory:
    """The arrays that the graph of `loss` keeps for the backward pass, by op and module; call it before ``backward()``.

    An array counts once, for the first op that keeps it, and a view as the memory it shows. Leaves, such as parameters,
    are there in any case and count apart; `model` gives the places their names and adds gradients, `optimizer` adds its
    state. A module is named after the last one with parameters on the way, so that the ReLU behind ``fc1`` is its. All
    sizes are in bytes; inside a checkpoint or `vmap` nothing is counted. TypeError if the loss is no tensor, ValueError
    if nothing was recorded for it.

    >>> import autodiff as ad, nn
    >>> model = nn.Sequential(nn.Linear(100, 50), nn.Tanh(), nn.Linear(50, 10))
    >>> print(memory(model(ad.ones(32, 100)).square().sum(), model))
    module                       op      arrays      size
    0                            linear       1  12.5 KiB
    0                            tanh         1  6.25 KiB
    2                            square       1  1.25 KiB
    -----------------------------------------------------
    kept for the backward pass                3    20 KiB
    parameters and other leaves                  21.7 KiB
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"memory expected the loss as a tensor, before backward(); got {type(loss).__name__}")
    if loss.node is None:
        raise ValueError(
            "memory found no graph: nothing was recorded for this loss. Compute it from what requires grad, "
            "outside no_grad()"
        )
    nodes = ancestors([loss.node])
    names = {} if model is None else parameter_names(model)
    seen: set[int] = set()
    leaves = {node.tensor() for node in nodes if node.op is None} - {None}  # type: ignore[attr-defined]
    tensors = [*leaves, *(() if model is None else model.parameters()), *getattr(model, "buffers", tuple)()]
    gradients = [p.grad for p in {*tensors} if p.is_leaf and p.grad is not None]
    held = _bytes(tensors, seen)
    held_gradients = _bytes(gradients, seen)
    state = _bytes([] if optimizer is None else [dict(optimizer.state)], seen)
    return Memory(_kept(nodes, names, seen), held, held_gradients, state)


def _kept(nodes: Iterable[Node], names: Names, seen: set[int]) -> tuple[Kept, ...]:
    """What the nodes keep beside what was `seen` before, oldest first to find it, largest first to show it."""
    found: dict[tuple[str, str], list[int]] = {}
    for node in nodes:
        if node.op is None:
            continue
        # A function of one's own may keep arrays as attributes of its context.
        context = vars(node.ctx) if isinstance(node, FunctionNode) else None
        values = (node.saved(), getattr(node, "memo", None), node.params, context)
        sizes = list(_new(values, seen))
        if sizes:
            row = found.setdefault((place_of(node, names), node.name), [0, 0])
            row[0] += len(sizes)
            row[1] += sum(sizes)
    rows = [Kept(place, op, *counts) for (place, op), counts in found.items()]
    return tuple(sorted(rows, key=lambda row: -row.bytes))


def _bytes(values: Any, seen: set[int]) -> int:
    return sum(_new(values, seen))


def _new(value: Any, seen: set[int]) -> Iterator[int]:
    """The bytes of each memory in `value` that was not seen before: of arrays, in containers, too."""
    if isinstance(value, Tensor):
        value = value.array
    if is_array(value):
        # Inside vmap an array has its memory in an attribute.
        root = owner(value) if isinstance(value, np.ndarray) else value
        if id(root) not in seen:
            seen.add(id(root))
            yield int(root.nbytes)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _new(part, seen)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _new(part, seen)


def _size(count: float) -> str:
    """A number of bytes with three digits and the unit that leaves it below 1024."""
    unit = 0
    while count >= 1000 and unit + 1 < len(UNITS):
        count, unit = count / 1024, unit + 1
    return f"{count:.3g} {UNITS[unit]}"
