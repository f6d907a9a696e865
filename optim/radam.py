"""RAdam, Adam that begins without its mean square."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like
from optim.running_means import decayed, take_in


class RAdam(Elementwise):
    """Adam that divides by the mean square only once this has seen enough gradients (Liu et al., ICLR 2020).

    With ``rho = 2 / (1 - beta2) - 1`` and ``rho_t = rho - 2 * t * beta2**t / (1 - beta2**t)``, step ``t`` is
    ``p -= lr * exp_avg / (1 - beta1**t)`` up to ``rho_t = 5``, later that times
    ``sqrt(1 - beta2**t) / (sqrt(exp_avg_sq) + eps)`` and
    ``sqrt((rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t))``. ``decoupled_weight_decay`` decays as
    `AdamW` does, ``maximize`` climbs instead. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8000, 1.6000], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "betas": 1.0, "eps": math.inf, "weight_decay": math.inf}

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        lr, (beta1, beta2), g = group["lr"], group["betas"], decayed(p, g, group)
        if not state:
            state.update(step=0.0, exp_avg=full_like(p), exp_avg_sq=full_like(p))
        state["step"] += 1
        step, exp_avg, exp_avg_sq = state["step"], state["exp_avg"], state["exp_avg_sq"]
        take_in(g, exp_avg, exp_avg_sq, beta1, beta2)
        correction = 1 - beta2**step
        rho = 2 / (1 - beta2) - 1
        rho_t = rho - 2 * step * beta2**step / correction
        rate = lr / (1 - beta1**step)
        if rho_t > 5:
            variance = (rho_t - 4) * (rho_t - 2) * rho / ((rho - 4) * (rho - 2) * rho_t)
            p -= rate * (variance * correction) ** 0.5 * (exp_avg / (np.sqrt(exp_avg_sq) + group["eps"]))
        else:
            p -= rate * exp_avg
