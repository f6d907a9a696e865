"""Folds a structure into a picture that can be read: groups as single boxes, repeated parts drawn once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil, inf, prod
from typing import Any, TypeAlias

from autodiff.inspect.repeats import Repeats
from autodiff.inspect.room import MOST_BOXES, fits
from autodiff.inspect.structure import Arrow, Box, Cluster, Role, Structure
from autodiff.inspect.tree import Group, Item, Repeat, census, depth_of, keys_in

# A picture of fewer boxes says too little, if there is a longer one.
ENOUGH = 8
# Into how many parts a long row of operations, or of modules that all differ, is cut; fewer if they depend on each
# other in so many ways that the arrows take too much room.
SEGMENTS = 20, 8, 4
PART = "part "
# So many inputs and outputs are no part of these.
MOST_ENDS = 12
# A recurrent network reads its weights at every step. From one box, the arrows of 60 steps took over a minute to lay
# out and could not be followed; with a box beside each step it takes 3 s.
MOST_ARROWS = 4
# Between two boxes no more arrows than this are told apart.
MOST_BETWEEN = 3


Fold: TypeAlias = "Callable[[Group | Repeat], bool | None] | bool | None"


def fold(
    structure: Structure, tree: Group, depth: float | None = None, choose: Fold = None, each: bool = False
) -> Structure:
    """The picture of a structure: groups deeper than `depth` are single boxes, by default as many as it takes.

    `choose` is called with each group and returns True to fold it, False to open it, None to leave it to `depth`; for a
    `Repeat` False draws every copy. ``choose=False`` folds nothing at all. With `each`, parts that are alike are
    drawn one by one as long as the picture can be read. Every box of `structure` is one of the
    `members` of exactly one box of the result, apart from leaves that are drawn beside each of their many uses.
    """
    if choose is not None and choose is not False and not callable(choose):
        raise TypeError(
            f"expected fold to be a function of a part, which returns True or False, or False; got {choose!r}"
        )
    if depth is not None and not depth >= 0:
        raise ValueError(f"expected depth to be 0 or more: how many levels of modules are open; got {depth!r}")
    if choose is False:
        return repeat_shared(_Folding(structure, inf, None).picture(tree))
    short, fitting, found = _readable(structure, tree, each)
    if depth is not None or choose is not None:
        level = fitting if depth is None else depth
        found = repeat_shared(_Folding(structure, level, choose if callable(choose) else None).picture(short))
    elif len(found.boxes) < len(structure.boxes):
        found.advice = _advice(structure, found, fitting, depth_of(short) - 1)
    return found


def folded_where(structure: Structure, tree: Group, same: Callable[[Iterable[str]], bool]) -> Structure:
    """The picture of a structure in which just those groups are folded of whose boxes `same` is true."""
    return repeat_shared(_Folding(structure, inf, lambda part: same(keys_in(part))).picture(tree))


def _readable(structure: Structure, tree: Group, each: bool) -> tuple[Group, int, Structure]:
    """The tree as far as it has to be shortened for a picture that can be read, how deep that goes, and the picture."""
    best = None
    for short in _ever_shorter(structure, tree, each):
        levels = depth_of(short)
        for level in range(levels, -1, -1):
            if _at_least(short, level + 1) > MOST_BOXES:
                continue
            found = repeat_shared(_Folding(structure, level, None).picture(short))
            if fits(found):
                if level == levels or len(found.boxes) >= ENOUGH:
                    return short, level, found
                if best is None or len(found.boxes) > len(best[2].boxes):
                    best = short, level, found
                break
    return best or (short, 0, _without_crowds(_Folding(structure, 0, None).picture(short)))


def _at_least(item: Item, level: int) -> int:
    """How many boxes there are if so many groups inside each other are open."""
    if isinstance(item, str) or level <= 0:
        return 1
    if isinstance(item, Repeat):
        return _at_least(item.body, level)
    return sum(_at_least(inner, level - 1) for inner in item.items)


def _ever_shorter(structure: Structure, tree: Group, each: bool) -> Iterator[Group]:
    """The tree with repeated modules folded, then repeated patterns of operations, and at last cut into segments."""
    if each:
        yield tree
    yield Repeats(structure, patterns=False).fold(tree)
    patterns = Repeats(structure, patterns=True).fold(tree)
    yield patterns
    ends = [key for key, box in structure.boxes.items() if box.role in (Role.INPUT, Role.OUTPUT)]
    apart = set(ends) if len(ends) <= MOST_ENDS else set()
    for segments in SEGMENTS:
        yield _segmented(patterns, segments, apart)


def _segmented(group: Group, segments: int, apart: set[str]) -> Group:
    """The same with long lists of items cut into about so many groups, but for `apart`, and so on inside of these."""
    items = [item for item in group.items if item not in apart]
    if len(items) > 1.5 * segments:
        size = ceil(len(items) / segments)
        parts = [items[i : i + size] for i in range(0, len(items), size)]
        items = [Group(_ends(part), f"{PART}{i} of {len(parts)}", part) for i, part in enumerate(parts, 1)]
    cut = [_segmented(item, segments, apart) if isinstance(item, Group) else item for item in items]
    return Group(group.path, group.kind, [*cut, *(item for item in group.items if item in apart)])


def _ends(items: Sequence[Item]) -> str:
    """The paths of the first and the last module among these."""
    paths = [item.path for item in items if not isinstance(item, str) and item.path]
    return " … ".join(dict.fromkeys([paths[0], paths[-1]])) if paths else ""


class _Folding:
    """One picture while it is made: where each box of the structure is seen, and in which of several copies it is."""

    def __init__(self, structure: Structure, depth: float, choose: Callable[[Any], bool | None] | None) -> None:
        self.structure, self.depth, self.choose = structure, depth, choose
        self.found = Structure(nodes=structure.nodes)
        self.place: dict[str, str] = {}
        self.copies: dict[str, tuple[tuple[Repeat, int], ...]] = {}

    def picture(self, tree: Group) -> Structure:
        for item in tree.items:
            self.show(item, 0, "", ())
        members: dict[str, list[str]] = {}
        for key, seen in self.place.items():
            members.setdefault(seen, []).append(key)
        for seen, keys in members.items():
            self.found.boxes[seen] = self.totals(self.found.boxes[seen], keys)
        self.found.arrows = self.drawn_arrows()
        return self.found

    def show(self, item: Item, level: int, inside: str, copies: tuple[tuple[Repeat, int], ...]) -> None:
        if isinstance(item, str):
            box = self.structure.boxes[item]
            label = box.label if box.role is Role.OPERATION else self.name(box.label, inside)
            self.found.boxes[item] = replace(box, label=label, inside=inside)
            self.place[item], self.copies[item] = item, copies
        elif isinstance(item, Repeat):
            self.show_repeat(item, level, inside, copies)
        else:
            self.show_group(item, item, level, inside, copies)

    def show_group(
        self, group: Group, named: Group | Repeat, level: int, inside: str, copies: tuple[tuple[Repeat, int], ...]
    ) -> None:
        """One box or the insides of `group`, with the name of `named`: itself, or the copies of which it is one."""
        keys = list(keys_in(group))
        everything = [self.structure.boxes[key] for key in keys_in(named)]
        answer = None if self.choose is None else self.choose(named)
        label, note = _names(named, everything)
        note = self.name(note, inside)
        around = prod(repeat.times for repeat, _ in copies if repeat is not named)
        if len(keys) == 1:
            # A single box is drawn as it is: a frame around it or a name for it would say nothing more.
            self.show(keys[0], level, inside, copies)
            if named.times > 1:
                self.found.boxes[keys[0]] = replace(self.found.boxes[keys[0]], note=f"×{named.times:,}")
            return
        if level >= self.depth if answer is None else answer:
            key = f"folded{len(self.found.boxes)}"
            self.found.boxes[key] = Box(Role.FOLDED, label, note, inside=inside, times=around)
            self.place |= dict.fromkeys(keys, key)
            self.copies |= dict.fromkeys(keys, copies)
            return
        # Nor would a frame around one operation and its parameters.
        if named.times > 1 or sum(self.structure.boxes[key].role is Role.OPERATION for key in keys) > 1:
            cluster = f"cluster_{len(self.found.clusters)}"
            sums = sum(box.parameters for box in everything), sum(box.saved for box in everything)
            self.found.clusters[cluster] = Cluster(label, note, *sums, around, inside, group.path)
            inside = cluster
        for item in group.items:
            self.show(item, level + 1, inside, copies)

    def show_repeat(self, repeat: Repeat, level: int, inside: str, copies: tuple[tuple[Repeat, int], ...]) -> None:
        if self.choose is not None and self.choose(repeat) is False:
            for copy in repeat.copies:
                self.show_group(copy, copy, level, inside, copies)
            return
        self.show_group(repeat.body, repeat, level, inside, (*copies, (repeat, 0)))
        first = list(keys_in(repeat.copies[0]))
        for number, copy in enumerate(repeat.copies[1:], 1):
            for key, alike in zip(keys_in(copy), first, strict=True):
                self.place[key] = self.place[alike]
                self.copies[key] = tuple((r, number if r is repeat else n) for r, n in self.copies[alike])

    def name(self, name: str, inside: str) -> str:
        """The name of a parameter or module without the path of the module in whose frame it stands."""
        path = self.found.clusters[inside].path if inside else ""
        return name.removeprefix(f"{path}.") if path else name

    def totals(self, box: Box, keys: list[str]) -> Box:
        """The same with what its members have together; a name that differs among copies goes from first to last."""
        members = [self.structure.boxes[key] for key in keys]
        ends = members[0].label, members[-1].label
        # Copies of a module have names that differ in its path only, which the frame has.
        renamed = box.role in (Role.LEAF, Role.CONSTANT) and ends[0] == box.label and ends[0] != ends[1]
        return replace(
            box,
            label=" … ".join(ends) if renamed else box.label,
            members=tuple(keys),
            parameters=sum(member.parameters for member in members),
            saved=sum(member.saved for member in members),
        )

    def seen_arrows(self) -> Iterator[tuple[Arrow, Arrow]]:
        """Each arrow that does not end in the box where it begins, as it was and as it is drawn."""
        for arrow in self.structure.arrows:
            tail, head = self.place[arrow.tail], self.place[arrow.head]
            number = dict(self.copies[arrow.tail])
            again = any(number.get(repeat, copy) != copy for repeat, copy in self.copies[arrow.head])
            if tail != head:
                yield arrow, replace(arrow, tail=tail, head=head, again=again)

    def drawn_arrows(self) -> list[Arrow]:
        """The arrows without those that other copies repeat, and a few between any two boxes."""
        uses = Counter((drawn, arrow.tail, arrow.head) for arrow, drawn in self.seen_arrows())
        # An operation that reads a tensor twice has two arrows, as long as it is drawn as itself.
        lines: dict[Arrow, int] = {}
        for (drawn, _, _), count in uses.items():
            whole = Role.FOLDED not in (self.found.boxes[drawn.tail].role, self.found.boxes[drawn.head].role)
            lines[drawn] = max(lines.get(drawn, 1), count if whole else 1)
        between: dict[Any, list[Arrow]] = {}
        for arrow, count in lines.items():
            between.setdefault((arrow.tail, arrow.head, arrow.again), []).extend([arrow] * count)
        drawn_arrows = []
        for arrows in between.values():
            many = len(set(arrows)) > MOST_BETWEEN
            drawn_arrows += [replace(arrows[0], shape=None, dtype="", count=len(arrows))] if many else arrows
        return drawn_arrows


def _names(named: Group | Repeat, boxes: Sequence[Box]) -> tuple[str, str]:
    """What to call a group: the class of a module and its path, or, of a part without a name, what it computes."""
    times = f" ×{named.times:,}" if named.times > 1 else ""
    if named.path:
        return f"{named.kind or named.path}{times}", named.path if named.kind else ""
    operations = Counter(box.label for box in boxes if box.role is Role.OPERATION)
    most = census(Counter({label: count // named.times for label, count in operations.items()}))
    most = most or f"{len(boxes):,} tensors"
    return f"{named.kind}{times}".strip() or "operations", "" if named.kind and not named.kind.startswith(
        "part "
    ) else most


def repeat_shared(structure: Structure) -> Structure:
    """The same with a box beside each use of a leaf, input or constant that more than `MOST_ARROWS` operations read."""
    uses = Counter(arrow.tail for arrow in structure.arrows)
    shared = {
        key: replace(structure.boxes[key], note=f"used {count} times")
        for key, count in uses.items()
        if count > MOST_ARROWS and structure.boxes[key].role in (Role.LEAF, Role.INPUT, Role.CONSTANT)
    }
    boxes = {key: box for key, box in structure.boxes.items() if key not in shared}
    arrows = []
    for i, arrow in enumerate(structure.arrows):
        if arrow.tail in shared:
            key = f"{arrow.tail}_{i}"
            boxes[key] = replace(shared[arrow.tail], inside=structure.boxes[arrow.head].inside)
            arrow = replace(arrow, tail=key)
        arrows.append(arrow)
    return replace(structure, boxes=boxes, arrows=arrows)


def _without_crowds(structure: Structure) -> Structure:
    """The same with one box for all leaves, inputs, constants or outputs that no other box tells apart; and, if there
    are still too many, one for all of each kind."""
    neighbours: dict[str, set[str]] = {}
    for arrow in structure.arrows:
        neighbours.setdefault(arrow.tail, set()).add(arrow.head)
        neighbours.setdefault(arrow.head, set()).add(arrow.tail)
    for alike in (lambda key: frozenset(neighbours.get(key, ())), lambda key: None):
        crowds: dict[Any, list[str]] = {}
        for key, box in structure.boxes.items():
            lone = box.role in (Role.OPERATION, Role.FOLDED)
            crowds.setdefault(key if lone else (box.role, box.inside, alike(key)), []).append(key)
        if len(crowds) <= MOST_BOXES:
            break
    place = {key: keys[0] for keys in crowds.values() for key in keys}
    boxes = {keys[0]: _crowd([structure.boxes[key] for key in keys]) for keys in crowds.values()}
    arrows = (replace(arrow, tail=place[arrow.tail], head=place[arrow.head]) for arrow in structure.arrows)
    pairs = {(arrow.tail, arrow.head): arrow for arrow in arrows}
    merged = [replace(arrow, shape=None, dtype="") for arrow in pairs.values()]
    return replace(structure, boxes=boxes, arrows=merged)


def _crowd(boxes: list[Box]) -> Box:
    """One box for several of a kind."""
    if len(boxes) == 1:
        return boxes[0]
    return replace(
        boxes[0],
        label=f"{boxes[0].label} … {boxes[-1].label}",
        note=f"{len(boxes):,} tensors",
        shape=None,
        members=tuple(key for box in boxes for key in box.members),
        parameters=sum(box.parameters for box in boxes),
    )


def _advice(structure: Structure, found: Structure, level: int, levels: int) -> str:
    """How to see what is folded, for the picture."""
    deeper = f"draw(..., depth={level + 1}) opens the next level of {levels}, " if level < levels else ""
    shown = f"{len(found.boxes):,} boxes for {len(structure.boxes):,}: "
    return f"{shown}{deeper}draw(..., fold=False) draws everything"
