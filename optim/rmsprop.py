"""RMSprop."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like


class RMSprop(Elementwise):
    """Gradient descent with steps divided by a running root mean square of the gradient (Hinton 2012, lecture 6e).

    ``g = grad + weight_decay * p``; ``square_avg = alpha * square_avg + (1 - alpha) * g**2``; the step is
    ``lr * g / (sqrt(square_avg) + eps)``, with the running variance in place of the mean square if ``centered``
    (Graves 2013), and goes through a ``momentum`` buffer. ``maximize`` climbs instead. ValueError for options out of
    range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    bounds: ClassVar = dict.fromkeys(("lr", "eps", "weight_decay", "momentum"), math.inf) | {"alpha": 1.0}

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        alpha, momentum = group["alpha"], group["momentum"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if not state:
            state.update(step=0.0, square_avg=full_like(p))
            if momentum > 0:
                state["momentum_buffer"] = full_like(p)
            if group["centered"]:
                state["grad_avg"] = full_like(p)
        state["step"] += 1
        square_avg = state["square_avg"]
        square_avg *= alpha
        square_avg += (1 - alpha) * (g * g)
        mean_square = square_avg
        if group["centered"]:
            grad_avg = state["grad_avg"]
            grad_avg += (1 - alpha) * (g - grad_avg)
            mean_square = square_avg - grad_avg * grad_avg
        step = g / (np.sqrt(mean_square) + group["eps"])
        if momentum > 0:
            buffer = state["momentum_buffer"]
            buffer *= momentum
            buffer += step
            step = buffer
        p -= group["lr"] * step
