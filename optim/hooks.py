"""Functions that are called before and after every step of an optimizer, or of all, and where states are saved."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import count
from typing import Any

from autodiff.hooks import RemovableHandle

Hook = Callable[..., Any]
Hooks = dict[int, Hook]
_new_key = count().__next__
_before_all: Hooks = {}
_after_all: Hooks = {}


def add_hook(hooks: Hooks, hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Put `hook` behind the others, or before them; returns the handle that removes it."""
    key = _new_key()
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    hooks[key] = hook
    hooks.update(others)
    return RemovableHandle(hooks, key)


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before every step of any optimizer, first of all hooks."""
    return add_hook(_before_all, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after every step of any optimizer, last of all hooks."""
    return add_hook(_after_all, hook)


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the optimizer's hooks around it, once also where a subclass calls ``super().step()``."""

    @functools.wraps(step)
    def step_with_hooks(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        if optimizer.inside_step:
            return step(optimizer, *args, **kwargs)
        optimizer.inside_step = True
        try:
            for hook in [*_before_all.values(), *optimizer.pre_hooks.values()]:
                changed = hook(optimizer, args, kwargs)
                if changed is not None:
                    args, kwargs = _checked(changed, hook)
            result = step(optimizer, *args, **kwargs)
            for hook in [*optimizer.post_hooks.values(), *_after_all.values()]:
                hook(optimizer, args, kwargs)
        finally:
            optimizer.inside_step = False
        optimizer.step_called = True
        return result

    return step_with_hooks


def _checked(changed: Any, hook: Hook) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not (isinstance(changed, tuple) and len(changed) == 2):
        raise TypeError(f"step pre-hook {hook!r} must return None or (args, kwargs), got {changed!r}")
    return changed
