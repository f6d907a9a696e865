"""Adagrad."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from autodiff.tensor import wrap
from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, counter_dtype


class Adagrad(Elementwise):
    """Gradient descent with steps divided by the root of the sum of all squared gradients (Duchi et al., JMLR 2011).

    ``g = grad + weight_decay * p``; ``sum = sum + g**2``, at first ``initial_accumulator_value``; in step ``t``
    ``p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(sum) + eps)``. ``maximize`` climbs instead. ValueError for options
    out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 1.9000], requires_grad=True)
    """

    bounds: ClassVar = dict.fromkeys(("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"), math.inf)

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, options(locals()))

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        # As in PyTorch the state is there from the beginning.
        for p in group["params"]:
            start = np.full_like(p.array, float(group["initial_accumulator_value"]))
            self.state[p] = {"step": wrap(np.zeros((), counter_dtype())), "sum": wrap(start)}

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        state["step"] += 1
        state["sum"] += g * g
        rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        p -= rate * (g / (np.sqrt(state["sum"]) + group["eps"]))
