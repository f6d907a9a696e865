"""Finds what is there several times in a row: blocks of a network, or the steps of a loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autodiff.inspect.structure import Role, Structure
from autodiff.inspect.tree import Group, Item, Repeat, keys_in

# Longer patterns are not looked for, so that a graph of 100,000 operations takes seconds.
LONGEST = 200
# A pattern of single operations is folded where that hides at least so many.
WORTH = 4
MOST_RUNS = 200


class Repeats:
    """Folds the groups of one structure; `patterns` also where runs of single operations, not of calls, are alike."""

    def __init__(self, structure: Structure, patterns: bool) -> None:
        self.structure, self.patterns = structure, patterns
        self.numbers: dict[Any, int] = {}
        self.operands: dict[str, list[str]] = {}
        for arrow in structure.arrows:
            self.operands.setdefault(arrow.head, []).append(arrow.tail)

    def fold(self, group: Group) -> Group:
        """The same group, with a `Repeat` for what stands in it several times in a row, at every level."""
        items = list(group.items)
        ids = [self.number(item) for item in items]
        for _ in range(MOST_RUNS):
            run = self.best_run(items, ids)
            if run is None:
                break
            start, period, times = run
            parts = [items[i : i + period] for i in range(start, start + period * times, period)]
            copies = [part[0] if isinstance(part[0], Group) and period == 1 else Group(items=part) for part in parts]
            repeat = Repeat(self.fold(copies[0]), copies)
            items[start : start + period * times] = [repeat]
            ids[start : start + period * times] = [self.number(repeat)]
        return Group(group.path, group.kind, [self.fold(x) if isinstance(x, Group) else x for x in items])

    def number(self, item: Item) -> int:
        """The same for items that are alike: what they compute, of which shapes, and how they are wired inside."""
        keys = list(keys_in(item))
        place = {key: i for i, key in enumerate(keys)}
        alike: Any = tuple(self.described(key, place) for key in keys)
        if not isinstance(item, str):
            alike = type(item), item.kind, alike
        elif self.structure.boxes[item].role in (Role.INPUT, Role.OUTPUT):
            alike = item
        return self.numbers.setdefault(alike, len(self.numbers))

    def described(self, key: str, place: dict[str, int]) -> tuple[Any, ...]:
        box = self.structure.boxes[key]
        label = box.label if box.role is Role.OPERATION else ""
        return box.role, label, box.shape, box.dtype, tuple(place.get(x, -1) for x in self.operands.get(key, ()))

    def best_run(self, items: Sequence[Item], ids: Sequence[int]) -> tuple[int, int, int] | None:
        """Where a run begins, how many items are a copy, and how many copies there are: the one that hides most."""
        found = None
        hidden = 0
        numbers = np.array(ids)
        for period in range(1, min(len(items) // 2, LONGEST) + 1):
            for start, times in _runs(numbers, period, hidden):
                copy = items[start : start + period]
                if (times - 1) * period <= hidden or not self.worth(copy, times):
                    continue
                times = self.alike(items, start, period, times)
                if (times - 1) * period > hidden and self.worth(copy, times):
                    found, hidden = (start, period, times), (times - 1) * period
        return found

    def alike(self, items: Sequence[Item], start: int, period: int, times: int) -> int:
        """How many of the copies are wired inside as the first is."""
        if period == 1:
            return times
        wiring = [self.number(Group(items=list(items[i : i + period]))) for i in _starts(start, period, times)]
        return next((i for i, number in enumerate(wiring) if number != wiring[0]), times)

    def worth(self, copy: Sequence[Item], times: int) -> bool:
        """Whether a run is folded: calls of modules that do more than one thing, or else many single operations."""
        if times < 2 or (len(copy) == 1 and isinstance(copy[0], Repeat)):
            return False
        sizes = [self.operations(item) for item in copy if isinstance(item, Group) and (item.path or item.kind)]
        if len(sizes) == len(copy) and max(sizes) > 1:
            return True
        return self.patterns and times > 2 and (times - 1) * len(copy) >= WORTH

    def operations(self, item: Item) -> int:
        return sum(self.structure.boxes[key].role is Role.OPERATION for key in keys_in(item))


def _starts(start: int, period: int, times: int) -> range:
    return range(start, start + period * times, period)


def _runs(numbers: npt.NDArray[np.int_], period: int, hidden: int) -> Iterator[tuple[int, int]]:
    """Where runs of copies of so many items begin, and how many copies they have, if they hide more than `hidden`."""
    same = np.concatenate(([False], numbers[:-period] == numbers[period:], [False]))
    edges = np.flatnonzero(same[1:] != same[:-1])
    times, rest = np.divmod(edges[1::2] - edges[::2], period)
    # Copies end where the run ends: the first step of a loop differs from the others more often than the last.
    starts, times = edges[::2] + rest, times + 1
    worth = (times - 1) * period > hidden
    yield from zip(starts[worth].tolist(), times[worth].tolist(), strict=True)
