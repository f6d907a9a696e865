"""Running sums and their kin, differences and areas."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Shape, Strategy, inputs_for, one_axis, one_input, one_of, places


def _with_zeros(draw: Draw, op: Op) -> Case:
    """Products of which none, one or several factors along the axis are 0."""
    (x,), params = one_input(one_axis, min_dims=1)(draw, op)
    return Case([np.where(places(draw, x.shape), 0.0, x)], params)


def _steps(draw: Draw, op: Op) -> Case:
    """A few steps, which are taken one by one, or many, which are taken in pairs, pairs of pairs, and so on."""
    count, others, axis = one_of(draw, list(product([1, 2, 3, 5, 8, 17, 20, 35], [(), (2,), (1, 2)], [0, -1])))
    shape = (count, *others) if axis == 0 else (*others, count)
    return Case(inputs_for(draw, op, [shape, shape]), {"axis": axis % len(shape)})


def _by_one(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {**one_axis(draw, shape), "by": draw(st.sampled_from([-1, 1])), "fill": 1.0}


def _signed(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {**one_axis(draw, shape), "sign": draw(st.sampled_from([-1, 1]))}


CASES: dict[str, Strategy] = {
    "cumsum": one_input(one_axis, min_dims=1),
    "cumprod": _with_zeros,
    "logcumsumexp": one_input(one_axis, min_dims=1),
    "recurrence": _steps,
    "shift": one_input(_by_one, min_dims=1),
    "adjacent": one_input(_signed, min_dims=1),
    "from_adjacent": one_input(_signed, min_dims=1),
}
EXPRESSIONS = {
    "cumsum": ("ad.cumsum(x, 1)", "ad.cumsum(s, -2)"),
    "cumprod": ("ad.cumprod(x, 1)", "ad.cumprod(s, -2)"),
    "logcumsumexp": ("ad.logcumsumexp(x, 0)", "ad.logcumsumexp(s, -1)"),
    "cummax": ("ad.cummax(x, 0)", "ad.cummax(s, 1).values"),
    "cummin": ("ad.cummin(x, 1)", "ad.cummin(v, 0).values"),
    "diff": ("ad.diff(x)", "ad.diff(s, 2, 1, prepend=s[:, :1] * 2)", "ad.diff(v, append=v)", "ad.diff(x, 0)"),
    "trapezoid": ("ad.trapezoid(x)", "ad.trapezoid(x, v)", "ad.trapezoid(s, x, dim=1)", "ad.trapezoid(x, dx=2, dim=0)"),
    "trapz": ("ad.trapz(x, dx=0.5)",),
    "cumulative_trapezoid": ("ad.cumulative_trapezoid(x)", "ad.cumulative_trapezoid(s, v, dim=1)"),
}
