"""Arguments and results as trees: tuples, lists and dicts, also inside each other, with anything else as leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def _parts(tree: Any) -> list[Any] | None:
    """What a container holds; None for a leaf."""
    if isinstance(tree, tuple | list):
        return list(tree)
    return list(tree.values()) if isinstance(tree, dict) else None


def leaves(tree: Any) -> list[Any]:
    """All leaves, in order."""
    parts = _parts(tree)
    return [tree] if parts is None else [leaf for part in parts for leaf in leaves(part)]


def rebuilt(tree: Any, values: Iterator[Any]) -> Any:
    """A tree like `tree` with the next of `values` for each of its leaves."""
    if isinstance(tree, dict):
        made = [(key, rebuilt(part, values)) for key, part in tree.items()]
        return type(tree)(made) if type(tree) is not dict else dict(made)
    if isinstance(tree, tuple | list):
        parts = [rebuilt(part, values) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return next(values)


def mapped(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The tree of `function` of each leaf, and of the leaves in the same places of `others`."""
    return rebuilt(tree, map(function, leaves(tree), *map(leaves, others)))


def same_form(a: Any, b: Any) -> bool:
    """Whether two trees have their leaves in the same places."""
    parts_a, parts_b = _parts(a), _parts(b)
    if parts_a is None or parts_b is None:
        return parts_a is parts_b
    if isinstance(a, dict) != isinstance(b, dict) or (isinstance(a, dict) and set(a) != set(b)):
        return False
    return len(parts_a) == len(parts_b) and all(map(same_form, parts_a, parts_b))


def for_each_leaf(prefix: Any, tree: Any) -> list[Any]:
    """What `prefix`, a tree that may end where `tree` goes on, says of each leaf; ValueError where they do not fit."""
    parts, below = _parts(prefix), _parts(tree)
    if parts is None:
        return [prefix] * len(leaves(tree))
    if isinstance(prefix, dict) and isinstance(tree, dict) and set(prefix) == set(tree):
        return [found for key in tree for found in for_each_leaf(prefix[key], tree[key])]
    if below is None or isinstance(prefix, dict) or isinstance(tree, dict) or len(parts) != len(below):
        raise ValueError(f"{prefix!r} does not have the structure of what it speaks of")
    return [found for part, down in zip(parts, below, strict=True) for found in for_each_leaf(part, down)]
