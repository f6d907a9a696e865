"""Hooks of modules: functions that see, and may replace, what goes into a module, comes out of it, and flows back.

A module without hooks pays one test of an attribute a call: `call_with_hooks` runs only where there are some.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from autodiff.hooks import RemovableHandle
from nn.backward_hooks import BackwardHooks

if TYPE_CHECKING:
    from nn.module import Module

_new_number = count().__next__


class Hook(NamedTuple):
    """A function and how it is called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class CallHooks:
    """The hooks around the calls of one module, or of all, in the order in which they run."""

    def __init__(self) -> None:
        self.forward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.forward: OrderedDict[int, Hook] = OrderedDict()
        self.backward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.backward: OrderedDict[int, Hook] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


def add_hook(hooks: OrderedDict[int, Any], function: Any, hook: Any, prepend: bool = False) -> RemovableHandle:
    """Put `hook`, which calls `function`, at the end or the beginning; TypeError if that cannot be called."""
    if not callable(function):
        raise TypeError(f"expected a function as a hook, got {type(function).__name__}")
    handle = RemovableHandle(hooks, _new_number())
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


class Hooked:
    """The part of `Module` that registers hooks on its calls."""

    # None where there are no hooks, as there are for most modules; those of all modules stand in the class.
    _call_hooks: CallHooks | None = None

    def _own_hooks(self) -> CallHooks:
        hooks: CallHooks = self.__dict__.setdefault("_call_hooks", CallHooks())
        return hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before `forward`; what it returns, unless None, takes the place of the arguments.

        With `with_kwargs` it is ``hook(module, args, kwargs)``, which returns None or both. `prepend` puts it first.

        >>> import autodiff as ad, nn
        >>> layer = nn.ReLU()
        >>> handle = layer.register_forward_pre_hook(lambda module, args: -args[0])
        >>> layer(ad.tensor([-1.0, 2.0]))
        tensor([1., 0.])
        >>> handle.remove()
        >>> layer(ad.tensor([-1.0, 2.0]))
        tensor([0., 2.])
        """
        return add_hook(self._own_hooks().forward_pre, hook, Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after `forward`; what it returns, unless None, becomes the output.

        With `with_kwargs` it is ``hook(module, args, kwargs, output)``. With `always_call` it also runs if the call
        raises, then with None or the output so far. `prepend` puts it first.
        """
        return add_hook(self._own_hooks().forward, hook, Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are known; it may return others."""
        return add_hook(self._own_hooks().backward_pre, hook, Hook(hook), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known.

        Both are tuples, with None for what is no tensor; the gradients that it returns, unless None, take the place of
        `grad_input`.
        """
        return add_hook(self._own_hooks().backward, hook, Hook(hook), prepend)


_EVERY_MODULE = CallHooks()


def _hooks_of_every_module() -> CallHooks:
    Hooked._call_hooks = _EVERY_MODULE
    return _EVERY_MODULE


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before the `forward` of every module, before the module's own hooks."""
    return add_hook(_hooks_of_every_module().forward_pre, hook, Hook(hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the `forward` of every module, before the module's own hooks."""
    return add_hook(_hooks_of_every_module().forward, hook, Hook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` in the backward pass of every module."""
    return add_hook(_hooks_of_every_module().backward_pre, hook, Hook(hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` in the backward pass of every module."""
    return add_hook(_hooks_of_every_module().backward, hook, Hook(hook))


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What calling `module` does if it, or every module, has hooks."""
    own: Any = module._call_hooks
    if not (own or _EVERY_MODULE):
        _forget_hooks(module)
        return module.forward(*args, **kwargs)
    both = [_EVERY_MODULE] if own is _EVERY_MODULE else [_EVERY_MODULE, own]
    # Copies, since a hook may remove itself.
    after = [hook for hooks in both for hook in hooks.forward.values()]
    output = None
    try:
        for hook in [hook for hooks in both for hook in hooks.forward_pre.values()]:
            args, kwargs = _before_forward(hook, module, args, kwargs)
        flowing_back = BackwardHooks(
            module,
            [hook.function for hooks in both for hook in hooks.backward_pre.values()],
            [hook.function for hooks in both for hook in hooks.backward.values()],
        )
        args = flowing_back.watch_inputs(args)
        output = module.forward(*args, **kwargs)
        while after:
            output = _after_forward(after.pop(0), module, args, kwargs, output)
        return flowing_back.watch_outputs(output)
    except Exception:
        _call_in_spite_of_the_error([hook for hook in after if hook.always_call], module, args, kwargs, output)
        raise


def _forget_hooks(module: Module) -> None:
    """After all have been removed, calls cost again what they did before."""
    module.__dict__.pop("_call_hooks", None)
    Hooked._call_hooks = None


def _before_forward(
    hook: Hook, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not hook.with_kwargs:
        changed = hook.function(module, args)
        if changed is not None:
            args = changed if isinstance(changed, tuple) else (changed,)
        return args, kwargs
    changed = hook.function(module, args, kwargs)
    if changed is None:
        return args, kwargs
    if not (isinstance(changed, tuple) and len(changed) == 2):
        raise RuntimeError(f"a forward pre-hook with kwargs must return None or (args, kwargs), got {changed!r}")
    return changed


def _after_forward(hook: Hook, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    changed = hook.function(module, args, *((kwargs,) if hook.with_kwargs else ()), output)
    return output if changed is None else changed


def _call_in_spite_of_the_error(
    hooks: Iterable[Hook], module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> None:
    for hook in hooks:
        try:
            output = _after_forward(hook, module, args, kwargs, output)
        except Exception as error:
            warnings.warn(f"a forward hook raised while another error was on its way: {error}", stacklevel=4)
