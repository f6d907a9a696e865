"""NAdam, Adam with momentum after Nesterov."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like, rounded
from optim.running_means import decayed, take_in


class NAdam(Elementwise):
    """Adam whose mean looks one step ahead, as Nesterov's momentum does (Dozat, ICLR workshop 2016).

    With ``mu(t) = beta1 * (1 - 0.96**(t * momentum_decay) / 2)`` and their product ``mu_product`` step ``t`` is
    ``p -= lr * ((1 - mu(t)) * g / (1 - mu_product) + mu(t + 1) * exp_avg / (1 - mu_product * mu(t + 1)))
    / (sqrt(exp_avg_sq / (1 - beta2**t)) + eps)``, with ``g``, ``exp_avg`` and ``exp_avg_sq`` as in `Adam`.
    ``decoupled_weight_decay`` decays as `AdamW` does, ``maximize`` climbs instead. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8944, 1.8944], requires_grad=True)
    """

    bounds: ClassVar = dict.fromkeys(("lr", "eps", "weight_decay", "momentum_decay"), math.inf) | {"betas": 1.0}
    numbers: ClassVar = ("step", "mu_product")

    def __init__(
        self,
        params: Params,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
            state.update(step=0.0, mu_product=1.0, exp_avg=full_like(p), exp_avg_sq=full_like(p))
        state["step"] += 1
        step, decay = state["step"], group["momentum_decay"]
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * decay))
        product = state["mu_product"] = rounded(state["mu_product"] * rounded(mu))
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        take_in(g, exp_avg, exp_avg_sq, beta1, beta2)
        scale = np.sqrt(exp_avg_sq / (1 - beta2**step)) + group["eps"]
        p -= (lr * (1 - mu) / (1 - product)) * (g / scale)
        p -= (lr * mu_next / (1 - product * mu_next)) * (exp_avg / scale)
