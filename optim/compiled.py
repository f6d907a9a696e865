"""The commonest updates as one pass over memory, compiled by numba, the extra ``accel``, where it is installed.

The loops do what the formulas of `optim.SGD` and `optim.Adam` say, rounding in the same places: the bits are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from optim.options import Group

Loop = Callable[..., None]
# From so many numbers on: importing numba takes half a second, and compiling a loop, which is done once, another.
LARGE = 1 << 15


def compiled(name: str, p: Any, group: Group) -> Loop | None:
    """The loop `name` for arrays like `p`; None for few numbers, for tensors, without numba, and if ``fused=False``."""
    if type(p) is not np.ndarray or p.size < LARGE or p.dtype.char not in "fd" or group["fused"] is False:
        return None
    return _loop(name)


def numbers(p: Any, *values: float) -> tuple[Any, ...]:
    """`values` in the dtype of `p`, in which NumPy computes with Python's numbers."""
    return tuple(map(p.dtype.type, values))


@cache
def _loop(name: str) -> Loop | None:
    if find_spec("numba") is None:
        return None
    import numba

    loops: dict[str, Any] = {"adam": _adam, "sgd": _sgd}
    made: Loop = numba.njit(loops[name], nogil=True, error_model="numpy", cache=True)
    return made


def _adam(p: Any, g: Any, exp_avg: Any, exp_avg_sq: Any, up1: Any, beta2: Any, up2: Any, rate: Any, eps: Any) -> None:
    for i in range(p.size):
        mean = exp_avg[i] + up1 * (g[i] - exp_avg[i])
        square = exp_avg_sq[i] * beta2 + up2 * (g[i] * g[i])
        exp_avg[i], exp_avg_sq[i] = mean, square
        p[i] -= rate * (mean / (np.sqrt(square) + eps))


def _sgd(p: Any, g: Any, buffer: Any, nesterov: bool, momentum: Any, damping: Any, rate: Any) -> None:
    for i in range(p.size):
        velocity = buffer[i] * momentum + damping * g[i]
        buffer[i] = velocity
        p[i] -= rate * (g[i] + momentum * velocity if nesterov else velocity)
