"""The operations of a graph for a page: where they stand, what they read; what is repeated, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from autodiff.inspect.module_calls import Call, homes, operations
from autodiff.inspect.structure import Role, Structure

SHOWN = (Role.OPERATION, Role.INPUT, Role.OUTPUT)


def operations_of(structure: Structure, calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Operations, inputs and outputs in order, with the places of those that each reads from.

    A module that is called again does the same: the operations of all its calls are one, and so are those of a loop
    that read from and are read by the same. ``times`` counts them.
    """
    times = {key: structure.nodes[key].time for key in operations(structure)}
    around = homes(times.values(), calls)
    inside = {key: around[time][-1] for key, time in times.items() if around[time]}
    first: dict[str, str] = {}
    known: dict[Hashable, str] = {}
    positions: Counter[Call] = Counter()
    for key, box in structure.boxes.items():
        if box.role not in SHOWN:
            continue
        first[key] = key
        if call := inside.get(key):
            place = call.path, positions[call], box.label, box.shape
            positions[call] += 1
            first[key] = known.setdefault(place, key)
    reads = _reads(structure, first)
    read_by: dict[str, set[str]] = {key: set() for key in reads}
    for key, tails in reads.items():
        for tail in tails:
            read_by[tail].add(key)
    alike: dict[Hashable, str] = {}
    for key in reads:
        box, path = structure.boxes[key], inside[key].path if key in inside else None
        same = path, box.label, box.shape, frozenset(reads[key]), frozenset(read_by[key])
        first[key] = alike.setdefault(same, key)
    whole = {key: first[first[key]] for key in first}
    return _numbered(structure, whole, inside)


def _reads(structure: Structure, first: dict[str, str]) -> dict[str, set[str]]:
    """What each operation reads from, in terms of those that stand for others."""
    reads: dict[str, set[str]] = {key: set() for key in first.values()}
    for arrow in structure.arrows:
        if arrow.tail in first:
            reads[first[arrow.head]].add(first[arrow.tail])
    return reads


def _numbered(structure: Structure, first: dict[str, str], inside: dict[str, Call]) -> list[dict[str, Any]]:
    reads = _reads(structure, first)
    places = {key: i for i, key in enumerate(reads)}
    times = Counter(first.values())
    learned: dict[str, dict[str, None]] = {key: {} for key in reads}
    for arrow in structure.arrows:
        if structure.boxes[arrow.tail].role is Role.LEAF:
            learned[first[arrow.head]][structure.boxes[arrow.tail].label.rpartition(".")[2]] = None
    return [
        {
            "name": structure.boxes[key].label,
            "module": inside[key].path if key in inside else None,
            "shape": shape_text(structure.boxes[key].shape),
            "parents": sorted(places[tail] for tail in reads[key]),
            "parameters": list(learned[key]),
            "times": times[key],
            "end": structure.boxes[key].role is not Role.OPERATION,
        }
        for key in reads
    ]


def shape_text(shape: Sequence[int] | None) -> str:
    """A shape as people write it.

    >>> shape_text((8, 32, 64)), shape_text(())
    ('8×32×64', '')
    """
    return "×".join(map(str, shape or ()))
