"""Adadelta."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like


class Adadelta(Elementwise):
    """Gradient descent whose steps have the size of the steps before, so that it needs no rate (Zeiler 2012).

    ``g = grad + weight_decay * p``; ``square_avg = rho * square_avg + (1 - rho) * g**2``;
    ``delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * g``;
    ``acc_delta = rho * acc_delta + (1 - rho) * delta**2``; ``p -= lr * delta``. ``maximize`` climbs instead.
    ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.Adadelta([w], lr=100.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.6838, 1.6838], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "eps": math.inf, "weight_decay": math.inf, "rho": math.nextafter(1.0, 2.0)}

    def __init__(
        self,
        params: Params,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if not state:
            state.update(step=0.0, square_avg=full_like(p), acc_delta=full_like(p))
        state["step"] += 1
        square_avg, acc_delta = state["square_avg"], state["acc_delta"]
        square_avg *= rho
        square_avg += (1 - rho) * (g * g)
        delta = np.sqrt(acc_delta + eps) / np.sqrt(square_avg + eps) * g
        acc_delta *= rho
        acc_delta += (1 - rho) * (delta * delta)
        p -= group["lr"] * delta
