"""The node of an application of a `Function`: what it keeps, how it calls `backward`, and the picks of its outputs.

Several outputs are one node and a small `Pick` each, so that every edge of the graph stays one pointer: a pick hands
on its gradient with the number of its output, the engine's sum merges what the picks hand on, and so backward is
called once. The node keeps arrays and the context, which knows its node weakly: nothing forms a cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from autodiff.domain import REALS
from autodiff.grad_mode import state, switch
from autodiff.graph import FREED, Node, tick
from autodiff.op import VARIADIC, Op
from autodiff.recorders import Spec
from autodiff.tensor import Tensor, wrap

if TYPE_CHECKING:
    from autodiff.function import Function, FunctionCtx


class Gradients:
    """The gradients of some of a function's outputs, by number, on their way to its node."""

    __slots__ = ("by_output", "dtype", "shape")

    def __init__(self, by_output: dict[int, Any]) -> None:
        self.by_output = by_output
        # Those of the node, which has no one shape: the edge contract compares them.
        self.shape = self.dtype = None

    def __add__(self, other: Gradients) -> Gradients:
        # The sum of what flows to one output is made before, at its pick.
        return Gradients(self.by_output | other.by_output)


def _call_backward(g: Any, y: FunctionNode, inputs: Any, *, needs: Sequence[bool]) -> list[Any]:
    """The rule of every function. Nothing is saved as its output, so that `y` is the node, as for any rule."""
    given = g.by_output if type(g) is Gradients else {y.numbers[0]: g}
    recorded = isinstance(next(iter(given.values())), Tensor)
    gradients: list[Any] = []
    for i, like in enumerate(y.outputs):
        if i in given:
            gradients.append(given[i] if recorded else wrap(given[i]))
        else:
            gradients.append(wrap(np.zeros(*like)) if like is not None and y.ctx.materialize_grads else None)
    backward = y.op.function.choose_backward()
    returned = backward(y.ctx, *gradients) if recorded else unrecorded(backward, y.ctx, *gradients)
    checked = _checked(y, returned if isinstance(returned, tuple) else (returned,), needs)
    return checked if recorded else [None if gx is None else gx.array for gx in checked]


def unrecorded(function: Callable[..., Any], *args: Any) -> Any:
    """What the function returns, recording nothing: `no_grad`, without its 2 µs."""
    before = state.enabled
    switch(False)
    try:
        return function(*args)
    finally:
        switch(before)


