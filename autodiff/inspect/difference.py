"""`diff`: what changed between two graphs, as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, TypeAlias

from autodiff.inspect.digraph import Drawing, drawing_of
from autodiff.inspect.folding import fold, folded_where
from autodiff.inspect.recording import Recorded, record
from autodiff.inspect.room import fits
from autodiff.inspect.structure import Arrow, Box, Role, Structure
from autodiff.inspect.tree import Group, Item

ADDED, REMOVED, CHANGED, SAME = "#bfe8cb", "#f6c1c1", "#ffe7a3", "#ffffff"
LEGEND = ("what changed", (ADDED, "+ added"), (REMOVED, "− removed"), (CHANGED, "changed"), (SAME, "same"))
# So many unchanged operations in a row are one box.
UNCHANGED = 4
# The groups around a box, outermost first, each by its path and kind.
Home: TypeAlias = tuple[tuple[str, str], ...]
# Boxes of both graphs in one order: the key in the first, or None, and in the second.
Pairs: TypeAlias = list[tuple[str | None, str | None]]


@dataclass(frozen=True)
class Difference:
    """What changed: a line each in `lines`, which ``print`` shows, and a picture of both graphs in one.

    It is false where nothing changed.
    """

    lines: tuple[str, ...]
    drawing: Drawing

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        return "\n".join(self.lines) or "nothing changed"

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> dict[str, Any]:
        return {**self.drawing._repr_mimebundle_(*args, **options), "text/plain": str(self)}


def diff(before: Any, after: Any, *inputs: Any, params: Any = None) -> Difference:
    """What changed from one graph to another: operations, shapes, dtypes and parameters added, removed or changed.

    `before` and `after` are what `draw` takes: tensors, lists or dicts of them, or modules or functions, which are both
    run on `inputs`. `params` gives names to the tensors of both graphs. Modules are matched by what they compute, so
    that one more layer does not make all after it different. In the picture, which is the attribute `drawing`, what did
    not change is folded.

    >>> import autodiff as ad, nn
    >>> from autodiff.inspect import diff
    >>> small = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> large = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 2))
    >>> print(diff(small, large, ad.ones(5, 4)))
    parameters: 65, was 58
    changed: 0.weight (9, 4), was (8, 4)
    changed: 0.bias (9,), was (8,)
    changed: linear (5, 9), was (5, 8)
    removed: relu (5, 8)
    added: tanh (5, 9)
    changed: 2.weight (2, 9), was (2, 8)
    """
    old, new = record(before, *inputs, params=params), record(after, *inputs, params=params)
    old_homes, new_homes = dict(_walk(old.tree)), dict(_walk(new.tree))
    pairs = _matched(old.structure, list(old_homes), new.structure, list(new_homes))
    changes = _changes(old.structure, new.structure, pairs)
    union = _union(old.structure, new.structure, pairs, changes)
    homes = [new_homes[b] if b is not None else old_homes[str(a)] for a, b in pairs]
    tree = _nested(list(zip(union.boxes, homes, strict=True)))
    same = {key for key, box in union.boxes.items() if box.fill == SAME}
    picture = folded_where(union, _runs_of(tree, same), lambda part: all(key in same for key in part))
    if not fits(picture):
        picture = fold(union, tree, each=True)
    boxes = {key: _marked(box, [union.boxes[member] for member in box.members]) for key, box in picture.boxes.items()}
    picture = replace(picture, boxes=boxes, legend=LEGEND)
    return Difference(tuple(_lines(old, new, pairs, changes)), drawing_of(picture))


def _marked(box: Box, members: list[Box]) -> Box:
    """A box that stands for several with what happened to these."""
    fills = {member.fill for member in members}
    changed = sum(member.fill != SAME for member in members)
    if len(members) == 1 or not changed:
        return replace(box, fill=members[0].fill)
    return replace(box, fill=fills.pop() if len(fills) == 1 else CHANGED, reading=f"{changed:,} of {len(members):,}")


def _walk(group: Group, around: Home = ()) -> Iterator[tuple[str, Home]]:
    """The boxes of a tree in order with the groups around them."""
    for item in group.items:
        if isinstance(item, str):
            yield item, around
        elif isinstance(item, Group):
            yield from _walk(item, (*around, (item.path, item.kind)))


def _nested(boxes: Sequence[tuple[str, Home]]) -> Group:
    """The tree of boxes that have these groups around them."""
    group = Group()
    for first, run in groupby(boxes, key=lambda box: box[1][0] if box[1] else None):
        if first is None:
            group.items += [key for key, _ in run]
        else:
            path, kind = first
            group.items.append(Group(path, kind, _nested([(key, home[1:]) for key, home in run]).items))
    return group


def _runs_of(group: Group, same: set[str]) -> Group:
    """The same tree with a group around each `UNCHANGED` or more boxes in a row that did not change."""
    items: list[Item] = []
    for unchanged, run in groupby(group.items, key=lambda item: item in same if isinstance(item, str) else None):
        found = list(run)
        if unchanged and len(found) >= UNCHANGED:
            items.append(Group(kind="unchanged", items=found))
        else:
            items += [_runs_of(item, same) if isinstance(item, Group) else item for item in found]
    return Group(group.path, group.kind, items)


def _matched(old: Structure, before: list[str], new: Structure, after: list[str]) -> Pairs:
    """Which box of one graph is which of the other: first those that are all alike, between them those of one name."""
    pairs: Pairs = []
    old_names, new_names = _names(old), _names(new)
    old_facts = [(old_names[k], _facts(old.boxes[k])) for k in before]
    new_facts = [(new_names[k], _facts(new.boxes[k])) for k in after]
    for alike, a, b in _aligned(old_facts, new_facts):
        olds, news = before[a], after[b]
        if alike:
            pairs += zip(olds, news, strict=True)
            continue
        for named, c, d in _aligned([old_names[k] for k in olds], [new_names[k] for k in news]):
            if named:
                pairs += zip(olds[c], news[d], strict=True)
            else:
                pairs += [(key, None) for key in olds[c]] + [(None, key) for key in news[d]]
    return pairs


def _aligned(before: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[bool, slice, slice]]:
    """Stretches of two sequences that are equal, and what stands between them."""
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield tag == "equal", slice(a, b), slice(c, d)


def _names(structure: Structure) -> dict[str, tuple[str, str]]:
    """What each box is called, without the value of a number and the path of a module.

    What reads a parameter is a part of its name: the weights of two kinds of layers are not one.
    """
    readers = {arrow.tail: structure.boxes[arrow.head].label for arrow in reversed(structure.arrows)}
    names = {}
    for key, box in structure.boxes.items():
        path, _, name = box.label.rpartition(".")
        if box.role is Role.CONSTANT and box.label.strip("-").replace(".", "").isdigit():
            names[key] = "number", ""
        elif box.role in (Role.LEAF, Role.CONSTANT) and path:
            names[key] = name, readers.get(key, "")
        else:
            names[key] = box.label, ""
    return names


def _facts(box: Box) -> tuple[Any, ...]:
    return box.role, box.shape, box.dtype


def _changes(old: Structure, new: Structure, pairs: Pairs) -> dict[str, str]:
    """What is different in those boxes of the new graph that were in the old one, in words."""
    match = {a: b for a, b in pairs if a is not None}
    reads_before, reads_after = _operands(old), _operands(new)
    known = set(match.values())
    changes = {}
    for a, b in pairs:
        if a is None or b is None:
            continue
        words = _compared(old.boxes[a], new.boxes[b])
        before, after = [match[tail] for tail in reads_before.get(a, ())], reads_after.get(b, [])
        # An operand that was added or removed has a line of its own.
        if len(before) == len(after) and any(x != y for x, y in zip(before, after, strict=True) if x and y in known):
            words.append(f"now reads {', '.join(new.boxes[tail].label for tail in after)}")
        if words:
            changes[b] = ", ".join(words)
    return changes


def _operands(structure: Structure) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for arrow in structure.arrows:
        found.setdefault(arrow.head, []).append(arrow.tail)
    return found


def _compared(old: Box, new: Box) -> list[str]:
    """What a box was before, as far as it differs."""
    was = {"label": old.label, "shape": old.shape, "dtype": old.dtype or "a number"}
    words = [f"was {value}" for name, value in was.items() if getattr(old, name) != getattr(new, name)]
    if old.role is not new.role:
        words.append(
            {Role.CONSTANT: "learned before", Role.LEAF: "not learned before"}.get(new.role, f"was {old.role}")
        )
    if old.about != new.about:
        words.append("other arguments")
    return words


def _union(old: Structure, new: Structure, pairs: Pairs, changes: dict[str, str]) -> Structure:
    """Both graphs in one: the new one, and what of the old one is not in it."""
    union = Structure()
    old_keys: dict[str, str] = {}
    new_keys: dict[str, str] = {}
    for a, b in pairs:
        key = f"box{len(union.boxes)}"
        box = replace(old.boxes[str(a)], parameters=0, saved=0) if b is None else new.boxes[b]
        mark = "− removed" if b is None else "+ added" if a is None else changes.get(b, "")
        fill = REMOVED if b is None else ADDED if a is None else CHANGED if mark else SAME
        union.boxes[key] = replace(box, members=(key,), fill=fill, reading=mark)
        old_keys |= {} if a is None else {a: key}
        new_keys |= {} if b is None else {b: key}
    gone = {old_keys[a] for a, b in pairs if a is not None and b is None}
    arrows = [_moved(arrow, new_keys) for arrow in new.arrows]
    arrows += [x for arrow in old.arrows if {(x := _moved(arrow, old_keys)).tail, x.head} & gone]
    return replace(union, arrows=arrows)


def _moved(arrow: Arrow, keys: dict[str, str]) -> Arrow:
    return replace(arrow, tail=keys[arrow.tail], head=keys[arrow.head])


def _lines(old: Recorded, new: Recorded, pairs: Pairs, changes: dict[str, str]) -> Iterator[str]:
    counts = [sum(box.parameters for box in recorded.structure.boxes.values()) for recorded in (old, new)]
    if counts[0] != counts[1]:
        yield f"parameters: {counts[1]:,}, was {counts[0]:,}"
    for a, b in pairs:
        box = old.structure.boxes[str(a)] if b is None else new.structure.boxes[b]
        described = box.label if box.shape is None else f"{box.label} {box.shape}"
        if a is None or b is None:
            yield f"{'added' if a is None else 'removed'}: {described}"
        elif b in changes:
            yield f"changed: {described}, {changes[b]}"
