"""`Function`: an operation with a backward of your own, in PyTorch's protocol.

An application is one node, whose rule calls `backward`. Several outputs are one node and a small `Pick` each, so that
every edge of the graph stays one pointer: a pick hands on its gradient with the number of its output, the engine's sum
merges what the picks hand on, and so backward is called once. The graph keeps arrays and the context; the
context knows its node weakly. So nothing forms a cycle, unless you store an output on the context: save it instead.

The forward mode finds a function's `jvp` as ``node.op.function.jvp``, to be called with ``node.ctx`` and the tangents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any
from weakref import ref

import numpy as np

from autodiff import inplace
from autodiff.domain import REALS
from autodiff.grad_mode import INFERENCE, state, switch
from autodiff.graph import FREED, Node, tick
from autodiff.op import VARIADIC, Op
from autodiff.recorders import Spec
from autodiff.tensor import Tensor, View, wrap
from autodiff.views import register
from autodiff.writes import record_write


class FunctionCtx:
    """The first argument of `forward` and `backward`: carries what the one leaves for the other.

    Attributes may be set freely; tensors that are inputs or outputs belong into `save_for_backward`.
    `needs_input_grad` has a bool for each argument of `apply`.
    """

    needs_input_grad: tuple[bool, ...] = ()
    to_save: tuple[Tensor | None, ...] = ()
    saved_for_forward: tuple[Tensor | None, ...] = ()
    dirty_tensors: tuple[Tensor, ...] = ()
    non_differentiable: tuple[Tensor, ...] = ()
    materialize_grads = True
    _node: Callable[[], Any] = staticmethod(lambda: None)

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors, or None, for `backward`; TypeError for anything else, which can be an attribute instead.

        They are released once a backward pass has used them, and it is an error to write to them before.
        """
        self.to_save = _only_tensors("save_for_backward", tensors, none=True)

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors, or None, for `jvp`."""
        self.saved_for_forward = _only_tensors("save_for_forward", tensors, none=True)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs `forward` has written to; it must return them."""
        self.dirty_tensors = _only_tensors("mark_dirty", tensors)

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which outputs carry no gradient; outputs of integers and bools never do."""
        self.non_differentiable = _only_tensors("mark_non_differentiable", tensors)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros, as it does by default, or None for an output that nothing was computed of."""
        self.materialize_grads = value

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What was saved, with its place in the graph; RuntimeError once a backward pass has released it."""
        node = self._node()
        return () if node is None else node.unpack()


def _only_tensors(name: str, tensors: tuple[Any, ...], none: bool = False) -> tuple[Any, ...]:
    for i, x in enumerate(tensors):
        if not isinstance(x, Tensor) and not (none and x is None):
            raise TypeError(
                f"{name} takes tensors only, but argument {i} is of type {type(x).__name__}; "
                f"set anything else as an attribute of ctx"
            )
    return tensors


class Gradients:
    """The gradients of some of a function's outputs, by number, on their way to its node."""

    __slots__ = ("by_output", "dtype", "shape")

    def __init__(self, by_output: dict[int, Any]) -> None:
        self.by_output = by_output
        # Those of the node, which has no one shape: the edge contract compares them.
        self.shape = self.dtype = None

    def __add__(self, other: Gradients) -> Gradients:
        total = dict(self.by_output)
        for i, g in other.by_output.items():
            total[i] = total[i] + g if i in total else g
        return Gradients(total)


def _call_backward(g: Any, y: FunctionNode, inputs: Any, *, needs: Sequence[bool]) -> list[Any]:
    """The rule of every function. Nothing is saved as its output, so that `y` is the node, as for any rule."""
    given = g.by_output if type(g) is Gradients else {y.numbers[0]: g}
    recorded = any([isinstance(gradient, Tensor) for gradient in given.values()])
    gradients: list[Any] = []
    for i, like in enumerate(y.outputs):
        if i in given:
            gradients.append(given[i] if recorded else wrap(given[i]))
        else:
            gradients.append(wrap(np.zeros(*like)) if like is not None and y.ctx.materialize_grads else None)
    backward = y.op.function.choose_backward()
    returned = backward(y.ctx, *gradients) if recorded else _unrecorded(backward, y.ctx, *gradients)
    checked = _checked(y, returned if isinstance(returned, tuple) else (returned,), needs)
    return checked if recorded else [None if gx is None else gx.array for gx in checked]


