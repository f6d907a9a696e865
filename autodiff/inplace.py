"""Writing into a tensor's own memory, and what becomes of the history.

The order is what makes it right: what a rule will read of the old values is copied, then the memory is written, then
the write is stamped, then the tensor and all views of its memory get their new nodes. A backward pass that finds a
saved array written to after its node says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import wraps
from sys import getrefcount
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.grad_mode import INFERENCE, state
from autodiff.graph import Leaf, Node, tick
from autodiff.op import Op, OpError, describe
from autodiff.ops.regions import put_region
from autodiff.tensor import Array, Tensor, is_array, wrap
from autodiff.views import Step, View, derived, register, replay, shared_places, views_of
from autodiff.writes import owner, record_write

_LEAF = (
    "{name}: {what} leaf tensor that requires grad is being written to in place, and its history would be lost; "
    "update parameters inside `with ad.no_grad():`, or compute a new tensor"
)


def records(x: Tensor, name: str, others: Sequence[Any]) -> bool:
    """Whether a write of `others` into `x` will be part of the graph; RuntimeError if it must not be made."""
    known = x.alias
    if known is INFERENCE and not state.inference:
        raise RuntimeError(
            f"{name}: a tensor made inside inference_mode cannot be written to outside of it; clone() it"
        )
    if not state.enabled or x.array.dtype.kind != "f":
        return False
    viewed = type(known) is View and known.root.node is not None
    if x.node is None and not viewed and not any(isinstance(other, Tensor) and other.node for other in others):
        return False
    if type(known) is View:
        if known.origin is not None:
            raise RuntimeError(f"{name}: {_forbidden(known.origin)}")
        if isinstance(known.root.node, Leaf):
            raise RuntimeError(_LEAF.format(name=name, what="a view of a"))
    if isinstance(x.node, Leaf):
        raise RuntimeError(_LEAF.format(name=name, what="a"))
    return True


def _forbidden(origin: str) -> str:
    advice = "clone() it first" if origin.startswith("by") else "make the view and write to it in the same mode"
    return (
        f"a view made {origin} must not be written to, or see its base written to, where gradients are recorded; "
        f"{advice}"
    )


def writable(x: Tensor, name: str, others: Sequence[Any] = ()) -> None:
    """RuntimeError if elements of `x` share a place in memory, or `others` share some of its memory, but not all."""
    array = x.array
    # Of an array inside vmap the base is that of all samples.
    everything: Any = array if type(array) is np.ndarray else array.base
    if not array.flags.writeable or shared_places(everything):
        raise RuntimeError(
            f"{name}: elements of this tensor of shape {array.shape} share places in memory, or the memory is "
            f"read-only, as after expand(); write to a clone()"
        )
    for other in others:
        if isinstance(other, Tensor) and other.array is not array and _overlaps(array, other.array):
            raise RuntimeError(
                f"{name}: the tensor that is written to and one that is read, {describe(other)}, share some of their "
                f"memory; clone() the latter"
            )


def _dense(x: Array) -> bool:
    return bool(x.flags.c_contiguous or x.transpose(np.argsort(x.strides, kind="stable")[::-1]).flags.c_contiguous)


def _overlaps(a: Array, b: Array) -> bool:
    """Whether two arrays without gaps share some of their memory, but do not lie alike in it, as PyTorch tests it."""
    if owner(a) is not owner(b):
        return False
    a, b = (x if isinstance(x, np.ndarray) else x.base for x in (a, b))
    if not (a.size and b.size and _dense(a) and _dense(b)):
        return False
    (a0, a1), (b0, b1) = np.lib.array_utils.byte_bounds(a), np.lib.array_utils.byte_bounds(b)
    if (a0, a1) == (b0, b1):
        return a.strides != b.strides
    return bool(a0 < b1 and b0 < a1)


def rebase(x: Tensor, node: Node | None, steps: tuple[Step, ...] | None = None) -> None:
    """Give `x`, and all that shares its memory, the history of a write: of values with `node`, at `steps` of `x`.

    Without steps, `node` computed all of `x` from what was there before. Call it after the memory was written to.
    """
    root, known = x, x.alias
    # What the write kept of the root has the gradient of the root before.
    before = x.node if steps is not None else None
    at = steps or ()
    if type(known) is View:
        root, at = known.root, (*known.steps, *at)
        before = root.node
    array = root.array
    if steps is not None or at or node is None or node.shape != array.shape or node.dtype is not array.dtype:
        node = derived(put_region.op, before, node, array.shape, {"steps": at}, array.dtype)
    _renew(root, node)
    for view in views_of(root):
        seen, known = view.node, view.alias
        if isinstance(seen, Leaf):
            continue
        # Three references are the view's, this frame's and getrefcount's own: nothing was computed from the view since
        # the last write, and of many views written to in turn most are such.
        single = known.before is None and known.origin is None
        if single and seen is not None and seen.op is known.op and getrefcount(seen) <= 3:
            seen.p0 = seen.s0 = node
            seen.time = tick()
        else:
            _renew(view, replay(node, known.steps) if known.origin is None else _forbidden_node(node, view))


def _renew(x: Tensor, node: Node | None) -> None:
    before, x.node = x.node, node
    if before is not None and node is not None and before.op is not None and before.op.hooks is not None:
        before.op.hooks.follow(x)


def _forbidden_node(root: Node, view: Tensor) -> Node:
    """What tells whoever differentiates through `view` that its base must not have been written to."""
    message = _forbidden(view.alias.origin)

    def rule(*_: Any, **__: Any) -> Any:
        raise RuntimeError(message)

    op = copy(put_region.op)
    op.rules = op.array_rules = (rule, rule)
    # The unrolled form of the backward pass has the old rules by name.
    op.unrolled = 0
    return derived(op, root, None, view.array.shape, None, view.array.dtype)


def assign(x: Tensor, name: str, value: Any, steps: tuple[Step, ...], write: Callable[[], None]) -> Tensor:
    """Let `write` put `value` at `steps` of `x`, and make that part of the graph where gradients are recorded."""
    recorded = records(x, name, (value,))
    writable(x, name)
    write()
    record_write(x.array, by=name)
    if recorded:
        rebase(x, value.node if isinstance(value, Tensor) else None, steps)
    return x


def in_place(function: Callable[..., Tensor], name: str, ufunc: np.ufunc | None = None) -> Callable[..., Tensor]:
    """The form of `function` that writes its result into its first argument, and returns that.

    `ufunc` does the same on plain arrays without a temporary one.
    """
    op: Op | None = getattr(function, "op", None)
    if ufunc is None and op is not None and isinstance(op.kernel, np.ufunc):
        ufunc = op.kernel
    by_element = ufunc is not None or (op is not None and op.kind == "elementwise")

    @wraps(function, updated=())
    def write(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        others = (*args, *kwargs.values())
        recorded = records(input, name, others)
        # As in PyTorch, ``x.masked_fill_(mask, x[0, 0])`` may read what it writes to, ``x.mul_(x[0, 0])`` may not.
        writable(input, name, others if by_element else [other for other in others if getattr(other, "ndim", 0)])
        x = input.array
        if recorded:
            node = _overwrite(input, name, function, op, args, kwargs)
            rebase(input, node, None if node is not None else ())
        elif ufunc is not None and not kwargs and all(_fits(other, x) for other in args):
            ufunc(x, *[other.array if isinstance(other, Tensor) else other for other in args], out=x)
            record_write(x, by=name)
        else:
            np.copyto(x, _checked(function(input, *args, **kwargs), x, name), casting="unsafe")
            record_write(x, by=name)
        return input

    write.__name__ = write.__qualname__ = name
    write.__doc__ = f"`{name[:-1]}`, written into the tensor itself, which is returned."
    return write


def _fits(other: Any, x: Array) -> bool:
    """Whether `other` neither widens floating-point `x` nor changes its shape."""
    if x.dtype.kind != "f":
        return False
    if isinstance(other, Tensor):
        array = other.array
        lengths = zip(array.shape[::-1], x.shape[::-1], strict=False)
        return array.dtype is x.dtype and array.ndim <= x.ndim and all(have in (1, want) for have, want in lengths)
    return type(other) in (float, int)


def _checked(result: Tensor, x: Array, name: str) -> Array:
    y = result.array
    if y.shape != x.shape:
        raise OpError(f"{name}: the result has shape {y.shape}; it must have the shape {x.shape} of what is written to")
    if not dtypes.can_cast(y.dtype, x.dtype):
        raise OpError(f"{name}: a result of dtype {y.dtype} cannot be written into a tensor of dtype {x.dtype}")
    return y


def _overwrite(
    input: Tensor, name: str, function: Callable[..., Tensor], op: Op | None, args: Any, kwargs: Any
) -> Node | None:
    """Write the result of `function` into `input`; its node, with what its rules will read still being what it was."""
    x = input.array
    # Of one op it is known afterwards whether it saved the old values; what a composition saves is not.
    single = op is not None and op.arity in (1, 2, 3) and not op.memo
    result = function(wrap(x if single else x.copy(), input.node), *args, **kwargs)
    y, node = _checked(result, x, name), result.node
    stale = False
    # By name, since a node may have a copy of its op, as it has while a profile is on.
    single = single and op is not None and node is not None and node.op.name == op.name
    if single and node is not None:
        for slot, saved in zip(("s0", "s1", "s2"), node.operands(), strict=False):
            if is_array(saved) and owner(saved) is owner(x):
                if slot == "s0":
                    node.s0 = saved.copy()
                else:
                    # An operand that is what is written to: backward must find that it was overwritten.
                    stale = True
    np.copyto(x, y, casting="unsafe")
    record_write(x, by=name)
    if single and node is not None and not stale:
        if node.y is y and y.dtype is x.dtype:
            node.y = x
        node.time = tick()
    return node


def moved_in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """The form of a view op that makes its argument that view."""

    @wraps(function, updated=())
    def change(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        records(input, name, ())
        source = input
        if type(input.alias) is not View:
            # Another tensor takes the place of the one that changes as the root of the memory.
            source = wrap(input.array, input.node)
            source.alias = input.alias
            for view in views_of(input):
                view.alias.root = source
        result = function(source, *args, **kwargs)
        input.array, input.alias = result.array, result.alias
        if isinstance(input.node, Leaf):
            input.node.shape = result.array.shape
        else:
            input.node = result.node
        if type(result.alias) is View:
            register(result.alias.root, input)
        # A graph that has saved the tensor expects it as it was.
        record_write(input.array, by=name)
        return input

    change.__name__ = change.__qualname__ = name
    change.__doc__ = f"`{name[:-1]}` of the tensor itself, which is returned."
    return change
