"""Adam, and AdamW, which decays the weights apart from the gradient."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.compiled import Loop, compiled, numbers
from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like
from optim.running_means import decayed, take_in


class Adam(Elementwise):
    """Gradient descent with running estimates of the gradient's mean and square (Kingma and Ba, ICLR 2015).

    ``g = grad + weight_decay * p``; ``exp_avg = beta1 * exp_avg + (1 - beta1) * g``;
    ``exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * g**2``; after ``t`` steps
    ``p -= lr * exp_avg / (1 - beta1**t) / (sqrt(exp_avg_sq / (1 - beta2**t)) + eps)``. ``amsgrad`` takes the largest
    ``exp_avg_sq`` so far (Reddi et al., ICLR 2018), ``decoupled_weight_decay`` is `AdamW`, ``maximize`` climbs instead.
    ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "betas": 1.0, "eps": math.inf, "weight_decay": math.inf}

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: Any = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def loop(self, p: Any, group: Group) -> Loop | None:
        return None if group["amsgrad"] else compiled("adam", p, group)

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        lr, (beta1, beta2), g = group["lr"], group["betas"], decayed(p, g, group)
        if not state:
            state.update(step=0.0, exp_avg=full_like(p), exp_avg_sq=full_like(p))
        state["step"] += 1
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        # The corrections of the bias are moved to lr and eps, as the paper proposes, which saves a pass.
        correction = (1 - beta2 ** state["step"]) ** 0.5
        rate, eps = lr * correction / (1 - beta1 ** state["step"]), group["eps"] * correction
        if loop := self.loop(p, group):
            loop(p, g, exp_avg, exp_avg_sq, *numbers(p, 1 - beta1, beta2, 1 - beta2, rate, eps))
            return
        take_in(g, exp_avg, exp_avg_sq, beta1, beta2)
        if group["amsgrad"]:
            exp_avg_sq = state["max_exp_avg_sq"] = np.maximum(exp_avg_sq, state.get("max_exp_avg_sq", 0.0))
        p -= rate * (exp_avg / (np.sqrt(exp_avg_sq) + eps))


class AdamW(Adam):
    """Adam with ``p *= 1 - lr * weight_decay`` in place of a decay within the gradient (Loshchilov, Hutter, ICLR 2019).

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8500, 1.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: Any = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, **options(locals()), decoupled_weight_decay=True)
