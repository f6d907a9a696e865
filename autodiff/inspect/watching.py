"""Watches a model while it runs: which module made what, what came out, how long it took, what derivatives made.

The engine has nothing that reports these, so that it does not pay for it; while a model is watched two of its functions
are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from autodiff import backpropagation, recorders
from autodiff.graph import Node, tick
from autodiff.inspect.module_calls import Call, Rule
from autodiff.tensor import Array, Tensor


@dataclass
class Watched:
    """What was seen, by times of the engine's clock.

    `calls` are those of modules, `values` what they returned; `rules` are the derivatives that a recorded backward pass
    ran; `seconds` is what passed until a node was recorded since the one before.
    """

    calls: list[Call] = field(default_factory=list)
    values: dict[Node, Array] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    seconds: dict[int, float] = field(default_factory=dict)


@contextmanager
def watched(*models: Any, timed: bool = False) -> Iterator[Watched]:
    """What happens in the modules inside `models` while the block runs; of a function, no module is known."""
    seen = Watched()
    modules = {id(module): (path, module) for model in models for path, module in _modules(model)}
    handles = [handle for path, module in modules.values() for handle in _hooks(seen, path, module)]
    pull = backpropagation._pull
    backpropagation._pull = _watched_pull(pull, seen)
    if timed:
        vars(recorders)["tick"] = _timed_tick(seen)
    try:
        yield seen
    finally:
        backpropagation._pull = pull
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


def _watched_pull(pull: Any, seen: Watched) -> Any:
    def watched_pull(node: Node, g: Any, wanted: Any, recorded: bool, deliver: Any) -> None:
        start = tick()
        pull(node, g, wanted, recorded, deliver)
        if recorded:
            seen.rules.append(Rule(node.name, node.time, start, tick()))

    return watched_pull


def _timed_tick(seen: Watched) -> Any:
    last = perf_counter()

    def timed_tick() -> int:
        nonlocal last
        time, now = tick(), perf_counter()
        seen.seconds[time], last = now - last, now
        return time

    return timed_tick
