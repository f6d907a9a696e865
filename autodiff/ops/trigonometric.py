"""Trigonometric and hyperbolic functions; angles in radians."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import Domain, Interval, away_from
from autodiff.recorders import elementwise

INSIDE = Interval(-0.95, 0.95)


def _square_length(a: Any, b: Any) -> Any:
    """a² + b², or 1 at the origin, where the gradient of the angle is 0 by convention."""
    length = a * a + b * b
    return np.where(length == 0, 1.0, length)


sin = elementwise(
    "sin",
    np.sin,
    vjp=lambda g, y, x: g * np.cos(x),
    saves="x",
    domain=Interval(-10, 10),
    result="float",
    doc="The sine.",
    example="ad.sin(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.8415])",
)
cos = elementwise(
    "cos",
    np.cos,
    vjp=lambda g, y, x: -g * np.sin(x),
    saves="x",
    domain=Interval(-10, 10),
    result="float",
    doc="The cosine.",
    example="ad.cos(ad.tensor([0.0, 1.0])) -> tensor([1.0000, 0.5403])",
)
tan = elementwise(
    "tan",
    np.tan,
    vjp=lambda g, y, x: g * (1 + y * y),
    saves="y",
    domain=Interval(-1.3, 1.3),
    result="float",
    doc="The tangent.",
    example="ad.tan(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 1.5574])",
)
asin = elementwise(
    "asin",
    np.arcsin,
    vjp=lambda g, y, x: g / np.sqrt(1 - x * x),
    saves="x",
    domain=INSIDE,
    result="float",
    doc="The inverse sine, of values in [-1, 1].",
    example="ad.asin(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 1.5708])",
)
acos = elementwise(
    "acos",
    np.arccos,
    vjp=lambda g, y, x: -g / np.sqrt(1 - x * x),
    saves="x",
    domain=INSIDE,
    result="float",
    doc="The inverse cosine, of values in [-1, 1].",
    example="ad.acos(ad.tensor([0.0, 1.0])) -> tensor([1.5708, 0.0000])",
)
atan = elementwise(
    "atan",
    np.arctan,
    vjp=lambda g, y, x: g / (1 + x * x),
    saves="x",
    domain=Interval(-10, 10),
    result="float",
    doc="The inverse tangent.",
    example="ad.atan(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.7854])",
)
atan2 = elementwise(
    "atan2",
    np.arctan2,
    vjp=(lambda g, y, a, b: g * (b / _square_length(a, b)), lambda g, y, a, b: -g * (a / _square_length(a, b))),
    saves="a b",
    domain=(away_from(0.0, low=-5, high=5, margin=0.2), away_from(0.0, low=-5, high=5, margin=0.2)),
    result="float",
    analytic=False,
    doc="The angle of the point (b, a), from -π to π.",
    example="ad.atan2(ad.tensor([1.0]), ad.tensor([1.0])) -> tensor([0.7854])",
)
sinh = elementwise(
    "sinh",
    np.sinh,
    vjp=lambda g, y, x: g * np.cosh(x),
    saves="x",
    domain=Interval(-5, 5),
    result="float",
    doc="The hyperbolic sine.",
    example="ad.sinh(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 1.1752])",
)
cosh = elementwise(
    "cosh",
    np.cosh,
    vjp=lambda g, y, x: g * np.sinh(x),
    saves="x",
    domain=Interval(-5, 5),
    result="float",
    doc="The hyperbolic cosine.",
    example="ad.cosh(ad.tensor([0.0, 1.0])) -> tensor([1.0000, 1.5431])",
)
asinh = elementwise(
    "asinh",
    np.arcsinh,
    vjp=lambda g, y, x: g / np.sqrt(x * x + 1),
    saves="x",
    domain=Interval(-10, 10),
    result="float",
    doc="The inverse hyperbolic sine.",
    example="ad.asinh(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.8814])",
)
acosh = elementwise(
    "acosh",
    np.arccosh,
    vjp=lambda g, y, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)),
    saves="x",
    domain=Domain(1.1, 20.0),
    result="float",
    doc="The inverse hyperbolic cosine, of values from 1.",
    example="ad.acosh(ad.tensor([1.0, 2.0])) -> tensor([0.0000, 1.3170])",
)
atanh = elementwise(
    "atanh",
    np.arctanh,
    vjp=lambda g, y, x: g / (1 - x * x),
    saves="x",
    domain=INSIDE,
    result="float",
    doc="The inverse hyperbolic tangent, of values in (-1, 1).",
    example="ad.atanh(ad.tensor([0.0, 0.5])) -> tensor([0.0000, 0.5493])",
)
arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh
