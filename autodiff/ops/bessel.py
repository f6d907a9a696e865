"""Bessel functions, through SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import Interval, away_from
from autodiff.op import Recorder
from autodiff.ops.from_scipy import from_scipy
from autodiff.recorders import elementwise


def _over(y: Any, x: Any) -> Any:
    """y / x; where x is 0 it is not used, but must be a number."""
    return y / np.where(x == 0, 1.0, x)


i0: Recorder = elementwise(
    "i0",
    from_scipy("i0"),
    vjp=lambda g, y, x: g * i1.rule(x),
    saves="x",
    domain=Interval(-6, 6),
    result="float",
    analytic=False,
    doc="The modified Bessel function of the first kind of order 0. SciPy computes it.",
    example="ad.i0(ad.tensor([0.0, 1.0])) -> tensor([1.0000, 1.2661])",
)
i1: Recorder = elementwise(
    "i1",
    from_scipy("i1"),
    vjp=lambda g, y, x: g * np.where(x == 0, 0.5, i0.rule(x) - _over(y, x)),
    saves="x y",
    domain=Interval(-6, 6),
    result="float",
    analytic=False,
    doc="The modified Bessel function of the first kind of order 1. SciPy computes it.",
    example="ad.special.i1(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.5652])",
)
i0e: Recorder = elementwise(
    "i0e",
    from_scipy("i0e"),
    vjp=lambda g, y, x: g * (i1e.rule(x) - np.sign(x) * y),
    saves="x y",
    domain=away_from(0.0),
    result="float",
    analytic=False,
    doc="e^-|x| i0(x), which does not overflow; its gradient at 0 is 0. SciPy computes it.",
    example="ad.special.i0e(ad.tensor([0.0, 1.0])) -> tensor([1.0000, 0.4658])",
)
i1e: Recorder = elementwise(
    "i1e",
    from_scipy("i1e"),
    vjp=lambda g, y, x: g * np.where(x == 0, 0.5, i0e.rule(x) - np.sign(x) * y - _over(y, x)),
    saves="x y",
    domain=away_from(0.0),
    result="float",
    analytic=False,
    doc="e^-|x| i1(x), which does not overflow. SciPy computes it.",
    example="ad.special.i1e(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.2079])",
)
bessel_j0: Recorder = elementwise(
    "bessel_j0",
    from_scipy("j0"),
    vjp=lambda g, y, x: -g * bessel_j1.rule(x),
    saves="x",
    domain=Interval(-20, 20),
    result="float",
    analytic=False,
    doc="The Bessel function of the first kind of order 0. SciPy computes it.",
    example="ad.special.bessel_j0(ad.tensor([0.0, 1.0])) -> tensor([1.0000, 0.7652])",
)
bessel_j1: Recorder = elementwise(
    "bessel_j1",
    from_scipy("j1"),
    vjp=lambda g, y, x: g * np.where(x == 0, 0.5, bessel_j0.rule(x) - _over(y, x)),
    saves="x y",
    domain=Interval(-20, 20),
    result="float",
    analytic=False,
    doc="The Bessel function of the first kind of order 1. SciPy computes it.",
    example="ad.special.bessel_j1(ad.tensor([0.0, 1.0])) -> tensor([0.0000, 0.4401])",
)
