"""What random draws go through in a thread: inside vmap, its rule for several samples; a generator of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


class _State(threading.local):
    """A function of the method that draws, its generator and its arguments; None where it draws as it is."""

    around: Callable[..., Any] | None = None
    # The generator whose methods are those of another one in this thread, and that other one.
    replaced: Any = None
    replacement: Any = None


state = _State()


def replaceable(method: Method) -> Method:
    """A method of a generator that asks whether this thread has replaced it."""

    @wraps(method)
    def call(self: Any, *args: Any, **options: Any) -> Any:
        return method(state.replacement if self is state.replaced else self, *args, **options)

    return call  # type: ignore[return-value]


def drawing(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a generator that asks how this thread draws."""

    @wraps(method)
    def draw(self: Any, *args: Any, **options: Any) -> Any:
        if self is state.replaced:
            self = state.replacement
        if state.around is None:
            return method(self, *args, **options)
        return state.around(method, self, *args, **options)

    return draw
