"""A part of a graph as one node: what `vmap` and `checkpoint` leave behind.

The nodes recorded inside a vmap carry arrays with hidden axes, which nothing outside may meet. So the tensors that
leave it get one node for all that is inside; its parents are the nodes outside on which the inside depends. A backward
pass through it is a pass of its own inside, and so is a forward sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autodiff.graph import Node, tick
from autodiff.op import VARIADIC, Op
from autodiff.tensor import Array, Tensor, wrap


class Region:
    """What knows how derivatives go through a part of a graph."""

    def pull(self, gradients: dict[int, Any], recorded: bool) -> list[Any]:
        """The gradient of each node outside (None for none), given those of some outputs."""
        raise NotImplementedError

    def push(self, tangents: list[Any], recorded: bool) -> dict[int, Any]:
        """The tangents of the outputs that have any, given those of the nodes outside (None for none)."""
        raise NotImplementedError


class Bundle:
    """What flows between a region and its outputs: a gradient or tangent for some of them."""

    __slots__ = ("parts",)
    shape = ()
    ndim = 0
    dtype = object()

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: Bundle) -> Bundle:
        both = dict(self.parts)
        for i, g in other.parts.items():
            both[i] = both[i] + g if i in both else g
        return Bundle(both)


def _pull(g: Bundle, y: Any, inputs: Sequence[Any], needs: Sequence[bool]) -> list[Any]:
    # The parents are None for what is only kept, the region first, and then the nodes outside.
    region: Region = inputs[0]
    recorded = any(isinstance(part, Tensor) for part in g.parts.values())
    found = region.pull(g.parts, recorded)
    return [None] * (len(needs) - len(found)) + found


def _op(name: str, arity: int, **rules: Any) -> Op:
    return Op(
        name, lambda *_: None, "other", arity, rules.get("rules", ()), rules.get("joint"), rules.get("saves", ""),
        (), "", False, False, "same", (), False,
    )  # fmt: skip


REGION = _op("region", VARIADIC, joint=_pull, saves="inputs")
OUTPUT = _op("output_of_region", 1, rules=[lambda g, y, x, index: Bundle({index: g})])


def close(region: Region, outside: Sequence[Node], arrays: Sequence[Array], kept: Sequence[Array] = ()) -> list[Tensor]:
    """Tensors on the output arrays of a region whose parents are the nodes `outside`.

    Whether anything wrote into the arrays `kept` since is checked before a backward pass.
    """
    node = Node()
    node.op, node.time, node.shape, node.dtype = REGION, tick(), Bundle.shape, Bundle.dtype
    node.rest = [None, *[None] * len(kept), *outside], [region, *kept, *outside]
    node.y = node.params = None
    tensors = []
    for i, array in enumerate(arrays):
        output = Node()
        output.op, output.time, output.shape, output.dtype = OUTPUT, tick(), array.shape, array.dtype
        output.p0 = output.s0 = node
        output.s1 = output.y = None
        output.params = {"index": i}
        tensors.append(wrap(array, output))
    return tensors
