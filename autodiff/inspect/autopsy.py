"""Which op made the first infinite or NaN value, in the forward or in the backward pass, and of what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autodiff.graph import Node
from autodiff.inspect.backward_again import backward_again
from autodiff.inspect.calls import UNKNOWN, Call, calls_behind
from autodiff.inspect.finding import Finding, Report, finite, plain, statistics
from autodiff.inspect.safe_forms import safe_form
from autodiff.tensor import Array, Tensor
from autodiff.writes import owner


def autopsy(loss: Tensor | Callable[[], Tensor], model: Any = None) -> Report:
    """The first op, forward or backward, that made an infinite or NaN number; a report that is false if none did.

    It may be called after the fact, as long as the graph is there (before `backward`, or after one with
    ``retain_graph=True``); the graph holds what its rules read, and where that is too little the report says so. Given
    a function that computes the loss, it runs that and sees all. With a `model`, parameters are named. What a
    program puts in, such as -inf in a mask, is not taken for a fault. TypeError for anything but a loss or a function,
    RuntimeError for a graph that was freed.

    >>> import autodiff as ad
    >>> x = ad.tensor([0.0, 4.0], requires_grad=True)
    >>> loss = ad.where(x > 0, x.sqrt(), 0.0).sum()
    >>> found = ad.autopsy(loss)
    >>> found.findings[0].kind, found.findings[0].op
    ('NaN in the backward pass', 'sqrt')
    """
    trail = _Trail(model)
    with np.errstate(all="ignore"):
        result = calls_behind(loss, trail.see, "autopsy")
        found = trail.end_at(result) or trail.backward(result)
    if found is not None:
        return Report("the first number that is not finite:", [found])
    if finite(result):
        return Report("the loss and all gradients are finite")
    why = Finding(_kind(result) + " in the loss", "no op was seen to make it: give a function, to see all operands")
    return Report("the loss is not finite:", [why])


class _Trail:
    """The calls so far, and where each value that is not finite comes from."""

    def __init__(self, model: Any) -> None:
        # Parameters by their nodes, and modules by their ids.
        self.names: dict[Any, str] = {}
        self.layers: dict[int, str] = {}
        if model is not None:
            self.names = {p.node: name for name, p in model.named_parameters() if p.requires_grad}
            self.layers = {id(module): path for path, module in model.named_modules()}
        self.calls: list[Call] = []
        self.origins: dict[Any, Finding] = {}

    def see(self, call: Call) -> None:
        """Take in the next call: its output comes from the first of its operands' origins, or is one itself."""
        if call.again is None and call.node is None:
            return
        index = len(self.calls)
        self.calls.append(call)
        y = _first(call.output)
        if finite(y) and y is not UNKNOWN:
            return
        bad = [i for i, x in enumerate(call.inputs) if x is UNKNOWN or not finite(x)]
        values = [call.inputs[i] if call.inputs[i] is not UNKNOWN else _parent(call, i) for i in bad]
        before = [finding for finding in map(self.origin, values) if finding is not None]
        if y is UNKNOWN:
            # What nobody kept may be what its operands are.
            y, keep = call.node, bool(before)
        else:
            keep = bool(before) and not (_has_nan(y) and all(finding.kind == _PUT_IN for finding in before))
        if keep:
            self._remember(y, min(before, key=lambda finding: finding.number or 0))
        elif y is not call.node:
            self._remember(y, self._born(index, call, y, bad))

    def origin(self, value: Any) -> Finding | None:
        """Where a tensor, or the output of a node, that is not finite comes from."""
        return next((self.origins[key] for key in _keys(value) if key in self.origins), None)

    def _remember(self, value: Any, finding: Finding) -> None:
        for key in _keys(value):
            self.origins[key] = finding

    def _born(self, index: int, call: Call, y: Tensor, bad: list[int]) -> Finding:
        where = self._in_layer(call)
        operands = _operands(call, self.names)
        bad = [i for i in bad if call.inputs[i] is not UNKNOWN]
        with_nan = [i for i in bad if _has_nan(call.inputs[i])]
        constant = bool(bad) and not any(_is_computed(call.inputs[i]) for i in bad)
        infinite_param = any(isinstance(v, float) and not np.isfinite(v) for v in call.params.values())
        if with_nan or infinite_param or (constant and not _has_nan(y)):
            i = (with_nan or bad or [0])[0]
            kind = _kind(call.inputs[i]) + " in the data" if with_nan else _PUT_IN
            text = f"operand {i} of {call.name}{where} was not finite before any op that was seen: {operands}"
            return Finding(kind, text, call.name, index, call.line)
        text = f"{call.name}{where} made {statistics(y)} of\n    {operands}"
        if any(x is UNKNOWN for x in call.inputs):
            text += "\n    Not every operand was kept; an op just before may be the first: give a function to be sure"
        advice = safe_form(call, backward=False)
        return Finding(_kind(y) + " in the forward pass", text, call.name, index, call.line, advice)

    def _in_layer(self, call: Call) -> str:
        """The path of the layer that made a call, or, where only the graph is known, of the last parameter before."""
        if call.module is not None and self.layers:
            path = self.layers.get(id(call.module))
            return f" in the layer {path} ({type(call.module).__name__})" if path else ""
        waiting, seen = [] if call.node is None else [call.node], set[Node]()
        while waiting and self.names:
            node = waiting.pop(0)
            if node in self.names:
                return f", after the parameter {self.names[node]}"
            parents = [p for p in node.parents() if p is not None and p not in seen]
            seen.update(parents)
            # A parameter beside comes before what is computed.
            waiting = [*[p for p in parents if p in self.names], *waiting, *[p for p in parents if p not in self.names]]
        return ""

    def end_at(self, result: Tensor) -> Finding | None:
        """Where a loss that is not finite comes from."""
        return None if finite(result) else self.origin(result)

    def backward(self, result: Tensor) -> Finding | None:
        """The first rule that made a gradient that is not finite of one that was."""
        found: list[tuple[Node, Any, Node, Any]] = []

        def watch(node: Node, g: Any, parent: Node, gx: Any) -> None:
            if not found and not (finite(gx) and finite(g)):
                found.append((node, g, parent, gx))

        if finite(result):
            backward_again(result, watch)
        return self._wrong_rule(*found[0]) if found else None

    def _wrong_rule(self, node: Node, g: Any, parent: Node, gx: Any) -> Finding:
        index, call = next(((i, c) for i, c in enumerate(self.calls) if c.node is node), (None, None))
        if not finite(g):
            text = f"the sum of the gradients that reach {node.name} overflows: {statistics(g)}"
            return Finding(_kind(g) + " in the backward pass", text, node.name, index, node.line)
        number = next(i for i, p in enumerate(node.parents()) if p is parent)
        text = (
            f"the rule of {node.name} for input {number} made {statistics(gx)} of an upstream gradient {statistics(g)}"
            f"{_local(gx, g)}"
        )
        line, advice = node.line, ""
        if call is not None:
            line = call.line
            text = text.replace(node.name, node.name + self._in_layer(call), 1)
            advice = safe_form(call, backward=True, upstream=g, wrong=gx)
            text += f"\n    operands: {_operands(call, self.names)}{_example(gx, g, call)}"
        return Finding(_kind(gx) + " in the backward pass", text, node.name, index, line, advice)


