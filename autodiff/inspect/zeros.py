"""Where the gradient on the way from a loss to a tensor became zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autodiff.graph import Node, ancestors
from autodiff.inspect.finding import Finding
from autodiff.tensor import Tensor

Edge = tuple[Node, Any, Node, Any]

NONE_ABOVE = "no entry that reaches the loss is above 0, so that none passes a gradient"
TIMES_0 = "what it is multiplied by is 0 wherever a gradient arrives"
OTHER_BRANCH = "the condition chose the other branch throughout"
SATURATED = "its output is at a limit, where the slope rounds to 0: make what goes in smaller"
OUTSIDE = "all that reaches the loss lies where its slope is 0"
STEPS = "it is constant between its steps, so that its slope is 0"
NOT_CHOSEN = "only entries of other places were chosen"
WRITTEN_OVER = "all of it was written over before it reached the loss"
IGNORED = "every target is ignored, or predicted with certainty"
# For each op the kind of finding and what is said, where its rule turns a gradient to zero.
KINDS = (
    ("dead ReLU", NONE_ABOVE, "relu rnn_relu"),
    ("multiplied by zero here", TIMES_0, "mul matmul linear einsum convolution conv_transpose addmm addcmul"),
    ("branch not chosen here", OTHER_BRANCH, "where masked_select"),
    ("saturated here", SATURATED, "sigmoid tanh softmax log_softmax erf attention_weights"),
    (
        "outside the limits here",
        OUTSIDE,
        "clamp clamp_min clamp_max clamp_between hardtanh hardshrink softshrink threshold",
    ),
    ("a step function here", STEPS, "sign floor ceil round trunc heaviside floor_divide trunc_divide"),
    (
        "not chosen here",
        NOT_CHOSEN,
        "getitem gather index_select amax amin maximum minimum fmax fmin slice part diagonal tril",
    ),
    ("overwritten here", WRITTEN_OVER, "put_region put_part put_places index_put scatter"),
    ("no target here", IGNORED, "cross_entropy"),
    ("zero here", "all that was computed in this checkpoint or vmap passes zeros", "region"),
)
REASONS = {op: (kind, text) for kind, text, ops in KINDS for op in ops.split()}


def why_zero(target: Node, g: Any, loss: Tensor, edges: Sequence[Edge], lines: Mapping[Node, Any]) -> list[Finding]:
    """The ops on the way from `loss` to `target` that turned a gradient to zero, or sent none; newest first.

    `g` is the gradient that `target` got, None for none.
    """
    nodes = ancestors([loss.node] if loss.node is not None else [])
    numbers = {node: number for number, node in enumerate(nodes)}
    between = _between(target, nodes)
    total = {node: g for node, g, _, _ in edges} | ({} if g is None else {target: g})
    sent = {(node, parent) for node, _, parent, _ in edges}
    reached = {loss.node} | {parent for _, _, parent, gx in edges if _nonzero(gx)}
    why: dict[Node, tuple[str, str]] = {}
    for node, came, parent, gx in edges:
        # What stands in a checkpoint or vmap is no node of the graph.
        leads = parent in between or node not in numbers
        if leads and _nonzero(came) and not _nonzero(gx):
            why.setdefault(node, _reason(node))
        elif leads and _nonzero(gx) and parent in total and not _nonzero(total[parent]):
            why.setdefault(parent, ("cancelled here", "the gradients that arrive from all that reads it add up to 0"))
    for node in between & reached:
        if any(parent in between and (node, parent) not in sent for parent in node.parents()):
            why.setdefault(node, ("no derivative here", "no gradient by this input: its rule or backward returns none"))
    if not all(node in numbers for node in why):
        # One inside tells more than that the whole passes nothing; none inside matters if the whole passes something.
        whole = any(node.name == "region" for node in why)
        why = {node: why[node] for node in why if node.name != "region" and (whole or node in numbers)}
    if not why:
        return [Finding("nothing to sum", "the loss, or what it is computed of, has no entries")]
    return [
        Finding(kind, f"{node.name}: {text}", node.name, numbers.get(node), lines.get(node) or node.line)
        for node, (kind, text) in sorted(why.items(), key=lambda item: -item[0].time)
    ]


def _reason(node: Node) -> tuple[str, str]:
    if node.op.function is not None:
        return "zero here", "the backward of this Function returned zeros"
    return REASONS.get(
        node.name, ("zero here", "what this input is multiplied by is 0, or it had no part in what reaches the loss")
    )


def _between(target: Node, nodes: Sequence[Node]) -> set[Node]:
    """The nodes that depend on `target`, and it; `nodes` are oldest first."""
    found = {target}
    for node in nodes:
        if any(parent in found for parent in node.parents()):
            found.add(node)
    return found


def _nonzero(g: Any) -> bool:
    """Whether a gradient is anywhere not 0; what gathers the gradients of several outputs counts as such."""
    array = getattr(g, "array", g)
    return bool(np.any(array)) if hasattr(array, "dtype") and hasattr(array, "any") else True
