"""Which call of which module made each operation: watched while a model runs, or read off the names of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar

from autodiff.graph import tick
from autodiff.inspect.structure import Role, Structure

Part = TypeVar("Part")


@dataclass(frozen=True)
class Call:
    """One call of the module at the dotted `path`: what was recorded between two ticks of the engine's clock."""

    path: str
    kind: str
    start: int
    end: int


@contextmanager
def watched(*models: Any) -> Iterator[list[Call]]:
    """The calls of all modules inside `models`, which fills while the block runs; a function has none to watch."""
    calls: list[Call] = []
    running: list[int] = []
    handles = []
    modules = {id(module): (path, module) for model in models for path, module in _modules(model)}
    for path, module in modules.values():

        def left(module: Any, inputs: Any, output: Any, path: str = path) -> None:
            calls.append(Call(path, type(module).__name__, running.pop(), tick()))

        handles.append(module.register_forward_pre_hook(lambda module, inputs: running.append(tick())))
        handles.append(module.register_forward_hook(left))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _modules(model: Any) -> list[tuple[str, Any]]:
    named = list(model.named_modules()) if hasattr(model, "named_modules") else []
    return [(path, module) for path, module in named if hasattr(module, "register_forward_hook")]


def calls_by_names(structure: Structure, params: Any) -> list[Call]:
    """Calls as far as the names of parameters tell: an operation that reads ``encoder.0.weight`` belongs to
    ``encoder.0``, and one between two of a module's operations to that module."""
    kinds = {path: type(module).__name__ for path, module in _modules(params)}
    times = {key: node.time for key, node in structure.nodes.items() if structure.boxes[key].role is Role.OPERATION}
    owners: dict[str, list[tuple[str, ...]]] = {}
    for arrow in structure.arrows:
        name = structure.boxes[arrow.tail].label
        if arrow.head in times and structure.boxes[arrow.tail].role is not Role.OPERATION and "." in name:
            owners.setdefault(arrow.head, []).append(tuple(name.split(".")[:-1]))
    own = [beginning(owners[key]) if key in owners else None for key in times]
    before, after = _last_known(own), _last_known(own[::-1])[::-1]
    paths = [beginning([b, a]) if path is None else path for path, b, a in zip(own, before, after, strict=True)]
    return _runs(paths, list(times.values()), kinds)


def beginning(paths: Sequence[tuple[Part, ...]]) -> tuple[Part, ...]:
    """What all paths begin with."""
    same = takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return tuple(parts[0] for parts in same)


def _last_known(paths: Sequence[tuple[str, ...] | None]) -> list[tuple[str, ...]]:
    """At each place the last path that was known up to there, or the outermost."""
    known: list[tuple[str, ...]] = []
    last: tuple[str, ...] = ()
    for path in paths:
        last = last if path is None else path
        known.append(last)
    return known


def _runs(paths: Sequence[tuple[str, ...]], times: Sequence[int], kinds: Mapping[str, str]) -> list[Call]:
    """One call for each stretch of operations that have the beginning of a path in common."""
    calls = []
    running: list[tuple[str, int]] = []
    ends = [*times, times[-1] + 1] if times else []
    for path, time, last in zip([*paths, ()], ends, [0, *times], strict=False):
        same = len(beginning([tuple(part for part, _ in running), path]))
        while len(running) > same:
            name = ".".join(part for part, _ in running)
            calls.append(Call(name, kinds.get(name, ""), running.pop()[1], last))
        running += [(part, time) for part in path[same:]]
    return calls


def homes(structure: Structure, calls: Sequence[Call]) -> dict[str, tuple[Call, ...]]:
    """The calls around each operation, outermost first."""
    waiting = sorted(calls, key=lambda call: (call.start, -call.end), reverse=True)
    around: list[Call] = []
    found = {}
    for key, node in structure.nodes.items():
        if structure.boxes[key].role is not Role.OPERATION:
            continue
        while around and around[-1].end < node.time:
            around.pop()
        while waiting and waiting[-1].start <= node.time:
            call = waiting.pop()
            if call.end >= node.time:
                around.append(call)
        found[key] = tuple(around)
    return found
