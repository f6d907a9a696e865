"""The linear map with a bias as one op: as a product and a sum it would be three nodes."""

from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.recorders import operation


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    y = np.matmul(x, weight.T)
    if bias is not None:
        y += bias
    return y


def _weight_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any) -> Any:
    if x.ndim != 2:
        # One product over all rows, whatever axes they are arranged in.
        g, x = np.reshape(g, (-1, g.shape[-1])), np.reshape(x, (-1, x.shape[-1]))
    return np.matmul(np.transpose(g), x)


linear = operation(
    "linear",
    _linear,
    vjp=(
        lambda g, y, x, weight, bias: np.matmul(g, weight),
        _weight_rule,
        lambda g, y, x, weight, bias: g,
    ),
    saves=("weight", "x", ""),
    domain=Interval(-3, 3),
    result="strict",
    doc="x Wᵀ + b for x of shape (*, in), W of shape (out, in), and b of shape (out,) or None.",
)
