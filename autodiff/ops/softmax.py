"""Softmax and its logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import Recorder
from autodiff.ops.conversion import astype, floating
from autodiff.ops.shape import positive_axis
from autodiff.recorders import operation
from autodiff.tensor import Tensor

LOGITS = Interval(-10, 10)


def softmax_kernel(x: Any, axis: int) -> Any:
    if not x.size:
        return x.copy()
    y = np.exp(x - x.max(axis=axis, keepdims=True))
    y /= y.sum(axis=axis, keepdims=True)
    return y


def log_softmax_kernel(x: Any, axis: int) -> Any:
    if not x.size:
        return x.copy()
    y = x - x.max(axis=axis, keepdims=True)
    y -= np.log(np.exp(y).sum(axis=axis, keepdims=True))
    return y


_softmax = operation(
    "softmax",
    softmax_kernel,
    vjp=lambda g, y, x, axis: y * (g - np.sum(g * y, axis=axis, keepdims=True)),
    saves="y",
    domain=LOGITS,
    analytic=False,
    doc="exp(x) / Σ exp(x) along an axis.",
)
_log_softmax = operation(
    "log_softmax",
    log_softmax_kernel,
    vjp=lambda g, y, x, axis: g - np.exp(y) * np.sum(g, axis=axis, keepdims=True),
    saves="y",
    domain=LOGITS,
    analytic=False,
    doc="x - log Σ exp(x) along an axis.",
)


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """exp(x) / Σ exp(x) along `dim`, without overflow; `dtype` converts first. RuntimeError for integers.

    >>> import autodiff as ad
    >>> ad.softmax(ad.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _along("softmax", _softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`, exact where that underflows. RuntimeError for integers.

    >>> import autodiff as ad
    >>> ad.log_softmax(ad.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return _along("log_softmax", _log_softmax, input, dim, dtype)


def _along(name: str, record: Recorder, x: Tensor, dim: int, dtype: Any) -> Tensor:
    x = floating(name, x if dtype is None else astype(x, dtype))
    axis = positive_axis(dim, x.ndim)
    return record(x, axis=axis) if x.ndim else record(x.reshape(1), axis=0).reshape(())
