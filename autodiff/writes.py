"""The write log: when was the memory behind an array last written to?

Recording costs nothing in the forward pass. A backward pass compares a node's time with `last`, one integer, and
looks into the log only when something was written after the node.
"""

from __future__ import annotations

from sys import getrefcount
from threading import RLock
from typing import Any
from weakref import ref

import numpy as np

from autodiff.graph import Node, tick

last = 0
_times: dict[int, list[Any]] = {}
# So that `last` never goes back when several threads write. Freeing memory meanwhile may run anything: reentrant.
_stamping = RLock()


def owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory `array` shares."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def record_write(*arrays: np.ndarray, by: str = "an update in place") -> None:
    """Stamp a write into the memory of `arrays`, done by `by`; call it after writing in place to a tensor's array."""
    global last
    with _stamping:
        now = last = tick()
        for array in arrays:
            root = array if array.base is None else owner(array)
            known = _times.get(id(root))
            if known is None:
                _times[id(root)] = [now, by, _forgetting(root)]
            else:
                known[0], known[1] = now, by


def record_write_if_shared(array: np.ndarray) -> None:
    """`record_write`, unless only one tensor and the caller's own variable hold the array, and so no node saved it.

    Batch norm writes its averages in each forward pass: that made the backward pass look up what older nodes saved, at
    1 µs a node.
    """
    if array.base is not None or _references(array) > _ALONE:
        record_write(array)


def _references(array: np.ndarray) -> int:
    return getrefcount(array)


def _counted(array: np.ndarray) -> int:
    return _references(array)


def _of_one_holder() -> int:
    """How many references `record_write_if_shared` counts of an array that nothing else holds: it depends on Python."""
    holder = [np.empty(0)]
    array = holder[0]
    return _counted(array)


_ALONE = _of_one_holder()


def _forgetting(root: np.ndarray) -> ref[Any]:
    """A reference that takes the array's entry out of the log when the array goes, because ids are reused."""
    key = id(root)
    return ref(root, lambda _: _times.pop(key, None))


def written_since(array: np.ndarray, time: int) -> str:
    """What wrote to the memory of `array` last, if that was after `time`, else an empty string."""
    known = _times.get(id(owner(array)))
    return known[1] if known is not None and known[0] > time else ""


def check_stale(node: Node) -> None:
    """Raise RuntimeError if an array that `node` saved was overwritten since."""
    for array in node.saved():
        if writer := written_since(array, node.time):
            what = "its output" if array is node.y else "an input"
            raise RuntimeError(
                f"one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"{node.name} saved {what}, {array.dtype} {tuple(array.shape)}, and {writer} wrote to that memory "
                f"afterwards. Write to a clone() instead, compute a new tensor in place of writing, or call backward() "
                f"before the write."
            )
