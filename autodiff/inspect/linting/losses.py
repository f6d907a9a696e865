"""Losses that get what they do not expect, seen in the graph: such as probabilities where scores are due."""

from __future__ import annotations

from collections.abc import Iterable

from autodiff.graph import Node
from autodiff.inspect.linting.fault import Fault
from autodiff.inspect.places import Names, place_of

CROSS_ENTROPY = "a cross-entropy, which takes scores and makes probabilities of them itself"
LOGITS = "a binary cross-entropy with logits, which takes scores and makes probabilities of them itself"
LIKELIHOOD = "nll_loss, which takes logarithms of probabilities"
TAKE_SCORES = {"cross_entropy": CROSS_ENTROPY, "log_softmax": CROSS_ENTROPY, "binary_cross_entropy_with_logits": LOGITS}
# What ends a network in scores of any sign.
SCORES = frozenset({"linear", "matmul", "addmm", "convolution", "standardize", "scale_and_shift"})
# Ops that hand on what they get, or a part of it.
SAME = frozenset({"gather", "index_select", "cast", "clone"})


def loss_findings(nodes: Iterable[Node], names: Names) -> list[Fault]:
    """What is wrong with the losses among `nodes`."""
    found: list[Fault] = []
    for node in nodes:
        if node.op is None:
            continue
        source = _source(node)
        misuse = _misuse(node.name, source)
        if misuse is not None and source is not None:
            kind, what, advice = misuse
            found.append(Fault.of(kind, what, [_where(source, names)], advice))
        found += _one_class(node, names)
    return found


def _misuse(name: str, source: Node | None) -> tuple[str, str, str] | None:
    """The fault, what it is and what to do, if the op `name` should not get what `source` computed."""
    given = source.name if source is not None else ""
    expects = TAKE_SCORES.get(name)
    if expects is not None and given in ("softmax", "sigmoid"):
        return (
            f"{given} before loss",
            f"{given} before {expects}, so that it gets small gradients and cannot come near 0",
            f"Take the {given} away and give the loss the scores",
        )
    if expects is not None and given == "relu":
        return (
            "relu before loss",
            f"relu before {expects}, so that no score is below 0 and those at 0 get no gradient",
            "Take the relu behind the last layer away",
        )
    if name == "log" and given == "softmax":
        return (
            "log of softmax",
            "log of softmax, which is -inf where a probability is rounded to 0",
            "Use log_softmax, or give the scores to nn.CrossEntropyLoss",
        )
    if name == "nll_loss" and given in ("softmax", "sigmoid"):
        return (
            "nll_loss of probabilities",
            f"{given} before {LIKELIHOOD}",
            "Use log_softmax in its place, or give the scores to nn.CrossEntropyLoss",
        )
    if name == "nll_loss" and source is not None and _ends_in_scores(source):
        return (
            "nll_loss of scores",
            f"scores before {LIKELIHOOD}: it falls without end as they grow",
            "Put log_softmax between them, or use nn.CrossEntropyLoss",
        )
    return None


def _one_class(node: Node, names: Names) -> list[Fault]:
    """A softmax over a single number, which is 1 whatever the number is."""
    if node.name not in ("softmax", "log_softmax", "cross_entropy") or node.op.arity != 1 or node.p0 is None:
        return []
    axis = (node.params or {}).get("axis")
    if not isinstance(axis, int) or node.p0.shape[axis] != 1:
        return []
    return [
        Fault.of(
            "softmax of one",
            f"{node.name} over dimension {axis}, which has length 1: it is constant, with a gradient of 0",
            [_where(node.p0, names)],
            "Use a sigmoid or nn.BCEWithLogitsLoss for two classes, or choose another dimension",
        )
    ]


def _source(node: Node) -> Node | None:
    """The node that computed the values which `node` gets first, past what only rearranges them."""
    parent = node.parents()[0]
    while parent is not None and parent.op is not None and (parent.op.view or parent.name in SAME):
        parent = parent.parents()[0]
    return None if parent is None or parent.op is None else parent


def _ends_in_scores(node: Node) -> bool:
    """Whether `node` is a layer without an activation, also if its bias is added by hand."""
    if node.name == "add":
        return any(parent is not None and parent.name in SCORES for parent in node.parents())
    return node.name in SCORES or node.name == "relu"


def _where(node: Node, names: Names) -> str:
    place = place_of(node, names)
    return f"behind {place}" if place else f"{node.name} of shape {node.shape}"
