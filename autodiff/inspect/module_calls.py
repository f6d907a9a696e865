"""Which call of which module made each operation: read off the names of parameters, or off what `watching` saw."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar

from autodiff.inspect.structure import Role, Structure

Part = TypeVar("Part")


@dataclass(frozen=True)
class Call:
    """One call of the module at the dotted `path`: what was recorded between two ticks of the engine's clock."""

    path: str
    kind: str
    start: int
    end: int


# One run of a derivative in a recorded backward pass: the name of the operation, when that was recorded, and when the
# derivative began to run. Without a name it is the end of a pass.
Rule: TypeAlias = tuple[str, int, int]


def rules_behind(structure: Structure, rules: Iterable[Rule]) -> dict[str, Rule]:
    """The rule that made each operation which a recorded backward pass made."""
    found = {}
    ordered = sorted(rules, key=itemgetter(2))
    starts = [start for _, _, start in ordered]
    for key in operations(structure):
        last = bisect(starts, structure.nodes[key].time) - 1
        if last >= 0 and ordered[last][0]:
            found[key] = ordered[last]
    return found


def calls_by_names(structure: Structure, params: Any, made: Mapping[str, Rule]) -> list[Call]:
    """Calls as far as the names of parameters tell: an operation that reads ``encoder.0.weight`` belongs to
    ``encoder.0``, and one between two of a module's operations to that module; what rules `made` to none."""
    named = params.named_modules() if hasattr(params, "named_modules") else ()
    kinds = {path: type(module).__name__ for path, module in named}
    times = {key: structure.nodes[key].time for key in operations(structure)}
    owners: dict[str, list[tuple[str, ...]]] = {}
    for arrow in structure.arrows:
        name = structure.boxes[arrow.tail].label
        if arrow.head in times and structure.boxes[arrow.tail].role is not Role.OPERATION and "." in name:
            owners.setdefault(arrow.head, []).append(tuple(name.split(".")[:-1]))
    own = [() if key in made else beginning(owners[key]) if key in owners else None for key in times]
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


def calls_again(structure: Structure, calls: Sequence[Call], made: Mapping[str, Rule]) -> list[Call]:
    """The frames around what rules `made`: those of the modules once more, inside the call in which the pass ran."""
    around = homes({time for _, time, _ in made.values()}, calls)
    times = {key: structure.nodes[key].time for key in operations(structure)}
    outside = homes(times.values(), calls)
    paths: list[tuple[str, ...]] = []
    for key, time in times.items():
        place = f"call {outside[time][-1].start}" if outside[time] else "outside"
        home = around[made[key][1]] if key in made else ()
        modules = home[-1].path.split(".") if home and home[-1].path else []
        paths.append((place, "gradient", *modules) if key in made else (place,))
    split = ((call, call.path.split(".", 2)) for call in _runs(paths, list(times.values()), {}))
    return [replace(call, path=".".join(parts[2:]), kind="gradient") for call, parts in split if len(parts) > 1]


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
