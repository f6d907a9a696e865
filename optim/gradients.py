"""Gradients that no step can be made of, and the parameters they belong to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from autodiff.tensor import Array, Tensor


def gradient(p: Tensor) -> Array:
    """The array of the gradient of `p`, which has one."""
    array: Array = p.grad.array  # type: ignore[union-attr]
    return array


def check_gradients(params: Sequence[Tensor], label: Callable[[Tensor], str]) -> None:
    """ValueError that names the parameters whose gradient has another shape or numbers that are not finite."""
    for p in params:
        if gradient(p).shape != p.shape:
            raise ValueError(
                f"expected the gradient of {label(p)}, of shape {p.shape}, to have that shape, got "
                f"{gradient(p).shape}: check what was assigned to its .grad"
            )
    wrong = {p: np.count_nonzero(~np.isfinite(gradient(p))) for p in params}
    named = [f"{label(p)} ({count} of {p.numel()} numbers)" for p, count in wrong.items() if count]
    if named:
        raise ValueError(
            f"expected finite gradients, got infinite or nan ones of {', '.join(named)}; no parameter of this group "
            f"was changed. A smaller lr or nn.utils.clip_grad_norm_ may keep the loss finite; look at the "
            f"loss first"
        )
