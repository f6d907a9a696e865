"""Reductions, and softmax."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy, axes, inputs_for, one_axis, one_input, reduction


def _spread(draw: Draw, op: Op) -> Case:
    """Variances of at least three entries, so that n - correction stays positive."""
    shape = (*draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)), draw(st.integers(3, 4)))
    chosen = tuple(sorted({*axes(draw, len(shape)), len(shape) - 1}))
    correction = draw(st.sampled_from([0, 1, 2]))
    params = {"axis": chosen, "keepdims": draw(st.booleans()), "correction": correction}
    return Case(inputs_for(draw, op, [shape]), params)


CASES: dict[str, Strategy] = {
    "sum": reduction(),
    "mean": reduction(),
    "amax": reduction(),
    "amin": reduction(),
    "logsumexp": reduction(),
    "var": _spread,
    "std": _spread,
    "softmax": one_input(one_axis, min_dims=1),
    "log_softmax": one_input(one_axis, min_dims=1),
}
