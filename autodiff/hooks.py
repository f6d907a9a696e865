"""Hooks: functions that see, and may replace, the gradient of a tensor during a backward pass.

A leaf's node holds its hooks. The node of a computed tensor gets a copy of its op that has them, so that a node
without hooks costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from itertools import count
from typing import Any
from weakref import ref

from autodiff import grad_mode
from autodiff.graph import Leaf
from autodiff.op import describe
from autodiff.tensor import Tensor, expect_grad, wrap

_numbers = count().__next__


class RemovableHandle:
    """What `register_hook` returns: ``remove()`` takes the hook away again, as does leaving a ``with`` block."""

    def __init__(self, hooks: dict[int, Any], number: int) -> None:
        self._hooks, self.id = hooks, number

    def remove(self) -> None:
        """Take the hook away; nothing happens if it is gone."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Hooks:
    """The hooks of one node, in the order in which they were registered."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[[Tensor], Any]] = {}
        self.after: dict[int, Callable[[Tensor], Any]] = {}
        # The tensor whose ``.grad`` is to be kept, held weakly so that no cycle forms.
        self.retaining: ref[Tensor] | None = None

    def run(self, g: Any, recorded: bool) -> Any:
        """The gradient after all hooks: an array, or a Tensor with a graph if `recorded`."""
        gradient = g if recorded else wrap(g)
        before, grad_mode.state.in_rule = grad_mode.state.in_rule, False
        try:
            with grad_mode.enable_grad() if recorded else grad_mode.no_grad():
                for hook in list(self.before.values()):
                    replaced = hook(gradient)
                    if replaced is not None:
                        gradient = _checked(replaced, gradient)
                tensor = self.retaining() if self.retaining is not None else None
                if tensor is not None:
                    tensor.grad = gradient.clone() if tensor.grad is None else tensor.grad + gradient
        finally:
            grad_mode.state.in_rule = before
        return gradient if recorded else gradient.array

    def follow(self, tensor: Tensor) -> None:
        """After a write in place, let the gradient that `tensor` keeps be that of its new value."""
        if self.retaining is not None and self.retaining() is tensor:
            self.retaining = None
            retain_grad(tensor)

    def accumulated(self, tensor: Tensor, recorded: bool) -> None:
        """Tell the hooks that wait for it that the gradient of `tensor` is complete; they may step there and then."""
        with grad_mode.enable_grad() if recorded else grad_mode.no_grad():
            for hook in list(self.after.values()):
                hook(tensor)


def _checked(replaced: Any, gradient: Tensor) -> Tensor:
    if not isinstance(replaced, Tensor) or replaced.shape != gradient.shape or replaced.dtype is not gradient.dtype:
        raise RuntimeError(
            f"a hook must return None or a gradient Tensor like the one it got, {describe(gradient)}; it returned "
            f"{describe(replaced)}"
        )
    return replaced


def _hooks_of(x: Tensor, name: str) -> Hooks:
    node = x.node
    if node is None:
        raise RuntimeError(
            f"{name}: expected a tensor that requires grad, since no gradient is ever computed for this one; "
            f"call x.requires_grad_() first"
        )
    holder: Any = node if isinstance(node, Leaf) else node.op
    if holder.hooks is None:
        if not isinstance(node, Leaf):
            holder = node.op = copy(node.op)
            # The unrolled forms of the backward pass know of no hooks.
            holder.unrolled = 0
        holder.hooks = Hooks()
    hooks: Hooks = holder.hooks
    return hooks


def _added(hooks: dict[int, Any], hook: Any, name: str) -> RemovableHandle:
    if not callable(hook):
        raise TypeError(f"{name}: expected a function of one tensor, got {describe(hook)}")
    number = _numbers()
    hooks[number] = hook
    return RemovableHandle(hooks, number)


def register_hook(x: Tensor, hook: Callable[[Tensor], Any]) -> RemovableHandle:
    """Call `hook` with the gradient of this tensor whenever one is computed; a tensor it returns takes its place.

    RuntimeError if the tensor does not require grad. The hook must not change its argument in place.

    >>> import autodiff as ad
    >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_hook(lambda g: 10 * g)
    >>> (x * x).sum().backward(); x.grad
    tensor([20., 40.])
    """
    return _added(_hooks_of(x, "register_hook").before, hook, "register_hook")


def register_post_accumulate_grad_hook(x: Tensor, hook: Callable[[Tensor], Any]) -> RemovableHandle:
    """Call `hook` with this leaf after `backward` has added to its ``.grad``; RuntimeError for a computed tensor."""
    if not x.is_leaf:
        raise RuntimeError("register_post_accumulate_grad_hook: expected a leaf; a computed tensor accumulates nothing")
    name = "register_post_accumulate_grad_hook"
    return _added(_hooks_of(x, name).after, hook, name)


def retain_grad(x: Tensor) -> None:
    """Let `backward` keep the gradient of this computed tensor in its ``.grad``; leaves keep theirs anyway.

    >>> import autodiff as ad
    >>> x = ad.tensor(3.0, requires_grad=True)
    >>> y = x * 2; y.retain_grad()
    >>> (y * y).backward(); y.grad
    tensor(12.)
    """
    if x.is_leaf and x.node is not None:
        return
    _hooks_of(x, "retain_grad").retaining = ref(x)
    expect_grad(x)


def retains_grad(x: Tensor) -> bool:
    """Whether `retain_grad` was called for this computed tensor."""
    hooks = None if x.node is None or isinstance(x.node, Leaf) else x.node.op.hooks
    return hooks is not None and hooks.retaining is not None
