"""Adamax, Adam by the largest gradient."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like


class Adamax(Elementwise):
    """Adam with a decaying maximum in place of the mean square (Kingma and Ba, ICLR 2015, section 7.1).

    ``g = grad + weight_decay * p``; ``exp_avg = beta1 * exp_avg + (1 - beta1) * g``;
    ``exp_inf = max(beta2 * exp_inf, abs(g) + eps)``; after ``t`` steps
    ``p -= lr / (1 - beta1**t) * exp_avg / exp_inf``. ``maximize`` climbs instead. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "betas": 1.0, "eps": math.inf, "weight_decay": math.inf}

    def __init__(
        self,
        params: Params,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        beta1, beta2 = group["betas"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if not state:
            state.update(step=0.0, exp_avg=full_like(p), exp_inf=full_like(p))
        state["step"] += 1
        exp_avg = state["exp_avg"]
        exp_avg += (1 - beta1) * (g - exp_avg)
        exp_inf = state["exp_inf"] = np.maximum(beta2 * state["exp_inf"], np.abs(g) + group["eps"])
        p -= group["lr"] / (1 - beta1 ** state["step"]) * (exp_avg / exp_inf)
