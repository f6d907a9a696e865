"""Reading and writing at an index."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Shape, Strategy, inputs_for, one_axis, shapes


def _index(draw: Draw, shape: Shape) -> Any:
    """Slices and integers; a mask; or integer arrays, which may name a place twice."""
    kind = draw(st.sampled_from(["basic", "mask", "arrays", "mixed"]))
    if kind == "basic" or not shape:
        return draw(hnp.basic_indices(shape, allow_newaxis=True))
    if kind == "mask":
        return draw(hnp.arrays(bool, shape))
    first = draw(hnp.arrays(np.int64, st.integers(1, 4), elements=st.integers(-shape[0], shape[0] - 1)))
    if kind == "mixed":
        return (first, slice(None, None, 2), None)[: 1 + min(len(shape) - 1, 1)]
    if len(shape) == 1:
        return first
    return first, draw(hnp.arrays(np.int64, first.shape, elements=st.integers(0, shape[1] - 1)))


def _getitem(draw: Draw, op: Op) -> Case:
    shape = draw(shapes)
    return Case(inputs_for(draw, op, [shape]), {"index": _index(draw, shape)})


def _slice(draw: Draw, op: Op) -> Case:
    shape = draw(shapes.filter(len))
    axis = one_axis(draw, shape)["axis"]
    start, stop = (draw(st.integers(0, shape[axis])) for _ in range(2))
    return Case(inputs_for(draw, op, [shape]), {"axis": axis, "start": start, "stop": stop})


def _unget(draw: Draw, op: Op) -> Case:
    shape = draw(shapes)
    index = _index(draw, shape)
    return Case(inputs_for(draw, op, [np.shape(np.zeros(shape)[index])]), {"index": index, "shape": shape})


def _index_put(draw: Draw, op: Op) -> Case:
    """Slices, integers and masks name no place twice; of several values for a place the last would remain."""
    shape = draw(shapes)
    index = _index(draw, shape)
    places = np.arange(np.prod(shape, dtype=int)).reshape(shape)[index]
    if len(np.unique(places)) < places.size:
        index, places = ..., np.zeros(shape)
    x, values = inputs_for(draw, op, [shape, draw(st.sampled_from([np.shape(places), ()]))])
    return Case([x, values], {"index": index})


CASES: dict[str, Strategy] = {
    "getitem": _getitem,
    "slice": _slice,
    "unget": _unget,
    "index_put": _index_put,
}
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "select": ("ad.select(x, 1, -1)", "ad.select(s, 0, 1)"),
    "narrow": ("ad.narrow(x, 1, 1, 2)", "ad.narrow(s, -1, -2, 1)"),
}
NOT_DIFFERENTIABLE: set[str] = {"argwhere", "unravel_index"}
