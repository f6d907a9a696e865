"""Putting tensors together and cutting them apart."""

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


def _block_diag(draw: Draw, op: Op) -> Case:
    matrices = st.tuples(st.integers(0, 3), st.integers(0, 3))
    return Case(inputs_for(draw, op, draw(st.lists(matrices, min_size=1, max_size=3))), {})


CASES: dict[str, Strategy] = {
    "cat": _cat,
    "stack": _stack,
    "block_diag": _block_diag,
}
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "cat": ("ad.cat([x, x[:1]])", "ad.cat((s, s[:, :, :1]), -1)"),
    "concat": ("ad.concat((x, x), dim=1)",),
    "concatenate": ("ad.concatenate((x, x), 1)",),
    "stack": ("ad.stack([x, x * 2], 1)",),
    "hstack": ("ad.hstack((x, x))", "ad.hstack((v, v[0]))"),
    "vstack": ("ad.vstack((x, v))", "ad.vstack((v[0], v[1]))"),
    "row_stack": ("ad.row_stack((v, x))",),
    "dstack": ("ad.dstack((x, x))", "ad.dstack((v, v))"),
    "column_stack": ("ad.column_stack((v, x, v))",),
    "block_diag": ("ad.block_diag(x, v, v[0])",),
    "split": ("ad.split(x, 2)", "ad.split(x, [1, 2], dim=1)"),
    "split_with_sizes": ("ad.split_with_sizes(s, [2, 1], -1)",),
    "tensor_split": ("ad.tensor_split(x, 2, 1)", "ad.tensor_split(x, (1,), dim=0)"),
    "chunk": ("ad.chunk(x, 2)", "ad.chunk(s, 3, 2)"),
    "hsplit": ("ad.hsplit(x, 3)", "ad.hsplit(v, (1, 2))"),
    "vsplit": ("ad.vsplit(x, (2,))",),
    "dsplit": ("ad.dsplit(s, 3)",),
    "unbind": ("ad.unbind(x)", "ad.unbind(s, -1)"),
}