_PUT_IN = "infinity put in"


def _first(output: Any) -> Any:
    """The first tensor among the outputs that is not finite, or the first."""
    if not isinstance(output, tuple):
        return output
    tensors = [y for y in output if isinstance(y, Tensor)]
    return next((y for y in tensors if not finite(y)), tensors[0] if tensors else None)


def _keys(value: Any) -> list[Any]:
    """What a value is recognised by: its node, and its memory, which calls keep alive."""
    if not isinstance(value, Tensor):
        return [value] if isinstance(value, Node) else []
    return [*([value.node] if value.node is not None else []), id(owner(value.array))]


def _parent(call: Call, i: int) -> Node | None:
    """The node of an operand of which no values were kept."""
    return call.node.parents()[i] if call.node is not None else None


def _is_computed(value: Any) -> bool:
    return isinstance(value, Tensor) and not value.is_leaf


def _has_nan(value: Any) -> bool:
    return not finite(value) and bool(np.isnan(plain(value)).any())


def _kind(value: Any) -> str:
    return "NaN" if _has_nan(value) else "infinity"


def _operands(call: Call, names: Mapping[Any, str]) -> str:
    """The inputs of a call with their statistics, by the names of parameters where they are such."""
    said = []
    for i, x in enumerate(call.inputs):
        name = names.get(x.node) if isinstance(x, Tensor) and x.node is not None else None
        said.append(f"{name or f'input {i}'}: {'not kept' if x is UNKNOWN else statistics(x)}")
    return "; ".join([*said, *(f"{key}={value!r:.40}" for key, value in call.params.items())])


def _local(gx: Array, g: Any) -> str:
    """The factor between an upstream gradient and what a rule made of it, where that is entry by entry."""
    if getattr(g, "shape", None) != gx.shape:
        return ""
    bad = ~np.isfinite(gx)
    if np.all(g[bad] == 0):
        return ", with a local factor that is infinite or NaN"
    return f", with a local factor {statistics(gx / np.where(g == 0, 1, g))}"


def _example(gx: Array, g: Any, call: Call) -> str:
    """The first entry that is not finite, and what was read and came there."""
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(gx))[0])
    said = [
        f"input {i} is {x.array[place]:.6g}"
        for i, x in enumerate(call.inputs)
        if isinstance(x, Tensor) and x.shape == gx.shape and x.array.dtype.kind == "f"
    ]
    if getattr(g, "shape", None) == gx.shape:
        said.append(f"upstream is {g[place]:.6g}")
    return f"; first at {list(place)}, where {' and '.join(said)}" if said else ""
