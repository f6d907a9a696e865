"""Functions that are called before and after every step of an optimizer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import count
from typing import Any

Hook = Callable[..., Any]
_new_key = count().__next__


class HookHandle:
    """Stands for one registered hook; `remove` ends it."""

    def __init__(self, hooks: dict[int, Hook], hook: Hook) -> None:
        self._hooks, self._key = hooks, _new_key()
        hooks[self._key] = hook

    def remove(self) -> None:
        """Call the hook no more; removing it twice does nothing."""
        self._hooks.pop(self._key, None)


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the optimizer's hooks around it, once also where a subclass calls ``super().step()``."""

    @functools.wraps(step)
    def step_with_hooks(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        if optimizer.inside_step:
            return step(optimizer, *args, **kwargs)
        optimizer.inside_step = True
        try:
            for hook in list(optimizer.pre_hooks.values()):
                changed = hook(optimizer, args, kwargs)
                if changed is not None:
                    args, kwargs = _checked(changed, hook)
            result = step(optimizer, *args, **kwargs)
            for hook in list(optimizer.post_hooks.values()):
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
