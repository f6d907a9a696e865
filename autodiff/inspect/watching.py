"""Watches a model while it runs: which module made what, what came out of it, and how long each operation took.

The engine has nothing that reports times, so that it does not pay for it: while a model is timed, the engine's clock is
replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from autodiff import recorders
from autodiff.graph import Node, tick
from autodiff.inspect.module_calls import Call
from autodiff.tensor import Array, Tensor


@dataclass
class Watched:
    """What was seen, by times of the engine's clock.

    `calls` are those of modules, `values` what they returned; `seconds` is what passed until a node was recorded since
    the one before.
    """

    calls: list[Call] = field(default_factory=list)
    values: dict[Node, Array] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)


@contextmanager
def watched(*models: Any, timed: bool = False) -> Iterator[Watched]:
    """What happens in the modules inside `models` while the block runs; of a function, no module is known."""
    seen = Watched()
    modules = {id(module): (path, module) for model in models for path, module in _modules(model)}
    handles = [handle for path, module in modules.values() for handle in _hooks(seen, path, module)]
    if timed:
        vars(recorders)["tick"] = _timed_tick(seen)
    try:
        yield seen
    finally:
        vars(recorders)["tick"] = tick
        for handle in handles:
            handle.remove()


def _modules(model: Any) -> list[tuple[str, Any]]:
    named = list(model.named_modules()) if hasattr(model, "named_modules") else []
    return [(path, module) for path, module in named if hasattr(module, "register_forward_hook")]


def _hooks(seen: Watched, path: str, module: Any) -> Iterator[Any]:
    running: list[int] = []

    def entered(module: Any, inputs: Any) -> None:
        running.append(tick())

    def left(module: Any, inputs: Any, output: Any) -> None:
        seen.calls.append(Call(path, type(module).__name__, running.pop(), tick()))
        if isinstance(output, Tensor) and output.node is not None:
            seen.values[output.node] = output.array

    yield module.register_forward_pre_hook(entered)
    yield module.register_forward_hook(left)


def _timed_tick(seen: Watched) -> Any:
    last = perf_counter()

    def timed_tick() -> int:
        nonlocal last
        time, now = tick(), perf_counter()
        seen.seconds[time], last = now - last, now
        return time

    return timed_tick
