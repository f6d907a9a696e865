"""Whether operations are recorded: `no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any


class ThreadState(threading.local):
    """What each thread has for itself."""

    enabled = True
    inference = False
    # True while a derivative rule runs on tensors (create_graph): a conversion to a number would detach silently.
    in_rule = False
    # Called as watch(node, g, parent, gx) with each gradient `gx` that a pass sends from `node`, which got `g`.
    watch: Callable[[Any, Any, Any, Any], None] | None = None


class Inference:
    """What marks a tensor made inside `inference_mode`."""

    def __repr__(self) -> str:
        return "<made inside inference_mode>"


INFERENCE = Inference()
state = ThreadState()
# How many threads have recording switched off; one more once there may be tensors made inside inference_mode. While
# it is 0, an op does not read the thread-local at all.
disabled = 0
# Whether inference_mode was ever entered.
inferring = False
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


def _watch_inference() -> None:
    global disabled, inferring
    with _lock:
        disabled += not inferring
        inferring = True


def switch(enabled: bool) -> None:
    """Switch recording on or off in this thread."""
    global disabled
    if enabled != state.enabled:
        with _lock:
            disabled += -1 if enabled else 1
        state.enabled = enabled


class _Scope:
    """A ``with`` block, or a decorator, in which recording is on or off in this thread; may be nested and reused."""

    enabled = False
    inference = False

    def __new__(cls, mode: Any = None) -> Any:
        # A function comes from ``@no_grad`` without parentheses.
        return cls()(mode) if callable(mode) else super().__new__(cls)

    def __init__(self) -> None:
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._before.append((state.enabled, state.inference))
        switch(self.enabled)
        state.inference = self.inference

    def __exit__(self, *exception: object) -> None:
        enabled, state.inference = self._before.pop()
        switch(enabled)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if isgeneratorfunction(function):

            @wraps(function)
            def resumed(*args: Any, **kwargs: Any) -> Any:
                return (yield from _Resumed(self._alike(), function(*args, **kwargs)))

            return resumed

        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self._alike():
                return function(*args, **kwargs)

        return inside

    def _alike(self) -> _Scope:
        """A scope for one call: several threads may be inside a decorated function, each with its own mode before."""
        scope: _Scope = object.__new__(type(self))
        scope.enabled, scope.inference, scope._before = self.enabled, self.inference, []
        return scope


class _Resumed(Generator[Any, Any, Any]):
    """A generator that runs inside a scope, and leaves it whenever it yields."""

    def __init__(self, scope: _Scope, generator: Generator[Any, Any, Any]) -> None:
        self.scope, self.generator = scope, generator

    def send(self, value: Any) -> Any:
        with self.scope:
            return self.generator.send(value)

    def throw(self, *error: Any) -> Any:
        with self.scope:
            return self.generator.throw(*error)


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
    """As `no_grad`, for evaluation: what is made inside can never take part in a backward pass, an error says so.

    With `mode` False it records again.
    """

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.enabled, self.inference = not mode, mode
        if mode:
            _watch_inference()


class set_grad_enabled(_Scope):
    """Switch recording on or off at once; as a ``with`` block or a decorator it is undone at the end.

    >>> import autodiff as ad
    >>> with ad.set_grad_enabled(False):
    ...     ad.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.enabled = mode
        super().__enter__()

    def __enter__(self) -> None:
        """The switch was made when this was created, and that is what the end of the block undoes."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        self.__exit__()
        scope: _Scope = enable_grad() if self.enabled else no_grad()
        return scope(function)