def _unrecorded(function: Callable[..., Any], *args: Any) -> Any:
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

    def __repr__(self) -> str:
        return f"<{self.op.name}Backward>"


class Pick(Node):
    """The node of one of several outputs."""

    __slots__ = ("__weakref__",)

    def __init__(self, function: FunctionNode, number: int) -> None:
        self.op, self.time = PICK, tick()
        self.shape, self.dtype = function.outputs[number]
        self.p0 = self.s0 = function
        self.y, self.params = None, {"index": number}

    def __repr__(self) -> str:
        return repr(self.p0)


class Function:
    """An operation whose derivative you write: a subclass with static methods `forward` and `backward`.

    ``forward(ctx, *args)`` computes on tensors, nothing being recorded, and returns a tensor or a tuple of any
    things; ``backward(ctx, *gradients)`` gets a gradient for each output and returns one for each of `args`, None for
    what needs none. Or ``forward(*args)`` stands without ctx, beside ``setup_context(ctx, inputs, output)``. Call it
    by `apply`. A backward written in ops can itself be differentiated; mark one that is not as `once_differentiable`.
    `jvp` and `vmap` may be defined. [PyTorch, torch.autograd.Function]

    >>> import autodiff as ad
    >>> class Square(ad.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * g
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> Square.apply(x)
    tensor(9., grad_fn=<SquareBackward>)
    >>> ad.grad(Square.apply(x), x)
    (tensor(6.),)
    """

    generate_vmap_rule = False
    _op: FunctionOp

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._op = FunctionOp(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            f"a Function is not called as an object: make forward and backward static methods, "
            f"and call {type(self).__name__}.apply(...)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs: ``forward(ctx, *args)``, or ``forward(*args)`` beside `setup_context`."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Leave in `ctx` what `backward` needs."""
        raise NotImplementedError("setup_context is not defined")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Compute the gradients of the arguments of `forward` from those of its outputs."""
        raise NotImplementedError(
            "a Function needs a static method backward(ctx, *gradients), or vjp, to be differentiated"
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Compute the tangents of the outputs from those of the arguments."""
        raise NotImplementedError("a Function needs a static method jvp(ctx, *tangents) to be used in forward mode")

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Compute on arguments that have a further axis."""
        raise NotImplementedError("a Function needs a static method vmap(info, in_dims, *args) to be vectorised")

    @classmethod
    def choose_backward(cls) -> Callable[..., Any]:
        """What the subclass defined: `backward`, or `vjp`, which is another name for it."""
        if cls.vjp is Function.vjp:
            return cls.backward
        if cls.backward is not Function.backward:
            raise RuntimeError(f"{cls.__name__} defines both backward and vjp; define one of them")
        return cls.vjp

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call `forward` on tensors and anything else, and record it if one of the tensors requires grad."""
        has_setup = cls.setup_context is not Function.setup_context
        if has_setup or kwargs:
            # As PyTorch, the defaults of forward count as arguments here.
            leading = () if has_setup else (None,)
            bound = signature(cls.forward).bind(*leading, *args, **kwargs)
            bound.apply_defaults()
            args = bound.args[len(leading) :]
        ctx = FunctionCtx()
        parents = [x.node if isinstance(x, Tensor) else None for x in args]
        ctx.needs_input_grad = tuple([parent is not None for parent in parents])
        recorded = state.enabled and any(ctx.needs_input_grad)
        output = _unrecorded(cls._forward_and_setup if has_setup else cls.forward, ctx, *args)
        outputs = output if isinstance(output, tuple) else (output,)
        # Where in the graph a tensor stands: an input has a parent, an output will have its number.
        places: dict[int, Any] = dict(zip(map(id, args), parents, strict=True))
        dirty = {id(x) for x in ctx.dirty_tensors}
        if dirty:
            _check_dirty(ctx.dirty_tensors, cls.__name__, args, outputs, recorded)
        made = list(outputs)
        for i, y in enumerate(outputs):
            if isinstance(y, Tensor) and not (id(y) in dirty and id(y) in places):
                if y.node is not None or id(y) in places:
                    # An input, or a tensor from elsewhere, that is only passed on stays what it is.
                    made[i] = _same_memory(y)
                if type(made[i].alias) is View:
                    made[i].alias.origin = f"by {cls.__name__}"
        if recorded:
            _record(ctx, cls._op, args, parents, outputs, made, places)
        # Their tensors know the node, which holds ctx.
        ctx.to_save = ctx.dirty_tensors = ctx.non_differentiable = ()
        return tuple(made) if isinstance(output, tuple) else made[0]

    @classmethod
    def _forward_and_setup(cls, ctx: FunctionCtx, *args: Any) -> Any:
        output = cls.forward(*args)
        cls.setup_context(ctx, args, output)
        return output


def _check_dirty(
    dirty: Sequence[Tensor], name: str, args: Sequence[Any], outputs: Sequence[Any], recorded: bool
) -> None:
    """Stamp what `forward` has written to; RuntimeError if that cannot be part of the graph."""
    for x in dirty:
        if not any(x is y for y in outputs):
            raise RuntimeError(
                f"{name}: a tensor that forward marked as dirty was not returned; the inputs that it writes to must be "
                f"among its outputs"
            )
        if recorded:
            inplace.records(x, name, args)
    # Before the node is made, which may save what was written.
    record_write(*(x.array for x in dirty), by=name)


def _same_memory(x: Tensor) -> Tensor:
    """Another tensor on the memory of `x`, a view of what that is a view of."""
    out = wrap(x.array)
    if x.alias is not INFERENCE:
        root, steps = (x.alias.root, x.alias.steps) if type(x.alias) is View else (x, ())
        out.alias = View(root, steps, None)
        register(root, out)
    return out


def _record(
    ctx: FunctionCtx, op: Op, args: Sequence[Any], parents: list[Node | None], outputs: Sequence[Any], made: list[Any],
    places: dict[int, Any],
) -> None:  # fmt: skip
    """Give the outputs their history, and to the node what is to be saved."""
    constant = {id(y) for y in ctx.non_differentiable}
    numbers = [
        i
        for i, y in enumerate(outputs)
        if isinstance(y, Tensor) and y.array.dtype.kind == "f" and id(y) not in constant
    ]
    if not numbers:
        return
    node = FunctionNode(ctx, op, args, parents, outputs, numbers)
    for i in numbers:
        y = made[i]
        if y is outputs[i]:
            written = id(y) in places and not isinstance(places[id(y)], int)
            places[id(y)] = i
            if written:
                inplace.rebase(y, node.node_of(i))
                continue
        y.node = node.node_of(i)
    kept: list[Any] = []
    for x in ctx.to_save:
        if x is not None and x.alias is INFERENCE:
            raise RuntimeError(
                f"{op.name}: a tensor made inside inference_mode cannot be saved for a backward pass; clone() it first"
            )
        kept.append((None, None) if x is None else (x.array, places.get(id(x), x.node)))
    node.kept = tuple(kept)


class DelayedError(Function):
    """Passes on a gradient that cannot be differentiated: an error, but only for who tries to."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *sources: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable; to allow it, write "
            "its backward in ops on tensors and take the mark away"
        )


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a `backward` that leaves the tensors, for NumPy or SciPy: it runs without recording.

    Differentiating what it returns is a RuntimeError. Stands below ``@staticmethod``.
    """

    @wraps(backward)
    def marked(ctx: FunctionCtx, *gradients: Any) -> Any:
        returned = _unrecorded(backward, ctx, *gradients)
        sources = [x for x in (*gradients, *ctx.saved_tensors) if isinstance(x, Tensor) and x.node is not None]
        if not state.enabled or not sources:
            return returned
        if isinstance(returned, Tensor):
            return DelayedError.apply(returned, *sources)
        return tuple(DelayedError.apply(gx, *sources) if isinstance(gx, Tensor) else gx for gx in returned)

    return marked
