"""Several arrays in one: how an op with several outputs stays one node of the graph.

A node of the graph has one output, so that every edge is one pointer. An op that computes several arrays of one dtype
therefore returns them packed: each flattened but for the batch axes, one behind the other along the last axis. The
public function cuts the parts out, each by one op; the rule gets one packed gradient `g` and one packed `y` and cuts
them in the same way.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

from autodiff.op import Recorder
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, wrap, zeros_beside

Shape = tuple[int, ...]


def _cut(x: Array, start: int, stop: int, shape: Shape) -> Array:
    return x[..., start:stop].reshape(x.shape[:-1] + shape)


def _place(x: Array, start: int, stop: int, shape: Shape, total: int) -> Array:
    batch = x.shape[: x.ndim - len(shape)]
    out = zeros_beside(x, (*batch, total))
    out[..., start:stop] = x.reshape(*batch, stop - start)
    return out


_part: Recorder = multilinear(
    "part",
    _cut,
    vjp=lambda g, y, x, start, stop, shape: _put_part.rule(g, start=start, stop=stop, shape=shape, total=x.shape[-1]),
    fast=lambda g, y, x, start, stop, shape: _place(g, start, stop, shape, x.shape[-1]),
    view=True,
    doc="One of several arrays that are packed along the last axis.",
)
_put_part: Recorder = multilinear(
    "put_part",
    _place,
    vjp=lambda g, y, x, start, stop, shape, total: _part.rule(g, start=start, stop=stop, shape=shape),
    doc="An array packed along the last axis, with zeros in the place of the others.",
)


@lru_cache(maxsize=64)
def _cuts(shapes: tuple[Shape, ...]) -> list[tuple[int, int, Shape]]:
    """Where the part of each shape begins and ends."""
    ends = list(accumulate(map(math.prod, shapes)))
    return list(zip([0, *ends], ends, shapes, strict=False))


def pack(batch: Shape, *parts: Array) -> Array:
    """The `parts`, of shapes (*batch, ...), in one array (*batch, total)."""
    cuts = _cuts(tuple(part.shape[len(batch) :] for part in parts))
    if any(type(part) is not np.ndarray for part in parts):
        return np.concatenate(
            [part.reshape(*batch, stop - start) for part, (start, stop, _) in zip(parts, cuts, strict=True)], axis=-1
        )
    # For small ones in half of the time of np.concatenate.
    out = np.empty((*batch, cuts[-1][1]), parts[0].dtype)
    for part, (start, stop, _) in zip(parts, cuts, strict=True):
        out[..., start:stop] = part.reshape(*batch, stop - start)
    return out


def unpack(packed: Any, *shapes: Shape) -> list[Any]:
    """The parts with the `shapes` that they have beyond the batch axes; for arrays and Tensors.

    >>> import numpy as np
    >>> pair, matrix = unpack(np.arange(6), (2,), (2, 2)); matrix
    array([[2, 3],
           [4, 5]])
    """
    parts: list[Any] = []
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(_part.rule(packed, start=start, stop=stop, shape=shape))
        start = stop
    return parts


def cut(packed: Array, *shapes: Shape) -> list[Array]:
    """`unpack` in half of its time, for arrays alone."""
    return [_cut(packed, *place) for place in _cuts(shapes)]


def outputs(packed: Tensor, *shapes: Shape) -> list[Tensor]:
    """The parts as a public function returns them: recorded if `packed` is, else in half of that time."""
    if packed.node is None:
        return [wrap(part) for part in cut(packed.array, *shapes)]
    return [_part(packed, start=start, stop=stop, shape=shape) for start, stop, shape in _cuts(shapes)]
