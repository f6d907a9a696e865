"""Averaged stochastic gradient descent."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like, rounded


class ASGD(Elementwise):
    """Gradient descent that keeps the average of the parameters, in the state ``ax`` (Polyak and Juditsky, 1992).

    ``g = grad + weight_decay * p``; ``p = (1 - lambd * eta) * p - eta * g``; ``ax += mu * (p - ax)``; then
    ``eta = lr / (1 + lambd * lr * t)**alpha`` and ``mu = 1 / max(1, t - t0)``: the average begins at step ``t0``.
    ``maximize`` climbs instead. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.ASGD([w], lr=0.25, lambd=0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w, optimizer.state[w]["ax"]
    (tensor([0.5000, 1.0000], requires_grad=True), tensor([0.5000, 1.0000]))
    """

    bounds: ClassVar = {"lr": math.inf, "weight_decay": math.inf}
    numbers: ClassVar = ("step", "eta", "mu")

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        lr, lambd = group["lr"], group["lambd"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if not state:
            state.update(step=0.0, eta=rounded(lr), mu=1.0, ax=full_like(p))
        state["step"] += 1
        eta, ax = state["eta"], state["ax"]
        p *= 1 - lambd * eta
        p -= eta * g
        ax += state["mu"] * (p - ax) if state["mu"] != 1 else p - ax
        state["eta"] = lr / (1 + lambd * lr * state["step"]) ** group["alpha"]
        state["mu"] = 1 / max(1, state["step"] - group["t0"])
