"""Stochastic gradient descent."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from autodiff.writes import record_write
from optim.compiled import Loop, compiled, numbers
from optim.elementwise import SMALL, Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State

# Up to this many small parameters, plain descent is faster on each of them than on a buffer that gathers them: for 4 of
# them 9 µs against 11, for 10 of them 18 against 14.
FEW = 6


class SGD(Elementwise):
    """Stochastic gradient descent, with momentum (Polyak 1964; Nesterov's form after Sutskever et al., ICML 2013).

    ``g = grad + weight_decay * p``; ``buffer = momentum * buffer + (1 - dampening) * g``, at first ``buffer = g``;
    ``p -= lr * buffer``, or ``p -= lr * (g + momentum * buffer)`` with ``nesterov``. ``maximize`` climbs instead.
    ValueError for options out of range, and for ``nesterov`` without momentum or with dampening.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5000, 1.0000], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "momentum": math.inf, "weight_decay": math.inf}
    numbers: ClassVar = ()

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, options(locals()))

    def check_options(self, group: Group, index: int) -> None:
        super().check_options(group, index)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                f"Nesterov momentum requires a momentum and zero dampening, got momentum={group['momentum']} and "
                f"dampening={group['dampening']} in parameter group {index}"
            )

    def update_group(self, group: Group) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if len(params) > FEW or group["momentum"] or group["weight_decay"] or group["maximize"] or self.differentiable:
            super().update_group(group)
            return
        pairs = [(p.array, p.grad.array) for p in params]
        if any(p.size > SMALL or p.shape != g.shape or not math.isfinite(np.vdot(g, g)) for p, g in pairs):
            super().update_group(group)
            return
        rate = group["lr"]
        for p, g in pairs:
            p -= rate * g
        record_write(*[p for p, _ in pairs])

    def loop(self, p: Any, group: Group) -> Loop | None:
        return compiled("sgd", p, group) if group["momentum"] else None

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        lr, momentum, damping = group["lr"], group["momentum"], 1 - group["dampening"]
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if momentum:
            if "momentum_buffer" not in state:
                buffer = state["momentum_buffer"] = g
            elif loop := self.loop(p, group):
                loop(p, g, state["momentum_buffer"], group["nesterov"], *numbers(p, momentum, damping, lr))
                return
            else:
                buffer = state["momentum_buffer"]
                buffer *= momentum
                buffer += damping * g if group["dampening"] else g
            g = g + momentum * buffer if group["nesterov"] else buffer
        p -= lr * g
