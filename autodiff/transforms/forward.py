"""Forward mode: a recorded graph is swept from inputs to outputs, and every op brings its tangent rule by its kind.

An elementwise op has a diagonal Jacobian, so its rules serve for tangents as they do for gradients. A multilinear op is
applied to the tangent in the place of each input. Any other is differentiated twice backwards: its rules are linear in
the gradient g, and the derivative of that is the Jacobian itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff import grad_mode
from autodiff.backpropagation import backpropagate, conform
from autodiff.function_node import FunctionNode, Pick
from autodiff.graph import FREED, Leaf, Node, ancestors
from autodiff.op import VARIADIC, Op, recovered
from autodiff.ops.shape import broadcast
from autodiff.tensor import Tensor, wrap
from autodiff.transforms.function_tangents import of_function
from autodiff.transforms.region import OUTPUT, REGION, Bundle


def swept(roots: Sequence[Node], tangents: dict[Node, Any], recorded: bool, since: int = 0) -> list[Any]:
    """The tangents of `roots`, given those of some nodes before them; None for a root that depends on none of these.

    Tangents flow through nodes from `since` on only. They are arrays, or, if `recorded`, Tensors with a graph of their
    own, which depends on what the nodes saved too.
    """
    known = dict(tangents)
    first = min((node.time for node in tangents), default=0)
    # Parents come before their children.
    for node in ancestors(roots, since=max(first, since)):
        if node in known or node.op is None:
            continue
        moving = [None if parent is None else known.get(parent) for parent in node.parents()]
        if any(t is not None for t in moving):
            if node.y is FREED:
                raise RuntimeError(
                    f"forward mode through a graph that was freed: {node.name} has let go of what it saved; pass "
                    f"retain_graph=True to the backward() or grad() inside"
                )
            known[node] = _tangent(node, moving, recorded)
    return [known.get(root) for root in roots]


def _tangent(node: Node, moving: list[Any], recorded: bool) -> Any:
    op = node.op
    if op is REGION:
        region = node.rest[1][0]
        outer = len(region.outer)
        return Bundle(region.push(moving[len(moving) - outer :], recorded))
    if op is OUTPUT:
        return moving[0].parts.get(node.params["index"])
    params = node.params or {}
    if isinstance(node, FunctionNode):
        return of_function(node, moving, recorded)
    if isinstance(node, Pick):
        return moving[0].get(params["index"])
    parents, operands = node.parents(), node.operands()
    if recorded:
        operands = tuple(_tensor(x, p) for x, p in zip(operands, parents, strict=True))
    if op.kind == "elementwise":
        return _by_rules(node, moving, operands, params, recorded)
    if op.kind == "multilinear":
        return conform(_by_itself(op, moving, operands, params), node)
    return _by_twice_backward(node, moving, params, recorded)


def _tensor(saved: Any, parent: Node | None) -> Any:
    return wrap(saved, parent) if parent is not None and saved is not parent else saved


def _by_rules(node: Node, moving: list[Any], operands: Sequence[Any], params: Any, recorded: bool) -> Any:
    """The rule of each input on its tangent, which the shape of the output gives the place of a gradient."""
    y = node if node.y is None else wrap(node.y, node) if recorded else node.y
    total = None
    for t, rule in zip(moving, node.op.rules, strict=True):
        if t is None or rule is None:
            continue
        g = conform(broadcast.rule(t, shape=node.shape) if t.shape != node.shape else t, node)
        try:
            part = conform(rule(g, y, *operands, **params), node)
        except Exception as error:
            part = recovered(node.op, rule, error, (g, y, *operands), params)
        total = part if total is None else total + part
    return total


def _by_itself(op: Op, moving: list[Any], operands: Sequence[Any], params: Any) -> Any:
    """The op on the tangent in the place of each input, or on all tangents where it is linear in all together."""
    if len(moving) == 1:
        return op.record.rule(moving[0], **params)
    if not op.reads:
        each = [t if t is not None else _zeros(x) for t, x in zip(moving, operands, strict=True)]
        return op.record.rule(*each, **params)
    total = None
    for i, t in enumerate(moving):
        if t is not None:
            part = op.record.rule(*operands[:i], t, *operands[i + 1 :], **params)
            total = part if total is None else total + part
    return total


def _zeros(x: Any) -> Any:
    return np.zeros(x.shape, x.dtype)


def _by_twice_backward(node: Node, moving: list[Any], params: Any, recorded: bool) -> Any:
    """The derivative, with respect to u, of the products of the tangents with what the rules make of u."""
    op: Op = node.op
    with grad_mode.enable_grad():
        u = wrap(np.zeros(node.shape, node.dtype))
        u.node = Leaf(u)
        saved = node.operands()
        if recorded:
            saved = tuple(_tensor(x, p) for x, p in zip(saved, node.parents(), strict=True))
        y = node if node.y is None else wrap(node.y, node if recorded else None)
        before, grad_mode.state.in_rule = grad_mode.state.in_rule, True
        try:
            roots, seeds = [], []
            for t, g, parent in zip(moving, _gradients(op, u, y, saved, moving, params), node.parents(), strict=True):
                if t is None or g is None or parent is None:
                    continue
                g = conform(g, parent)
                if isinstance(g, Tensor) and g.node is not None:
                    roots.append(g.node)
                    seeds.append(t)
            arrived = backpropagate(roots, seeds, {u.node}, keep=True, recorded=recorded)
        finally:
            grad_mode.state.in_rule = before
    found = arrived.get(u.node)
    return _zeros(node) if found is None else found


def _gradients(op: Op, u: Tensor, y: Any, saved: Sequence[Any], moving: list[Any], params: Any) -> Sequence[Any]:
    needs = [t is not None for t in moving]
    if op.joint is not None:
        found: Sequence[Any] = op.joint(u, y, *((saved,) if op.arity == VARIADIC else saved), needs=needs, **params)
        return found
    return [
        rule(u, y, *saved, **params) if need and rule is not None else None
        for need, rule in zip(needs, op.rules, strict=True)
    ]
