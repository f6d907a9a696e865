"""Which call of which module made each operation: read off the names of parameters, or off what `watching` saw."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, TypeVar

from autodiff.inspect.structure import Role, Structure

Part = TypeVar("Part")


@dataclass(frozen=True)
class Call:
    """One call of the module at the dotted `path`: what was recorded between two ticks of the engine's clock."""

    path: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Rule:
    """One run of a derivative in a recorded backward pass: that of the operation `name`, which was recorded at `time`,
    between the ticks `start` and `end`."""

    name: str
    time: int
    start: int
    end: int


def calls_by_names(structure: Structure, params: Any) -> list[Call]:
    """Calls as far as the names of parameters tell: an operation that reads ``encoder.0.weight`` belongs to
    ``encoder.0``, and one between two of a module's operations to that module."""
    named = params.named_modules() if hasattr(params, "named_modules") else ()
    kinds = {path: type(module).__name__ for path, module in named}
    times = {key: structure.nodes[key].time for key in operations(structure)}
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


def with_rules(structure: Structure, calls: Sequence[Call], rules: Sequence[Rule]) -> list[Call]:
    """The calls and, around what a recorded backward pass made, the frames of the modules once more.

    What a rule made gets a note of which operation it is the gradient.
    """
    around = homes([rule.time for rule in rules], calls)
    rules = sorted(rules, key=lambda rule: rule.start)
    starts = [rule.start for rule in rules]
    times = {key: structure.nodes[key].time for key in operations(structure)}
    paths: list[tuple[str, ...]] = []
    for key, time in times.items():
        found = bisect(starts, time) - 1
        rule = rules[found] if found >= 0 and time < rules[found].end else None
        if rule is None:
            paths.append(())
            continue
        path = around[rule.time][-1].path if around[rule.time] else ""
        paths.append(tuple(f"gradient.{path}".rstrip(".").split(".")))
        box = structure.boxes[key]
        structure.boxes[key] = replace(box, note=box.note or f"gradient of {rule.name}")
    again = _runs(paths, list(times.values()), {})
    return [*calls, *(replace(call, path=call.path.partition(".")[2], kind="gradient") for call in again)]


def operations(structure: Structure) -> list[str]:
    """The keys of what was computed, in the order of recording."""
    return [key for key, box in structure.boxes.items() if box.role is Role.OPERATION]


def homes(times: Iterable[int], calls: Iterable[Call]) -> dict[int, tuple[Call, ...]]:
    """The calls that ran at each time, outermost first."""
    waiting = sorted(calls, key=lambda call: (call.start, -call.end), reverse=True)
    around: list[Call] = []
    found = {}
    for time in sorted(times):
        while around and around[-1].end < time:
            around.pop()
        while waiting and waiting[-1].start <= time:
            call = waiting.pop()
            if call.end >= time:
                around.append(call)
        found[time] = tuple(around)
    return found
