"""Views: which tensors share whose memory, so that a write through one of them gives all of them their history.

A tensor that an op made without a copy has a `View`: its root, the tensor that owns the history of the memory, and what
was done to it on the way. A root holds weak references to its views. Nothing else is kept, and a
view never holds a node of its root, so that no graph outlives its tensors.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from weakref import ref

from autodiff import grad_mode
from autodiff.grad_mode import INFERENCE, state
from autodiff.graph import Node, tick
from autodiff.tensor import Array, Tensor
from autodiff.writes import owner

Step = tuple[Any, dict[str, Any], tuple[int, ...]]
_cleaning = threading.Lock()
_starting = threading.RLock()
_new: Any = object.__new__


class View:
    """How a tensor lies in the memory of another, its root.

    ``op`` with ``params`` made it, of ``shape``, from the view that ``before`` describes, or, if that is None, from the
    root itself; ``origin`` says what forbids writing to it where gradients are recorded, if anything does.
    """

    __slots__ = ("before", "op", "origin", "params", "root", "shape")

    root: Tensor
    before: View | None
    op: Any
    params: dict[str, Any]
    shape: tuple[int, ...]
    origin: str | None

    @property
    def steps(self) -> tuple[Any, ...]:
        """The steps from the root, in order: ``(op, params, shape)`` each."""
        steps: list[Any] = []
        view: View | None = self
        while view is not None:
            if view.op is not None:
                steps.append((view.op, view.params, view.shape))
            view = view.before
        return tuple(reversed(steps))


def is_view(x: Tensor) -> bool:
    """Whether `x` shares the memory of another tensor from which an op made it."""
    return isinstance(x.alias, View)


def base_of(x: Tensor) -> Tensor | None:
    """The tensor that `x` is a view of, itself no view; None for a tensor that is no view."""
    return x.alias.root if isinstance(x.alias, View) else None


def track(out: Tensor, source: Tensor, op: Any, params: dict[str, Any] | None) -> None:
    """Note that `op` made `out` of `source`, if it lies in the same memory; without an op it is the same again."""
    array, base = out.array, source.array
    memory = array.base
    # The last test alone would do; the others are quick.
    shared = array is base or memory is base or (memory is not None and memory is base.base)
    if not shared and (memory is None or owner(array) is not owner(base)):
        return
    known = source.alias
    if known is INFERENCE:
        out.alias = INFERENCE
        return
    out.alias = view = _new(View)
    view.op = op
    view.params = params
    view.shape = array.shape
    view.origin = None
    if type(known) is View:
        view.before = known
        view.root = known.root
        view.origin = known.origin
    else:
        view.before = None
        view.root = source
    if grad_mode.disabled and view.origin is None and not state.enabled:
        view.origin = "inside inference_mode" if state.inference else "inside no_grad"
    register(view.root, out)


def register(root: Tensor, view: Tensor) -> None:
    """Add `view` to what `root` knows of."""
    views = root.alias
    if views is None:
        # Two threads that view one tensor for the first time must not each start a list.
        with _starting:
            views = root.alias
            if views is None:
                views = root.alias = []
    views.append(ref(view))
    count = len(views)
    # Whenever the list has doubled, the dead go; other threads may append meanwhile.
    if count >= 16 and not count & (count - 1) and _cleaning.acquire(blocking=False):
        views[:count] = [reference for reference in views[:count] if reference() is not None]
        _cleaning.release()


def views_of(root: Tensor) -> Iterator[Tensor]:
    """The live views of `root`."""
    # Of a copy, since other threads may append and clean meanwhile.
    for reference in tuple(root.alias) if type(root.alias) is list else ():
        view = reference()
        # Not one whose memory was replaced, by an assignment to ``.data``.
        if view is not None and type(view.alias) is View and view.alias.root is root:
            yield view


def mark(pieces: tuple[Tensor, ...], name: str) -> tuple[Tensor, ...]:
    """The outputs of an op that makes several views at once: PyTorch lets none of them be written to."""
    for piece in pieces:
        if type(piece.alias) is View and piece.alias.origin is None:
            piece.alias.origin = f"by {name}, together with others"
    return pieces


def replay(node: Node | None, steps: tuple[Step, ...]) -> Node | None:
    """The node of what `steps` make of the tensor with `node`."""
    for op, params, shape in steps:
        if node is not None:
            node = derived(op, node, None, shape, params)
    return node


def derived(op: Any, a: Node | None, b: Node | None, shape: tuple[int, ...], params: Any, dtype: Any = None) -> Node:
    """A node of an op of one or two inputs whose rules read no values, without running its kernel."""
    node = Node()
    node.op = op
    node.time = tick()
    node.shape = shape
    node.dtype = dtype or a.dtype  # type: ignore[union-attr]
    node.p0 = node.s0 = a
    node.p1 = node.s1 = b
    node.y = None
    node.params = params
    return node


def shared_places(array: Array) -> bool:
    """Whether elements of `array` lie at one place in memory, as in an expanded tensor."""
    if array.flags.c_contiguous:
        return False
    reached = 0
    for step, length in sorted((abs(step), length) for step, length in zip(array.strides, array.shape, strict=True)):
        if length > 1:
            if step <= reached:
                return bool(array.size)
            reached += step * (length - 1)
    return False
