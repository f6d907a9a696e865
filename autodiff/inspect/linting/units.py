"""Dead units: those of a layer that a ReLU makes zero for all of the batch, so that they learn nothing.

A backward pass has freed what the ReLU computed when this looks. But a unit that is zero for the whole batch leaves its
layer with gradients of exactly zero, which nothing else does as long as a gradient arrives behind the ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autodiff.graph import Leaf, Node, ancestors
from autodiff.inspect.linting.fault import Fault
from autodiff.inspect.places import Names, module_of
from autodiff.tensor import Array

# Units are dead on many a batch of a healthy network: half of a layer if its input hardly differs between samples, as
# behind a bottleneck at the start. What is beyond that by three standard deviations of a coin toss, and more than three
# quarters as the units of a layer are not independent, is taken for a fault.
DEVIATIONS = 3
SHARE = 0.75
# Ops whose weight, the second input, has a unit a row; behind them comes the bias.
BY_ROWS = frozenset({"linear", "convolution", "standardize", "scale_and_shift"})
PASSING = frozenset({"mul", "div", "cast", "sum_pool", "max_pool", "max_pool_index", "standardize"})


def unit_findings(nodes: Sequence[Node], names: Names) -> list[Fault]:
    """The layers among `nodes`, oldest first, of which most units are dead."""
    dead: dict[Node, tuple[str, Array]] = {}
    hidden: set[Node] = set()
    for relu in reversed(nodes):
        if relu.op is None or not _is_relu(relu) or relu in hidden:
            continue
        layer, leaves = _layer(relu.parents()[0])
        units = _dead(leaves)
        if units is None or not _many(units) or (units.all() and not _gradient_arrives(relu, nodes)):
            continue
        if units.all():
            # What follows gets the same numbers for any input. Of what lies before no gradient tells.
            dead = {other: found for other, found in dead.items() if relu not in ancestors([other])}
            if not _gets_constants(layer, leaves):
                hidden.update(ancestors([relu]))
        name = next((module_of(names[leaf]) for leaf in leaves if leaf in names), f"layer of shape {relu.shape}")
        dead[relu] = name, units
    if not dead:
        return []
    finding = Fault.of(
        "dead units",
        "units that relu makes zero for the whole batch, so that they learn nothing",
        [f"{name} ({units.sum()} of {len(units)})" for name, units in reversed(dead.values())],
        "Lower the learning rate, start from smaller weights and biases, or use nn.LeakyReLU",
    )
    finding.places = tuple(dict.fromkeys(name for name, _ in reversed(dead.values())))
    return [finding]


def _many(units: Array) -> bool:
    """Whether more of the units are dead than chance would have it, or all."""
    chance = len(units) / 2 + DEVIATIONS * math.sqrt(len(units)) / 2
    return bool(units.all() or units.sum() > max(chance, SHARE * len(units)))


def _is_relu(node: Node) -> bool:
    return node.name == "relu" or (node.name == "hardtanh" and node.params["low"] == 0)


def _gets_constants(layer: Node | None, leaves: Sequence[Leaf]) -> bool:
    """Whether `layer`, which is dead, gets the same for all samples: the cause lies before.

    What a batch is normalised to has the mean 0. With no bias below 0 some of it stays above 0, unless all is equal.
    """
    if layer is None or layer.name != "standardize" or layer.params["groups"] is not None:
        return False
    bias = leaves[-1].tensor()
    return bias is not None and bool((bias.array >= 0).all())


def _layer(node: Node | None) -> tuple[Node | None, list[Leaf]]:
    """The layer whose output reaches a ReLU through `node`, and its leaves that have a unit a row."""
    while node is not None and node.op is not None:
        parents = node.parents()
        leaves = [parent for parent in parents if isinstance(parent, Leaf)]
        if node.name == "conv_transpose":
            return node, leaves[1:]
        if node.name in BY_ROWS and leaves:
            # The factor of a normalisation in evaluation mode is computed from its leaf.
            return node, [leaf for leaf in leaves if leaf is not parents[0]]
        if leaves and node.name == "add":
            # A bias that is added by hand.
            return node, [leaf for leaf in leaves if len(leaf.shape) == 1]
        if leaves or not (node.op.view or node.name in PASSING or node.name == "add"):
            break
        node = max((parent for parent in parents if parent is not None), key=lambda parent: parent.time)
    return None, []


def _dead(leaves: Sequence[Leaf]) -> Array | None:
    """Which units have a gradient of exactly zero in all of `leaves`; None if that is not known."""
    tensors = [p for leaf in leaves if (p := leaf.tensor()) is not None and p.grad is not None and p.ndim]
    if not tensors or len(tensors) < len(leaves) or len({p.shape[0] for p in tensors}) > 1:
        return None
    zero: Array = np.all([~p.grad.array.reshape(p.shape[0], -1).any(axis=1) for p in tensors], axis=0)
    return zero


def _gradient_arrives(relu: Node, nodes: Sequence[Node]) -> bool:
    """Whether a gradient reaches what `relu` computes: a later layer has one, and no weight on the way is all zero."""
    behind = {relu}
    arrives = False
    for node in nodes:
        parents = node.parents()
        if not any(parent in behind for parent in parents):
            continue
        behind.add(node)
        for place, leaf in enumerate(parents):
            p = leaf.tensor() if isinstance(leaf, Leaf) else None
            if p is not None and p.grad is not None:
                arrives = arrives or bool(p.grad.array.any())
                if place < 2 and node.name != "add" and not p.array.any():
                    # Such as the last factor of a residual block that starts at zero.
                    return False
    return arrives
