"""What depends on a tensor while a function runs, and where that dependence was cut from the graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autodiff.graph import Leaf, Node, tick
from autodiff.inspect.calls import LEAVING, Call
from autodiff.inspect.finding import Finding
from autodiff.lines import Line
from autodiff.tensor import Tensor, is_array
from autodiff.writes import owner

Cuts = tuple[Finding, ...]
DETACHING = ("detach", "data", "detach_")


class Dependence:
    """Follows the values that depend on `tensor` from call to call: by the graph, and, where it ends, by memory.

    `see` takes in a call; `at` tells where a result was cut off. `lines` has the line of each node that depends.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.start, self.root = tick(), tensor
        self.depends: dict[Node, bool] = {} if tensor.node is None else {tensor.node: True}
        self.lines: dict[Node, Line | None] = {}
        # What lost its history, with where: by tensor and, for what is made of its memory, by that. What is known by
        # its id is kept alive, because ids are reused.
        self.tensors: dict[int, tuple[Tensor, Cuts]] = {}
        self.memory: dict[int, tuple[Any, Cuts]] = {id(owner(tensor.array)): (tensor.array, ())}
        self.taken_out: list[Finding] = []
        self.first_use: Line | None = None
        self.used = False

    def see(self, call: Call) -> None:
        """Take in the next call."""
        inputs = [x for x in call.inputs if isinstance(x, Tensor)]
        for x in inputs:
            if isinstance(x.node, Leaf) and not self.depends.get(x.node) and self._passed_on(x):
                self.depends[x.node] = True
        if not any(self._known(x) for x in inputs):
            return
        if call.again is not None and not self.used:
            self.used, self.first_use = True, call.line
        outputs = [y for y in _flat(call.output) if isinstance(y, Tensor)]
        if call.again is None and call.name in LEAVING:
            # float(x) calls x.item().
            if all(finding.line != call.line for finding in self.taken_out):
                self.taken_out.append(_taken_out(call))
            return
        for y in outputs:
            if y.node is not None and self._in_graph(y.node):
                self.lines[y.node] = call.line
                self._remember(y, ())
            elif id(y) not in self.tensors and not (call.again is None and self._is_known_memory(y, call)):
                self._remember(y, self._cuts(call, inputs, y))

    def at(self, result: Tensor) -> list[Finding]:
        """Why the graph of `result` does not contain the tensor."""
        cuts = self._cuts_of(result)
        if cuts:
            return list(cuts)
        if self.taken_out:
            return self.taken_out
        if not self.used:
            text = (
                "no op read it while the loss was computed. Is it of another model, was it replaced since, or is its "
                "layer never called?"
            )
            return [Finding("never used", text)]
        text = "ops read it, the first here, but nothing that was computed from it reached the loss"
        return [Finding("not part of the loss", text, line=self.first_use)]

    def _in_graph(self, node: Node) -> bool:
        """Whether a node depends on the tensor; what was recorded before the function began is not followed."""
        stack = [node]
        while stack:
            top = stack[-1]
            parents = [p for p in top.parents() if p is not None and p.time >= self.start and p not in self.depends]
            if top in self.depends or not parents:
                self.depends.setdefault(top, any(p is not None and self.depends.get(p, False) for p in top.parents()))
                stack.pop()
            else:
                stack.extend(parents)
        return self.depends[node]

    def _passed_on(self, x: Tensor) -> bool:
        """Whether a leaf stands for what has a history outside, as inside vmap."""
        alive, cuts = self.memory.get(id(owner(x.array)), (None, ()))
        return alive is not None and not cuts and id(x) not in self.tensors and x is not self.root

    def _known(self, x: Tensor) -> bool:
        if x.node is not None and self._in_graph(x.node):
            return True
        return id(x) in self.tensors or (is_array(x.array) and id(owner(x.array)) in self.memory)

    def _is_known_memory(self, y: Tensor, call: Call) -> bool:
        """Whether a function of the library only passes on what an op that it called has made."""
        known = id(owner(y.array)) in self.memory
        return known and call.name not in DETACHING and not any(y.array is x.array for x in call.inputs)

    def _remember(self, y: Tensor, cuts: Cuts) -> None:
        if cuts:
            self.tensors[id(y)] = y, cuts
        self.memory.setdefault(id(owner(y.array)), (y.array, cuts))

    def _cuts_of(self, x: Tensor) -> Cuts:
        if id(x) in self.tensors:
            return self.tensors[id(x)][1]
        return self.memory.get(id(owner(x.array)), (None, ()))[1]

    def _cuts(self, call: Call, inputs: Iterable[Tensor], y: Tensor) -> Cuts:
        """Where the result of a call lost its history: in this call, or before."""
        before: dict[Finding, None] = {}
        for x in inputs:
            if not self._known(x):
                continue
            if x.node is not None and self._in_graph(x.node):
                before[_cut_here(call, y)] = None
            else:
                known = self._cuts_of(x)
                before.update(dict.fromkeys(known or (_cut_unseen(call, x is self.root),)))
        return tuple(before)


def _flat(output: Any) -> Iterable[Any]:
    return output if isinstance(output, tuple) else (output,)


def _cut_here(call: Call, y: Tensor) -> Finding:
    """What a call that read a tensor with a history, and returned one without, did."""
    if call.name in DETACHING:
        text = f"{call.name}{'' if call.name == 'data' else '()'} cut the path from it to the loss"
        return Finding("detached here", text, line=call.line)
    if y.dtype.kind != "f":
        text = f"{call.name} returned {y.dtype}, through which no gradient flows"
        return Finding("integer here", text, line=call.line)
    if not call.enabled:
        text = f"{call.name} was called while recording was off, by no_grad(), inference_mode() or set_grad_enabled()"
        return Finding("no_grad here", text, line=call.line)
    text = f"{call.name} returned a tensor without a history: it copies values, or has no derivative"
    return Finding("detached here", text, line=call.line)


def _cut_unseen(call: Call, is_root: bool) -> Finding:
    """What is said of a tensor that shares the memory of one with a history and has none itself."""
    if is_root:
        return Finding("frozen", f"{call.name} read it while it did not require grad", line=call.line)
    text = f"{call.name} read the memory of what was computed from it, by a tensor without its history"
    return Finding("detached before here", text, line=call.line)


def _taken_out(call: Call) -> Finding:
    text = f"{call.name}() made numbers of what was computed from it, and numbers have no history"
    return Finding("taken out of the graph here", text, line=call.line)
