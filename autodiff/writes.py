"""The write log: when was the memory behind an array last written to?

Recording costs nothing in the forward pass. A backward pass compares a node's time with `last`, one integer, and
looks into the log only when something was written after the node.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np

from autodiff.graph import Node, tick

last = 0
_times: dict[int, list[Any]] = {}


def owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory `array` shares."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def record_write(*arrays: np.ndarray) -> None:
    """Stamp a write into the memory of `arrays`; call it after writing in place to a tensor's array."""
    global last
    last = tick()
    for array in arrays:
        root = array if array.base is None else owner(array)
        known = _times.get(id(root))
        if known is None:
            _times[id(root)] = [last, _forgetting(root)]
        else:
            known[0] = last


def _forgetting(root: np.ndarray) -> ref[Any]:
    """A reference that takes the array's entry out of the log when the array goes, because ids are reused."""
    key = id(root)
    return ref(root, lambda _: _times.pop(key, None))


def written_since(array: np.ndarray, time: int) -> bool:
    """Whether the memory of `array` was written after `time`."""
    known = _times.get(id(owner(array)))
    return known is not None and known[0] > time


def check_stale(node: Node) -> None:
    """Raise RuntimeError if an array that `node` saved was overwritten since."""
    for array in node.saved():
        if written_since(array, node.time):
            raise RuntimeError(
                f"one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"{node.name} saved an array of shape {tuple(array.shape)} that was written to afterwards. "
                f"Write to a clone() instead, or run backward before writing."
            )
