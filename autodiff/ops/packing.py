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
from sys import getprofile
from typing import Any

import numpy as np

from autodiff.op import Recorder
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, wrap, zeros_beside
from autodiff.views import derived

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
    first = len(batch)
    return np.concatenate([part.reshape(*batch, math.prod(part.shape[first:])) for part in parts], axis=-1)


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


def outputs(packed: Tensor, *shapes: Shape) -> list[Tensor]:
    """The parts as a public function returns them, recorded if `packed` is.

    They share no memory with each other, and so need not know that they lie side by side. Only for `inspect`, which
    watches the calls of recorders by a profiler, is there one for each: 2.5 µs in place of 1.
    """
    array, node = packed.array, packed.node
    if node is not None and (type(array) is not np.ndarray or getprofile() is not None):
        return [_part(packed, start=start, stop=stop, shape=shape) for start, stop, shape in _cuts(shapes)]
    parts = []
    for start, stop, shape in _cuts(shapes):
        part = _cut(array, start, stop, shape)
        params = {"start": start, "stop": stop, "shape": shape}
        parts.append(wrap(part, node and derived(_part.op, node, None, part.shape, params)))
    return parts
