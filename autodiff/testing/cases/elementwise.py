"""Elementwise ops with params, and the functions composed of elementwise ops."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import (
    Case,
    Draw,
    Strategy,
    broadcasting,
    broadcasting_shapes,
    inputs_for,
    one_input,
    with_params,
)


def _with_value(draw: Draw, op: Op) -> Case:
    return Case(broadcasting(draw, op).inputs, {"value": draw(st.sampled_from([1, 2, -0.5]))})


def _with_exponents(draw: Draw, op: Op) -> Case:
    shape, wider = draw(broadcasting_shapes(2))
    exponent = draw(hnp.arrays(np.int64, wider, elements=st.integers(-4, 4)))
    return Case(inputs_for(draw, op, [shape]), {"exponent": exponent})


def _quotient(draw: Draw, op: Op) -> Case:
    """No quotient near a whole number, where the steps are."""
    a, b = broadcasting(draw, op).inputs
    assume(np.all(np.abs(a / b - np.rint(a / b)) > 1e-3))
    return Case([a, b], {})


def _mask(draw: Draw) -> Any:
    return draw(hnp.arrays(bool, hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)))


def _take_places(draw: Draw, op: Op) -> Case:
    mask = _mask(draw)
    return Case(inputs_for(draw, op, [mask.shape]), {"places": np.flatnonzero(mask)})


def _put_places(draw: Draw, op: Op) -> Case:
    mask = _mask(draw)
    places = np.flatnonzero(mask)
    return Case(inputs_for(draw, op, [places.shape]), {"places": places, "shape": mask.shape})


def _part(draw: Draw, op: Op) -> Case:
    """One array of any shape among others that are packed before and after it."""
    batch, shape = (draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3)) for _ in range(2))
    start = draw(st.integers(0, 3))
    stop = start + math.prod(shape)
    total = stop + draw(st.integers(0, 3))
    params = {"start": start, "stop": stop, "shape": shape}
    if op.name == "part":
        return Case(inputs_for(draw, op, [(*batch, total)]), params)
    return Case(inputs_for(draw, op, [batch + shape]), {**params, "total": total})


CASES: dict[str, Strategy] = {
    "pow_number": one_input(lambda draw, shape: {"exponent": draw(st.sampled_from([-3, -2, -1, 0, 1, 2, 3, 4, 5]))}),
    "clamp": with_params(low=-1.0, high=1.0),
    "leaky_relu": with_params(negative_slope=0.1),
    "to": with_params(dtype=np.dtype(np.float64)),
    "clone": with_params(),
    "where": broadcasting,
    "addcmul": _with_value,
    "addcdiv": _with_value,
    "round": with_params(decimals=0),
    "nan_to_num": with_params(nan=0.0, posinf=None, neginf=None),
    "ldexp": _with_exponents,
    **dict.fromkeys(("remainder", "fmod", "floor_divide", "trunc_divide"), _quotient),
    "masked_select": _take_places,
    "put_places": _put_places,
    **dict.fromkeys(("part", "put_part"), _part),
}
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "absolute": ("ad.absolute(x)",),
    "add": ("ad.add(x, v, alpha=0.5)", "ad.add(x, 2, alpha=3)"),
    "addcdiv": ("ad.addcdiv(x, v, s)",),
    "addcmul": ("ad.addcmul(v, x, s, value=2)",),
    "arccos": ("ad.arccos(x)",),
    "arccosh": ("(x + 1).arccosh()",),
    "arcsin": ("ad.arcsin(x)",),
    "arcsinh": ("ad.arcsinh(x)",),
    "arctan": ("ad.arctan(x)",),
    "arctan2": ("ad.arctan2(x, v)",),
    "arctanh": ("ad.arctanh(x)",),
    "clamp": ("ad.clamp(x, 0.3, v + 0.1)", "ad.clamp(x, max=0.6)", "ad.clamp(x, v - 0.06)"),
    "clamp_max": ("ad.clamp_max(x, 0.6)", "ad.clamp_max(x, v + 0.06)"),
    "clamp_min": ("ad.clamp_min(x, 0.4)", "ad.clamp_min(x, v + 0.06)"),
    "clip": ("ad.clip(x, 0.4, 0.6)",),
    "dist": ("ad.dist(x, v)", "ad.dist(x, v, 1)", "ad.dist(v, x, 3)", "ad.dist(x, s, float('inf'))"),
    "divide": ("ad.divide(x, v)", 'ad.divide(x, v, rounding_mode="trunc")', 'ad.divide(x, v, rounding_mode="floor")'),
    "fix": ("ad.fix(x)",),
    "float_power": ("ad.float_power(x, v)", "ad.float_power(x, -2)"),
    "gradient": (
        "ad.gradient(x)",
        "ad.gradient(s, spacing=0.5, dim=(2, 1), edge_order=2)",
        "ad.gradient(x, spacing=(v.cumsum(0), 2.0))",
        "ad.gradient(x, spacing=[v.cumsum(0)], dim=1, edge_order=2)",
    ),
    "ldexp": ("ad.ldexp(x, v)", "ad.ldexp(x, i[:1])"),
    "lerp": ("ad.lerp(x, v, 0.3)", "ad.lerp(x, v, s)", "ad.lerp(x, s, v.mean())"),
    "masked_fill": ("ad.masked_fill(x, mask, 2)", "ad.masked_fill(x, mask, v.sum())"),
    "masked_scatter": ("ad.masked_scatter(x, mask, s)", "ad.masked_scatter(v, mask, x)"),
    "masked_select": ("ad.masked_select(x, mask)", "ad.masked_select(v, mask)", "ad.masked_select(s, mask)"),
    "multiply": ("ad.multiply(x, v)",),
    "nan_to_num": ("ad.nan_to_num(x)",),
    "negative": ("ad.negative(x)",),
    "positive": ("ad.positive(x)",),
    "pow": ("ad.pow(x, v)", "ad.pow(x, 2.5)", "2**x"),
    "rsub": ("ad.rsub(x, v)", "ad.rsub(x, 3, alpha=2)"),
    "sgn": ("ad.sgn(x)",),
    "sub": ("ad.sub(x, v, alpha=2)",),
    "subtract": ("ad.subtract(x, v)",),
    "true_divide": ("ad.true_divide(x, v)",),
    "where": ("x.where(mask, v)", "v.where(mask, 1.0)"),
}
NOT_DIFFERENTIABLE = {
    "allclose", "equal", "greater", "greater_equal", "isclose", "isin", "less", "less_equal", "nonzero", "not_equal",
}  # fmt: skip
