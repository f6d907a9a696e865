"""Several arrays in one: how an op with several outputs stays one node of the graph.

A node of the graph has one output, so that every edge is one pointer. An op that computes several arrays of one dtype
therefore returns them packed: each flattened but for the batch axes, one behind the other along the last axis. The
public function cuts the parts out with slices and reshapes, which are differentiable ops; the rule gets one packed
gradient `g` and one packed `y` and cuts them in the same way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.tensor import Array, Tensor, wrap

Shape = tuple[int, ...]


def pack(batch: Shape, *parts: Array) -> Array:
    """The `parts`, of shapes (*batch, ...), in one array (*batch, total)."""
    flat = [np.reshape(part, (*batch, math.prod(part.shape[len(batch) :]))) for part in parts]
    return np.concatenate(flat, axis=-1)


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
        parts.append(np.reshape(packed[..., start:stop], (*packed.shape[:-1], *shape)))
        start = stop
    return parts


def outputs(packed: Tensor, *shapes: Shape) -> list[Tensor]:
    """The parts as a public function returns them: recorded if `packed` is, else at a fifth of that time."""
    return unpack(packed, *shapes) if packed.requires_grad else [wrap(x) for x in unpack(packed.array, *shapes)]
