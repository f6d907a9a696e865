"""Writing where a chain of views reaches."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.ops import axes, diagonals, indexing, shape
from autodiff.tensor import wrap
from autodiff.testing.drawing import Case, Draw, Strategy, inputs_for, shapes
from autodiff.views import View


def _view(draw: Draw, x: Any) -> Any:
    """A view of `x`, by one op."""
    kinds = ["unsqueeze", "flatten"] + ["slice", "reversed axes"] * (x.ndim > 0) + ["diagonal"] * (x.ndim > 1)
    match draw(st.sampled_from(kinds)):
        case "unsqueeze":
            return shape.unsqueeze(x, draw(st.integers(0, x.ndim)))
        case "flatten":
            return shape.flatten(x)
        case "slice":
            return indexing.getitem(x, slice(draw(st.integers(0, 1)), None, draw(st.integers(1, 2))))
        case "reversed axes":
            return axes.permute(x, *range(x.ndim)[::-1])
    return diagonals.diagonal(x)


def _put_region(draw: Draw, op: Op) -> Case:
    whole = draw(shapes)
    x = root = wrap(np.zeros(whole))
    for _ in range(draw(st.integers(0, 3))):
        viewed = _view(draw, x)
        # Flattening a transposed tensor copies it.
        x = viewed if isinstance(viewed.alias, View) and viewed.alias.root is root else x
    steps = x.alias.steps if isinstance(x.alias, View) else ()
    return Case(inputs_for(draw, op, [whole, draw(st.sampled_from([x.shape, ()]))]), {"steps": steps})


CASES: dict[str, Strategy] = {"put_region": _put_region}
