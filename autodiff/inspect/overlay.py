"""Colours for the boxes of a picture: gradient norms, activations, time or memory, with a legend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf, isfinite, log10
from typing import Any, TypeAlias

import numpy as np

from autodiff.backpropagation import backpropagate
from autodiff.graph import Leaf, Node
from autodiff.inspect.recording import Recorded
from autodiff.inspect.structure import Role, Structure, identity, size
from autodiff.inspect.watching import Watched
from autodiff.tensor import Array, Tensor

Overlay: TypeAlias = str | Mapping[Tensor, float]
KINDS = "gradients", "activations", "time", "memory"
NOT_FINITE, ZERO = "#e64ce6", "#9aa5b1"
# From small to large, on a scale of ratios: apart in lightness from the middle to both sides, so that they differ in
# print and to colour-blind eyes too; and from nothing to much.
DIVERGING = ("#3b6fb6", "#a9c6e8", "#f7f7f7", "#f6b48f", "#d1495b")
RISING = ("#ffffff", "#fde3c3", "#f9b97a", "#ee8545", "#cf4f1f")
# The ends of a scale of ratios are a factor of 1,000 from the middle in every picture, so that a healthy network, whose
# gradients differ by a factor of some 10, is pale in all of them.
DECADES = 3.0


@dataclass(frozen=True)
class Scale:
    """What the values of an overlay are called and how they become text and colours.

    On a scale of `ratios` the middle colour is for the median and the ends are `DECADES` away; else the first colour is
    for 0, the last for the largest. The boxes folded into one have a `total`, or a range of values.
    """

    title: str
    text: Callable[[float], str]
    ratios: bool
    total: bool


def short(value: float) -> str:
    """Two digits of a number: ``460``, ``0.0012``, ``1.2e-07``."""
    return f"{float(f'{value:.2g}'):g}"


SCALES = {
    "gradients": Scale("norm of the gradient", short, ratios=True, total=False),
    "activations": Scale("root mean square of the values", short, ratios=True, total=False),
    "time": Scale("time of the forward pass", lambda seconds: f"{short(1e3 * seconds)} ms", ratios=False, total=True),
    "memory": Scale("saved for the backward pass", size, ratios=False, total=True),
}
OWN = Scale("values given", short, ratios=False, total=False)


def painted(picture: Structure, values: Mapping[str, float], scale: Scale, notes: Mapping[str, str]) -> Structure:
    """The picture with a colour and a number for each box, from the values of its members, and a legend.

    `notes` say more of the members; they are shown where a box stands for one.
    """
    readings = {key: [values[m] for m in box.members if m in values] for key, box in picture.boxes.items()}
    shown = {key: sum(found) if scale.total else _middle(found) for key, found in readings.items() if found}
    low, high = _limits(shown.values(), scale)
    boxes = {}
    for key, box in picture.boxes.items():
        if key in shown:
            found = readings[key]
            ends = {scale.text(shown[key])} if scale.total else dict.fromkeys(map(scale.text, (min(found), max(found))))
            note = notes.get(box.members[0], "") if len(box.members) == 1 else ""
            reading = " … ".join(ends) + (f" ({note})" if note else "")
            box = replace(box, fill=_colour(shown[key], low, high, scale), reading=reading)
        elif box.role is not Role.OUTPUT:
            box = replace(box, fill="#ffffff")
        boxes[key] = box
    ramp = DIVERGING if scale.ratios else RISING
    steps = [low + (high - low) * i / (len(ramp) - 1) for i in range(len(ramp))]
    cells = [(ramp[i], scale.text(10**step if scale.ratios else step)) for i, step in enumerate(steps)]
    extra = [(ZERO, "0")] if scale.ratios and 0.0 in shown.values() else []
    if not all(map(isfinite, shown.values())):
        extra.append((NOT_FINITE, "not finite"))
    return replace(picture, boxes=boxes, legend=(scale.title, *cells, *extra))


def _middle(values: list[float]) -> float:
    """The median, unless something is not finite, which no other value may hide."""
    return next((value for value in values if not isfinite(value)), sorted(values)[len(values) // 2])


def _limits(values: Iterable[float], scale: Scale) -> tuple[float, float]:
    """The values, or their logarithms, of the first and the last colour."""
    plain = sorted(value for value in values if isfinite(value))
    if not scale.ratios:
        return 0.0, max(plain, default=0.0) or 1.0
    logs = [log10(value) for value in plain if value > 0] or [0.0]
    return logs[len(logs) // 2] - DECADES, logs[len(logs) // 2] + DECADES


def _colour(value: float, low: float, high: float, scale: Scale) -> str:
    if not isfinite(value):
        return NOT_FINITE
    if scale.ratios and value <= 0:
        return ZERO
    ramp = DIVERGING if scale.ratios else RISING
    share = ((log10(value) if scale.ratios else value) - low) / (high - low) * (len(ramp) - 1)
    index = max(0, min(int(share), len(ramp) - 2))
    weight = min(max(share - index, 0.0), 1.0)
    mixed = [round(a + (b - a) * weight) for a, b in zip(_rgb(ramp[index]), _rgb(ramp[index + 1]), strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _rgb(colour: str) -> Iterator[int]:
    return (int(colour[i : i + 2], 16) for i in (1, 3, 5))


def measured(overlay: Overlay, recorded: Recorded) -> tuple[dict[str, float], Scale, dict[str, str]]:
    """The value of each box for an overlay, how they are shown, and what more there is to say of some."""
    structure, outputs, seen = recorded.structure, recorded.outputs, recorded.seen
    notes: dict[str, str] = {}
    if isinstance(overlay, Mapping):
        given = {identity(tensor): float(value) for tensor, value in overlay.items()}
        return {key: given[node] for key, node in structure.nodes.items() if node in given}, OWN, notes
    if overlay == "gradients":
        values = {key: _norm(g) for key, g in gradients(structure, outputs).items()}
    elif overlay == "activations":
        arrays = activations(structure, outputs, seen)
        values = {key: _norm(a) / max(a.size, 1) ** 0.5 for key, a in arrays.items()}
        notes = {key: f"{np.mean(a == 0):.0%} zero" for key, a in arrays.items() if np.mean(a == 0) >= 0.01}
    elif overlay == "time":
        if not seen.seconds:
            raise ValueError("draw measures time while it runs a model or function: draw(model, x, overlay='time')")
        values = {key: seen.seconds[node.time] for key, node in structure.nodes.items() if node.time in seen.seconds}
        values = {key: value for key, value in values.items() if structure.boxes[key].role is Role.OPERATION}
    elif overlay == "memory":
        values = {key: box.saved for key, box in structure.boxes.items() if box.role is Role.OPERATION}
    else:
        raise ValueError(f"expected overlay to be one of {', '.join(KINDS)}, or numbers by tensor; got {overlay!r}")
    return values, SCALES[overlay], notes


def gradients(structure: Structure, outputs: Mapping[str, Tensor]) -> dict[str, Array]:
    """The gradient of the outputs with respect to every tensor in the picture, by key.

    An output of several numbers is multiplied by random ones, always the same: the sum of what a softmax or a
    normalisation returns does not depend on anything. RuntimeError if a backward pass has freed what the graph
    saved. No ``.grad`` changes.
    """
    roots = [y for y in outputs.values() if y.node is not None and y.is_floating_point()]
    draws = np.random.default_rng(0)
    seeds = [
        np.ones_like(y.array) if y.numel() == 1 else draws.standard_normal(y.shape).astype(y.array.dtype) for y in roots
    ]
    with _nothing_retained(structure.nodes.values()):
        found = backpropagate(
            [y.node for y in roots if y.node], seeds, set(structure.nodes.values()), keep=True, recorded=False
        )
    return {key: found[node] for key, node in structure.nodes.items() if isinstance(found.get(node), np.ndarray)}


@contextmanager
def _nothing_retained(nodes: Iterable[Node]) -> Iterator[None]:
    """While it lasts, tensors for which `retain_grad` was called keep nothing."""
    hooks = [node.op.hooks for node in nodes if node.op is not None and node.op.hooks is not None]
    before = [hook.retaining for hook in hooks]
    try:
        for hook in hooks:
            hook.retaining = None
        yield
    finally:
        for hook, retaining in zip(hooks, before, strict=True):
            hook.retaining = retaining


def activations(structure: Structure, outputs: Mapping[str, Tensor], seen: Watched) -> dict[str, Array]:
    """The values that are still known, by key: of leaves and outputs, and what a rule saved or a module returned."""
    known: dict[Any, Any] = dict(seen.values)
    for node in structure.nodes.values():
        if isinstance(node, Leaf):
            tensor = node.tensor()
            known[node] = None if tensor is None else tensor.array
            continue
        known.setdefault(node, node.y)
        for parent, value in zip(node.parents(), node.operands(), strict=True):
            if parent is not None and known.get(parent) is None:
                known[parent] = value
    known |= {y.node: y.array for y in outputs.values()}
    arrays = {key: known.get(node) for key, node in structure.nodes.items()}
    return {key: a for key, a in arrays.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size}


def _norm(array: Array) -> float:
    """The Euclidean norm, which does not overflow before the numbers themselves do."""
    largest = float(np.max(np.abs(array), initial=0))
    if largest == 0 or not isfinite(largest):
        return largest if largest == 0 else inf if largest == inf else float("nan")
    return largest * float(np.linalg.norm((array / largest).astype(np.float64)))
