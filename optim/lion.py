"""Lion."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like


class Lion(Elementwise):
    """Steps of one size in the direction of the sign of a running mean (Chen et al., NeurIPS 2023, algorithm 2).

    ``p *= 1 - lr * weight_decay``; ``p -= lr * sign(beta1 * exp_avg + (1 - beta1) * g)``;
    ``exp_avg = beta2 * exp_avg + (1 - beta2) * g``. Rates are 3 to 10 times smaller than for `AdamW`, decays as much
    larger. ``maximize`` climbs instead. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.Lion([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -1.9000], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "betas": 1.0, "weight_decay": math.inf}
    numbers: ClassVar = ()

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        if not state:
            state["exp_avg"] = full_like(p)
        exp_avg = state["exp_avg"]
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        p -= lr * np.sign(beta1 * exp_avg + (1 - beta1) * g)
        exp_avg += (1 - beta2) * (g - exp_avg)
