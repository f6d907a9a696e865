"""Putting tensors together."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy, inputs_for, shapes


def _cat(draw: Draw, op: Op) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    parts = [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]
    return Case(inputs_for(draw, op, parts), {"axis": axis})


def _stack(draw: Draw, op: Op) -> Case:
    shape = draw(shapes)
    count = draw(st.integers(1, 3))
    return Case(inputs_for(draw, op, [shape] * count), {"axis": draw(st.integers(0, len(shape)))})


CASES: dict[str, Strategy] = {
    "cat": _cat,
    "stack": _stack,
}