def _checked(node: FunctionNode, returned: tuple[Any, ...], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients that `backward` returned, for those inputs that need one; RuntimeError for what cannot be one."""
    parents, operands = node.rest
    name, expected = node.op.name + "Backward", len(parents)
    came = len(returned)
    if came != expected and (came < expected or any(gx is not None for gx in returned[expected:])):
        raise RuntimeError(
            f"function {name} returned an incorrect number of gradients (expected {expected}, got {came}); "
            f"return one for each argument of forward in a tuple, None for an argument that needs none"
        )
    checked: list[Tensor | None] = []
    for i, (gx, parent, operand, need) in enumerate(zip(returned, parents, operands, needs, strict=False)):
        if gx is None:
            checked.append(None)
            continue
        if operand is None:
            raise RuntimeError(
                f"function {name} returned a gradient different than None at position {i + 1}, but the corresponding "
                f"argument of forward was not a Tensor; return None for it"
            )
        if not isinstance(gx, Tensor):
            raise RuntimeError(
                f"function {name}: expected a Tensor or None at position {i + 1}, got {type(gx).__name__}"
            )
        if need and gx.shape != parent.shape and not _expands(parent.shape, gx.shape):
            raise RuntimeError(
                f"function {name} returned an invalid gradient at index {i} - got {list(gx.shape)} but expected shape "
                f"compatible with {list(parent.shape)}, that of the input"
            )
        checked.append(gx if need else None)
    return checked


def _expands(shape: tuple[int, ...], wider: tuple[int, ...]) -> bool:
    """Whether `shape` broadcasts to `wider`: then a gradient of that shape is summed to it."""
    extra = len(wider) - len(shape)
    return extra >= 0 and all(n in (1, m) for n, m in zip(shape, wider[extra:], strict=True))


class FunctionOp(Op):
    """The op behind a subclass of Function."""

    __slots__ = ("function",)

    def __init__(self, function: type[Function]) -> None:
        super().__init__(
            function.__name__, function.forward, "other", VARIADIC, (), _call_backward, "x", REALS,
            (function.__doc__ or "").strip().partition("\n")[0], False, False, "same", (), False,
        )  # fmt: skip
        self.function = function


PICK = Op(
    "pick", lambda x, index: x, "other", 1, (lambda g, y, x, index: Gradients({index: g}),), None, "", REALS,
    "One of several outputs of a function.", False, False, "same", (), False,
)  # fmt: skip


class FunctionNode(Node):
    """One application of a function: `ctx`, what it saved, and which of its outputs carry gradients.

    `outputs` has the shape and dtype of each output, None for one that is no tensor; `numbers` counts those that carry
    a gradient. If it is one output alone, this node is its node.
    """

    __slots__ = ("__weakref__", "ctx", "kept", "numbers", "outputs", "picks")

    # None if there are several such outputs: they have no one shape and dtype, and their gradients together neither.
    shape: Any

    def __init__(
        self, ctx: FunctionCtx, op: Op, inputs: Sequence[Any], parents: list[Node | None], outputs: Sequence[Any],
        numbers: list[int],
    ) -> None:  # fmt: skip
        self.ctx, self.op, self.time, self.numbers = ctx, op, tick(), numbers
        self.outputs: list[Any] = [(y.shape, y.dtype) if isinstance(y, Tensor) else None for y in outputs]
        self.shape, self.dtype = self.outputs[numbers[0]] if len(numbers) == 1 else (None, None)
        specs = [
            parent or (Spec(x.array) if isinstance(x, Tensor) else None)
            for x, parent in zip(inputs, parents, strict=True)
        ]
        self.rest = parents, specs
        self.y = self.params = None
        self.kept: Any = ()
        self.picks: dict[int, ref[Pick]] = {}
        ctx._node = ref(self)

    def node_of(self, number: int) -> Node:
        """The node of an output."""
        if len(self.numbers) == 1:
            return self
        known = self.picks.get(number)
        pick = None if known is None else known()
        if pick is None:
            pick = Pick(self, number)
            self.picks[number] = ref(pick)
        return pick

    def unpack(self) -> tuple[Tensor | None, ...]:
        """The saved tensors. An output is kept as its array and number, because its node points to this one."""
        if self.kept is FREED:
            raise RuntimeError(
                f"trying to backward through the graph a second time: {self.name} has freed what it saved. Pass "
                f"retain_graph=True to the first backward() or grad(), or compute the loss again"
            )
        return tuple(
            None if array is None else wrap(array, self.node_of(place) if isinstance(place, int) else place)
            for array, place in self.kept
        )

    def saved(self) -> tuple[Any, ...]:
        return () if self.kept is FREED else tuple(array for array, _ in self.kept if array is not None)

    def free(self) -> None:
        if self.kept:
            self.kept = FREED

    def __getattr__(self, name: str) -> Any:
        """What `ctx` has: in PyTorch the node and the context are one object."""
        return getattr(object.__getattribute__(self, "ctx"), name)

    @property
    def label(self) -> str:
        return f"{self.op.name}Backward"


class Pick(Node):
    """The node of one of several outputs."""

    __slots__ = ("__weakref__",)

    def __init__(self, function: FunctionNode, number: int) -> None:
        self.op, self.time = PICK, tick()
        self.shape, self.dtype = function.outputs[number]
        self.p0 = self.s0 = function
        self.y, self.params = None, {"index": number}

    @property
    def label(self) -> str:
        return str(self.p0.label)  # type: ignore[union-attr]
