"""What random draws go through in a thread: inside vmap, its rule for several samples."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any


class _State(threading.local):
    """A function of the method that draws, its generator and its arguments; None where it draws as it is."""

    around: Callable[..., Any] | None = None


state = _State()


def drawing(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a generator that asks how this thread draws."""

    @wraps(method)
    def draw(self: Any, *args: Any, **options: Any) -> Any:
        if state.around is None:
            return method(self, *args, **options)
        return state.around(method, self, *args, **options)

    return draw
