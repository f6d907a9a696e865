"""Adafactor, which keeps the mean squares of a matrix by rows and columns only."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from autodiff.tensor import Array, Tensor
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import PerParameter, State


class Adafactor(PerParameter):
    """Steps divided by a root mean square that takes n + m numbers for an n × m matrix (Shazeer and Stern, ICML 2018).

    With ``b = t**beta2_decay``, ``row_var += b * (mean(g**2, -1) - row_var)`` and ``col_var`` likewise along -2
    estimate ``variance = row_var * col_var / mean(row_var)``; a vector has its whole ``variance``. The step
    ``u = g / sqrt(variance)``, divided by ``max(1, rms(u) / d)``, is taken by
    ``max(eps[1], rms(p)) * min(lr, 1 / sqrt(t))``, after ``p *= 1 - lr * weight_decay``. ``eps[0]``, below which
    roots do not fall, is the dtype's precision if None. ``maximize`` climbs instead. ValueError for options out of
    range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> optimizer = optim.Adafactor([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([[0.7879, 1.7000],
            [2.7154, 3.7317]], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "weight_decay": math.inf}

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def check_options(self, group: Group, index: int) -> None:
        super().check_options(group, index)
        for name, allowed, expected in (
            ("beta2_decay", group["beta2_decay"] <= 0, "a number <= 0"),
            ("eps", all(value is None or value >= 0 for value in group["eps"]), "numbers >= 0"),
            ("d", group["d"] >= 1, "a number >= 1"),
        ):
            if not allowed:
                raise ValueError(f"invalid {name} in parameter group {index}: expected {expected}, got {group[name]!r}")

    def state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        if name == "row_var":
            return (*p.shape[:-1], 1)
        return (*p.shape[:-2], 1, p.shape[-1]) if name == "col_var" else p.shape

    def update(self, p: Array, g: Array, state: State, group: Group) -> None:
        lr, (eps1, eps2) = group["lr"], group["eps"]
        smallest = float(np.finfo(p.dtype).eps) if eps1 is None else eps1
        state["step"] = step = state.get("step", 0.0) + 1
        newest = step ** group["beta2_decay"]
        rate = max(eps2, _rms(p)) * min(lr, step**-0.5)
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        square = g * g
        if p.ndim > 1:
            row_var = _towards(state, "row_var", square.mean(-1, keepdims=True), newest)
            col_var = _towards(state, "col_var", square.mean(-2, keepdims=True), newest)
            variance = row_var * col_var / np.maximum(row_var.mean(-2, keepdims=True), smallest)
        else:
            variance = _towards(state, "variance", square, newest)
        u = g / np.sqrt(np.maximum(variance, smallest * smallest))
        p -= rate / max(1.0, _rms(u) / group["d"]) * u


def _rms(x: Array) -> float:
    """The root of the mean square."""
    return float(np.linalg.norm(x)) / math.sqrt(x.size) if x.size else 0.0


def _towards(state: State, name: str, value: Array, weight: float) -> Array:
    """Move an entry of the state, at first 0, towards `value` by `weight` of the difference."""
    average: Array = state.setdefault(name, np.zeros_like(value))
    average += weight * (value - average)
    return average
