"""Whether operations are recorded: `no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`."""

from __future__ import annotations

import threading
from contextlib import ContextDecorator


class ThreadState(threading.local):
    """What each thread has for itself."""

    enabled = True
    inference = False
    # True while a derivative rule runs on tensors (create_graph): a conversion to a number would detach silently.
    in_rule = False


state = ThreadState()
# How many threads have recording switched off. While it is 0, an op does not read the thread-local at all.
disabled = 0
_lock = threading.Lock()


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread.

    >>> import autodiff as ad
    >>> with ad.no_grad():
    ...     ad.is_grad_enabled()
    False
    """
    return state.enabled


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return state.inference


def _switch(enabled: bool) -> None:
    global disabled
    if enabled != state.enabled:
        with _lock:
            disabled += -1 if enabled else 1
        state.enabled = enabled


class _Scope(ContextDecorator):
    """A ``with`` block, or a decorator, in which recording is on or off in this thread; may be nested and reused."""

    enabled = False

    def __init__(self) -> None:
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._before.append((state.enabled, state.inference))
        _switch(self.enabled)

    def __exit__(self, *exception: object) -> None:
        enabled, state.inference = self._before.pop()
        _switch(enabled)


class no_grad(_Scope):
    """Record nothing inside: results do not require grad. Use as ``with ad.no_grad():`` or ``@ad.no_grad()``.

    >>> import autodiff as ad
    >>> w = ad.ones(2, requires_grad=True)
    >>> with ad.no_grad():
    ...     (w * 2).requires_grad
    False
    """


class enable_grad(_Scope):
    """Record inside, also within `no_grad`. Use as ``with ad.enable_grad():`` or ``@ad.enable_grad()``."""

    enabled = True


class inference_mode(_Scope):
    """As `no_grad`, for evaluation; `mode=False` records again."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.enabled = not mode

    def __enter__(self) -> None:
        super().__enter__()
        state.inference = not self.enabled


class set_grad_enabled(_Scope):
    """Switch recording on or off at once; as a ``with`` block it is undone at the end.

    >>> import autodiff as ad
    >>> with ad.set_grad_enabled(False):
    ...     ad.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self._before.append((state.enabled, state.inference))
        self.enabled = mode
        _switch(mode)

    def __enter__(self) -> None:
        """The switch was made when this was created, and that is what the end of the block undoes."""
