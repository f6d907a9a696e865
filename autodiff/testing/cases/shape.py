"""Ops that move elements."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Shape, Strategy, axes, inputs_for, one_input, shapes


def _reshape(draw: Draw, shape: Shape) -> dict[str, Any]:
    n = math.prod(shape)
    options = [(n,), (1, n), (-1, 1), *[(d, n // d) for d in range(1, n + 1) if n % d == 0]]
    return {"shape": draw(st.sampled_from(options))}


def _narrower(draw: Draw, op: Op) -> Case:
    """A shape, and one that broadcasts to it."""
    shape = draw(shapes)
    small = [1 if draw(st.booleans()) else n for n in shape][draw(st.integers(0, len(shape))) :]
    whole, part = (shape, tuple(small))
    source, target = (part, whole) if op.name == "broadcast_to" else (whole, part)
    return Case(inputs_for(draw, op, [source]), {"shape": target})


CASES: dict[str, Strategy] = {
    "sum_to": _narrower,
    "broadcast_to": _narrower,
    "reshape": one_input(_reshape),
    "permute": one_input(lambda draw, shape: {"axes": tuple(draw(st.permutations(range(len(shape)))))}),
    "flip": one_input(lambda draw, shape: {"axis": axes(draw, len(shape))}),
    "tril": one_input(lambda draw, shape: {"k": draw(st.integers(-2, 2))}, min_dims=2),
    "triu": one_input(lambda draw, shape: {"k": draw(st.integers(-2, 2))}, min_dims=2),
}
