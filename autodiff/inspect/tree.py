"""The boxes of a picture as a tree: calls of modules inside each other, and in them what they recorded, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from autodiff.inspect.module_calls import Call, beginning, homes, operations
from autodiff.inspect.structure import Role, Structure

Item: TypeAlias = "str | Group | Repeat"


@dataclass(eq=False)
class Group:
    """What can be folded into one box: a call of a module with its dotted `path` and the name of its class, or, without
    these, a part of a longer graph. `items` are keys of boxes, and groups, in the order of recording."""

    path: str = ""
    kind: str = ""
    items: list[Item] = field(default_factory=list)

    @property
    def times(self) -> int:
        return 1


@dataclass(eq=False)
class Repeat:
    """Parts of a graph that follow each other and are alike: `body` is the first, folded inside, `copies` are all."""

    body: Group
    copies: list[Group]

    @property
    def path(self) -> str:
        """The paths of the first and the last copy."""
        paths = [self.copies[0].path, self.copies[-1].path]
        return paths[0] if paths[0] == paths[1] else " … ".join(paths)

    @property
    def kind(self) -> str:
        return self.body.kind

    @property
    def times(self) -> int:
        return len(self.copies)


def keys_in(item: Item) -> Iterator[str]:
    """The boxes inside, those of all copies, in order."""
    if isinstance(item, str):
        yield item
    else:
        for inner in item.copies if isinstance(item, Repeat) else item.items:
            yield from keys_in(inner)


def depth_of(item: Item) -> int:
    """How many groups stand inside each other."""
    if isinstance(item, str):
        return 0
    if isinstance(item, Repeat):
        return depth_of(item.body)
    return 1 + max(map(depth_of, item.items), default=0)


def tree_of(structure: Structure, calls: Sequence[Call]) -> Group:
    """All boxes by the calls that made them; a leaf or constant stands before what reads it, where all of that is."""
    times = {key: structure.nodes[key].time for key in operations(structure)}
    at = homes(times.values(), calls)
    around = {key: at[time] for key, time in times.items()}
    operands: dict[str, list[str]] = {}
    read_in: dict[str, list[tuple[Call, ...]]] = {}
    for arrow in structure.arrows:
        operands.setdefault(arrow.head, []).append(arrow.tail)
        read_in.setdefault(arrow.tail, []).append(around.get(arrow.head, ()))
    root = Group()
    groups: dict[Call, Group] = {}

    def group(calls: tuple[Call, ...]) -> Group:
        """The innermost group, made where it is not there yet."""
        found = root
        for call in calls:
            if call not in groups:
                groups[call] = Group(call.path, call.kind)
                found.items.append(groups[call])
            found = groups[call]
        return found

    placed = set()
    for key, box in structure.boxes.items():
        if box.role is Role.INPUT:
            root.items.append(key)
            placed.add(key)
    for key, box in structure.boxes.items():
        if box.role not in (Role.OPERATION, Role.OUTPUT):
            continue
        for tail in operands.get(key, ()):
            if tail not in placed and structure.boxes[tail].role is not Role.OPERATION:
                group(beginning(read_in[tail])).items.append(tail)
                placed.add(tail)
        group(around.get(key, ())).items.append(key)
        placed.add(key)
    root.items += [key for key in structure.boxes if key not in placed]
    return root


def census(labels: Mapping[str, int] | Counter[str]) -> str:
    """What there is most of: ``mul ×12, add ×3 and 4 more``."""
    most = Counter(labels).most_common()
    named = ", ".join(label if count == 1 else f"{label} ×{count:,}" for label, count in most[:3])
    rest = sum(count for _, count in most[3:])
    return f"{named} and {rest:,} more" if rest else named
