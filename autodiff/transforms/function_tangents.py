"""Forward mode through a `Function`: by its `jvp`, or by differentiating its backward, which is linear in gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import grad_mode
from autodiff.backpropagation import backpropagate, conform
from autodiff.function_node import FunctionNode, Gradients, unrecorded
from autodiff.graph import Leaf, Node
from autodiff.tensor import Tensor, wrap


def of_function(node: FunctionNode, moving: Sequence[Any], recorded: bool) -> Any:
    """The tangent of the output that carries gradients, or a dict of them by number if there are several."""
    jvp = node.op.function.own_jvp()
    found = _by_its_jvp(node, jvp, moving, recorded) if jvp else _by_its_backward(node, moving, recorded)
    return found if node.shape is None else found.get(node.numbers[0])


def _by_its_jvp(node: FunctionNode, jvp: Any, moving: Sequence[Any], recorded: bool) -> dict[int, Any]:
    tangents = [t if t is None or recorded else wrap(t) for t in moving]
    returned = jvp(node.ctx, *tangents) if recorded else unrecorded(jvp, node.ctx, *tangents)
    each = returned if isinstance(returned, tuple) else (returned,)
    name = node.op.name
    if len(each) != len(node.outputs):
        raise RuntimeError(
            f"{name}.jvp returned {len(each)} tangents; expected one for each of {len(node.outputs)} outputs of forward"
        )
    found = {}
    for i in node.numbers:
        t = each[i]
        if t is None:
            continue
        if not isinstance(t, Tensor) or (t.shape, t.dtype) != node.outputs[i]:
            raise RuntimeError(
                f"{name}.jvp: expected a tensor like output {i}, of shape and dtype {node.outputs[i]}, or None, got "
                f"{(t.shape, t.dtype) if isinstance(t, Tensor) else type(t).__name__}"
            )
        found[i] = t if recorded else t.array
    return found


def _by_its_backward(node: FunctionNode, moving: Sequence[Any], recorded: bool) -> dict[int, Any]:
    """The derivative, with respect to gradients u of the outputs, of what backward makes of them, along `moving`."""
    parents, operands = node.rest
    with grad_mode.enable_grad():
        us = {i: wrap(np.zeros(*node.outputs[i])) for i in node.numbers}
        for u in us.values():
            u.node = Leaf(u)
        before, grad_mode.state.in_rule = grad_mode.state.in_rule, True
        try:
            g = Gradients(us) if node.shape is None else us[node.numbers[0]]
            gradients = node.op.joint(g, node, operands, needs=[t is not None for t in moving])
            roots, seeds = [], []
            for t, gx, parent in zip(moving, gradients, parents, strict=False):
                if t is None or gx is None or parent is None:
                    continue
                gx = conform(gx, parent)
                if gx.node is not None:
                    roots.append(gx.node)
                    seeds.append(t)
            targets: dict[Node, int] = {u.node: i for i, u in us.items() if u.node is not None}
            arrived = backpropagate(roots, seeds, set(targets), keep=True, recorded=recorded)
        finally:
            grad_mode.state.in_rule = before
    zeros = {i: np.zeros(*node.outputs[i]) for i in node.numbers}
    return zeros | {targets[u]: t for u, t in arrived.items()}
