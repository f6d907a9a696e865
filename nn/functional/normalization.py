"""Normalisation by the statistics of a batch."""

import math
from typing import Any

import numpy as np

from autodiff import writes
from autodiff.domain import POSITIVE, REALS
from autodiff.op import OpError
from autodiff.recorders import operation
from autodiff.tensor import Tensor


def _scale(var: Any, weight: Any, eps: float) -> Any:
    scale = 1 / np.sqrt(var + eps)
    return scale if weight is None else weight * scale


def _normalize(x: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    y = (x - mean) * _scale(var, weight, eps)
    return y if bias is None else y + bias


# What is normalised is a function of the statistics too; in training these are computed from x by ops of their own.
_normalized = operation(
    "batch_norm",
    _normalize,
    vjp=(
        lambda g, y, x, mean, var, weight, bias, eps: g * _scale(var, weight, eps),
        lambda g, y, x, mean, var, weight, bias, eps: -g * _scale(var, weight, eps),
        lambda g, y, x, mean, var, weight, bias, eps: g * (x - mean) * (-0.5 * _scale(var, weight, eps) / (var + eps)),
        lambda g, y, x, mean, var, weight, bias, eps: g * ((x - mean) / np.sqrt(var + eps)),
        lambda g, y, x, mean, var, weight, bias, eps: g,
    ),
    saves=("var weight", "var weight", "x mean var weight", "x mean var", ""),
    domain=(REALS, REALS, POSITIVE, REALS, REALS),
    doc="(x - mean) / √(var + eps) · weight + bias.",
)
