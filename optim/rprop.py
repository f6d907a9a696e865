"""Rprop, which reads only the signs of gradients."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from optim.elementwise import Elementwise
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import State, full_like


class Rprop(Elementwise):
    """A step size for each number, which grows while the sign of its gradient stays (Riedmiller and Braun, ICNN 1993).

    ``step_size``, at first ``lr``, is multiplied by ``etas[1]`` if the gradient has the sign of the one before, by
    ``etas[0]`` if it has the other, and kept within ``step_sizes``; ``p -= step_size * sign(g)``, but after a change of
    sign ``g`` counts as 0 (the form iRprop- of Igel and Hüsken, 2000). For whole data sets: batches change signs.
    ``maximize`` climbs instead. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.Rprop([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.9000, -1.9000], requires_grad=True)
    """

    bounds: ClassVar = {"lr": math.inf, "etas": math.inf, "step_sizes": math.inf}

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(params, options(locals()))

    def check_options(self, group: Group, index: int) -> None:
        super().check_options(group, index)
        shrink, grow = group["etas"]
        if not 0 < shrink < 1 < grow:
            raise ValueError(
                f"invalid etas in parameter group {index}: expected 0 < etas[0] < 1 < etas[1], got {group['etas']}"
            )

    def update(self, p: Any, g: Any, state: State, group: Group) -> None:
        (shrink, grow), (smallest, largest) = group["etas"], group["step_sizes"]
        if not state:
            state.update(step=0.0, prev=full_like(p), step_size=full_like(p, group["lr"]))
        state["step"] += 1
        turned, size = g * state["prev"], state["step_size"]
        size = np.where(turned > 0, grow * size, np.where(turned < 0, shrink * size, size))
        size = state["step_size"] = np.minimum(np.maximum(size, smallest), largest)
        g = state["prev"] = np.where(turned < 0, 0 * g, g)
        p -= np.sign(g) * size
