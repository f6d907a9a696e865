"""`Function`: an operation with a backward of your own, in PyTorch's protocol.

The forward mode calls a function's `jvp` where it has one: see `transforms.function_tangents`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any

from autodiff import inplace
from autodiff.function_node import FunctionNode, FunctionOp, unrecorded
from autodiff.grad_mode import INFERENCE, state
from autodiff.graph import Node
from autodiff.op import Op
from autodiff.tensor import Tensor, wrap
from autodiff.views import View, track
from autodiff.writes import record_write


class FunctionCtx:
    """The first argument of `forward` and `backward`: carries what the one leaves for the other.

    Attributes may be set freely; tensors that are inputs or outputs belong into `save_for_backward`: an output that is
    an attribute keeps its own graph alive, until the garbage collector finds the cycle.
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


class _ForwardCtx(FunctionCtx):
    """The context as `jvp` sees it: its saved tensors are those for the forward mode, where there are any."""

    def __init__(self, ctx: FunctionCtx) -> None:
        self.__dict__.update(ctx.__dict__)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        return self.saved_for_forward or super().saved_tensors


def _only_tensors(name: str, tensors: tuple[Any, ...], none: bool = False) -> tuple[Any, ...]:
    for i, x in enumerate(tensors):
        if not isinstance(x, Tensor) and not (none and x is None):
            raise TypeError(
                f"{name} takes tensors only, but argument {i} is of type {type(x).__name__}; "
                f"set anything else as an attribute of ctx"
            )
    return tensors


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
    def own_jvp(cls) -> Callable[..., Any] | None:
        """The `jvp` of the subclass, to be called with the context and the tangents; None if it has none."""
        if cls.jvp is Function.jvp:
            return None
        return lambda ctx, *tangents: cls.jvp(_ForwardCtx(ctx), *tangents)

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
        output = unrecorded(cls._forward_and_setup if has_setup else cls.forward, ctx, *args)
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
    track(out, x, None, None)
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
            # An input, marked as dirty, is still there as that; unless it was returned twice.
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
        returned = unrecorded(backward, ctx, *gradients)
        sources = [x for x in (*gradients, *ctx.saved_tensors) if isinstance(x, Tensor) and x.node is not None]
        if not state.enabled or not sources:
            return returned
        if not isinstance(returned, tuple):
            return _once(returned, sources)
        return tuple(_once(gx, sources) for gx in returned)

    return marked


def _once(gx: Any, sources: Sequence[Tensor]) -> Any:
    return DelayedError.apply(gx, *sources) if isinstance(gx, Tensor) else gx
