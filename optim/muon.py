"""Muon, for the matrices of hidden layers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from autodiff.tensor import Array, Tensor
from optim.optimizer import Params
from optim.options import Group, options
from optim.per_parameter import PerParameter, State


class Muon(PerParameter):
    """Steps that are nearly orthogonal matrices: momentum with its singular values made 1 (Jordan et al. 2024).

    ``buffer += (1 - momentum) * (g - buffer)``; of it, or with ``nesterov`` of ``g + momentum * (buffer - g)``, five
    steps of a Newton-Schulz iteration with ``ns_coefficients`` bring the singular values near 1. ``p *= 1 - lr *
    weight_decay``; the step is ``lr`` times that, times ``sqrt(max(1, rows / columns))``, or with
    ``adjust_lr_fn="match_rms_adamw"`` ``0.2 * sqrt(max(rows, columns))`` (Liu et al. 2025). ValueError for options out
    of range and for parameters that are not matrices: give vectors, embeddings and the last layer to `AdamW`.

    >>> import autodiff as ad, optim
    >>> w = ad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> optimizer = optim.Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([[1.0681, 1.9174],
            [2.9259, 3.9741]], requires_grad=True)
    """

    bounds: ClassVar = dict.fromkeys(("lr", "weight_decay", "momentum", "eps"), math.inf)
    numbers: ClassVar = ()

    def __init__(
        self,
        params: Params,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(params, options(locals()))

    def check_options(self, group: Group, index: int) -> None:
        super().check_options(group, index)
        if group["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"invalid adjust_lr_fn in parameter group {index}: expected 'original' or 'match_rms_adamw', "
                f"got {group['adjust_lr_fn']!r}"
            )
        if len(group["ns_coefficients"]) != 3 or not 0 <= group["ns_steps"] < 100:
            raise ValueError(
                f"expected 3 ns_coefficients and fewer than 100 ns_steps in parameter group {index}, got "
                f"{group['ns_coefficients']} and {group['ns_steps']}"
            )
        for p in group["params"]:
            if isinstance(p, Tensor) and p.ndim != 2:
                raise ValueError(
                    f"Muon only supports 2D parameters, got one of shape {p.shape} in parameter group {index}: give "
                    f"vectors and others to an optimizer of their own, such as AdamW"
                )

    def update(self, p: Array, g: Array, state: State, group: Group) -> None:
        lr, momentum, (rows, columns) = group["lr"], group["momentum"], p.shape
        buffer = state.setdefault("momentum_buffer", np.zeros_like(p))
        buffer += (1 - momentum) * (g - buffer)
        direction = orthogonalized(g + momentum * (buffer - g) if group["nesterov"] else buffer, group)
        matched = group["adjust_lr_fn"] == "match_rms_adamw"
        p *= 1 - lr * group["weight_decay"]
        p -= lr * (0.2 * math.sqrt(max(p.shape)) if matched else math.sqrt(max(1, rows / columns))) * direction


def orthogonalized(matrix: Array, group: Group) -> Array:
    """`matrix` with singular values near 1, by an iteration of odd polynomials that is matrix products alone."""
    a, b, c = group["ns_coefficients"]
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    wide = wide / max(float(np.linalg.norm(wide)), group["eps"])
    for _ in range(group["ns_steps"]):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * (gram @ gram)) @ wide
    direction: Array = wide.T if len(matrix) > matrix.shape[1] else wide
    return direction
