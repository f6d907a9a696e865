"""Momentum as an average, as courses write it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params


class Momentum(Elementwise):
    """Gradient descent along an exponentially weighted average of the gradients (Polyak 1964; Ng's form).

    ``v = momentum * v + (1 - momentum) * g``, from ``v = 0``, with ``g = grad + weight_decay * p``; ``p -= lr * v``.
    The first averages are too small, by ``1 - momentum**t`` after ``t`` steps; with ``bias_correction`` they are
    divided by it. Without, it is `SGD` with ``lr * (1 - momentum)``. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.Momentum([w], lr=0.25, bias_correction=True)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5000, 1.0000], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "momentum": 1.0, "weight_decay": math.inf}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.9,
        bias_correction: bool = False,
        weight_decay: float = 0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "bias_correction": bias_correction,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if not state:
            state.update(step=0.0, momentum_buffer=np.zeros_like(p))
        state["step"] += 1
        average = state["momentum_buffer"]
        average *= momentum
        average += (1 - momentum) * g
        p -= (lr / (1 - momentum ** state["step"]) if group["bias_correction"] else lr) * average
