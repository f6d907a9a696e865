"""A state as a JSON tree beside the arrays of its tensors, and back.

None, bools, numbers and strings are JSON's own, and so are lists. Everything else is an object with one key:

    {"tensor": NAME}              the tensor of that name in the file
    {"dict": [[KEY, VALUE], ...]} a dictionary; keys are None, bools, numbers, strings, or tuples of them
    {"OrderedDict": [[KEY, VALUE], ...]}
    {"tuple": [VALUE, ...]}
    {"float": "nan"}              or "inf" or "-inf", which JSON does not have
    {"dtype": "float32"}

A tensor is named after its place: ``optimizer.state.0.exp_avg``.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import numpy as np

from autodiff.dtypes import as_dtype
from autodiff.tensor import Array, Tensor

DEEPEST = 200
_DICTIONARIES = {"dict": dict, "OrderedDict": OrderedDict}
_PLAIN_KEYS = (str, int, float, bool, type(None))


def expect_shallow(depth: int, place: str) -> None:
    """ValueError for containers in one another beyond all use, which may be one inside itself."""
    if depth > DEEPEST:
        raise ValueError(f"save: {place[:60]}... is inside more than {DEEPEST} containers, or a container in itself")


def is_key(key: Any) -> bool:
    """Whether `key` is None, a bool, a number, a string, or a tuple of them."""
    return type(key) in _PLAIN_KEYS or (type(key) is tuple and all(type(part) in _PLAIN_KEYS for part in key))


def refuse(value: Any, place: str) -> TypeError:
    """The error for what is no part of a state, with advice."""
    advice = "save numbers, strings, tensors and plain containers of them"
    if hasattr(value, "state_dict"):
        advice = "save its state_dict()"
    elif isinstance(value, np.ndarray):
        # PyTorch writes them, and refuses to read them unless it may execute what the file says.
        advice = f"save from_numpy of this array of shape {value.shape} and dtype {value.dtype}"
    elif isinstance(value, dict | list | tuple):
        advice = "save a plain dict, list or tuple"
    where = f" at {place}" if place else ""
    return TypeError(f"save: a {type(value).__name__}{where} is no part of a state; {advice}")


class Tree:
    """What `save` collects: the tree of a state and the arrays by their names."""

    def __init__(self, state: Any) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self.root = self._encoded(state, "", 0)

    def _encoded(self, value: Any, place: str, depth: int) -> Any:
        expect_shallow(depth, place)
        if isinstance(value, Tensor):
            return {"tensor": self._name(value, place)}
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            value = value.item()
        if type(value) is float and not math.isfinite(value):
            return {"float": str(value)}
        if type(value) in _PLAIN_KEYS:
            return value
        if isinstance(value, np.dtype):
            return {"dtype": str(as_dtype(value))}
        if type(value) in (list, tuple):
            parts = [self._encoded(part, inside(place, i), depth + 1) for i, part in enumerate(value)]
            return parts if type(value) is list else {"tuple": parts}
        kind = type(value).__name__
        if type(value) is not _DICTIONARIES.get(kind):
            raise refuse(value, place)
        for key in value:
            if not is_key(key):
                raise TypeError(f"save: expected keys that are strings or numbers, got {key!r} in {place or 'it'}")
        pairs = ((key, part, inside(place, key)) for key, part in value.items())
        return {kind: [[self._encoded(k, at, depth + 1), self._encoded(v, at, depth + 1)] for k, v, at in pairs]}

    def _name(self, tensor: Tensor, place: str) -> str:
        """The name of a tensor; of two that are the same memory the second is written too, for other readers."""
        array = tensor.array
        name = place
        while name in self.arrays:
            name += "_"
        if name == "__metadata__":
            raise ValueError("save: the name '__metadata__' is reserved in safetensors files; use another")
        self.arrays[name] = array
        same = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        return self._names.setdefault(same, name) if array.size else name


def inside(place: str, key: Any) -> str:
    """The place of an entry of what stands at `place`."""
    return f"{place}.{key}" if place else str(key)


def decoded(node: Any, tensors: dict[str, Tensor]) -> Any:
    """The state that a tree describes; ValueError for a tree that describes none."""
    if isinstance(node, list):
        return [decoded(part, tensors) for part in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple([decoded(part, tensors) for part in content])
    if kind == "float" and content in ("nan", "inf", "-inf"):
        return float(content)
    if kind == "dtype":
        return as_dtype(content)
    made = _DICTIONARIES[kind]()
    for key, part in content:
        key = decoded(key, tensors)
        if not is_key(key):
            raise ValueError(f"{type(key).__name__} as a key")
        made[key] = decoded(part, tensors)
    return made
