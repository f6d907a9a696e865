"""Writing into the part of a tensor that a chain of views reaches."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.op import Recorder
from autodiff.ops import places
from autodiff.ops.indexing import get_at
from autodiff.recorders import operation
from autodiff.tensor import Array
from autodiff.views import Step
from autodiff.writes import owner


def taken(x: Any, steps: tuple[Step, ...]) -> Any:
    """What `steps` reach of an array or a Tensor."""
    for op, params, _ in steps:
        x = op.record.rule(x, **params)
    return x


def _put_kernel(x: Array, new: Any, steps: tuple[Step, ...]) -> Array:
    out = places.writable(x, new)
    target: Array = out
    *before, (last, params, _) = steps or ((get_at.op, {"index": ...}, x.shape),)
    for op, known, _ in before:
        target = op.kernel(target, **known)
    if last is not get_at.op:
        target, params = last.kernel(target, **params), {"index": ...}
    if target is out or (target.flags.writeable and owner(target) is owner(out)):
        target[params["index"]] = new
    else:
        # In this layout some step had to copy: the numbers of the places go the same way.
        at = taken(np.arange(out.size).reshape(out.shape), steps)
        out.reshape(-1)[at] = new
    return out


put_region: Recorder = operation(
    "put_region",
    _put_kernel,
    vjp=(
        lambda g, y, x, new, steps: put_region.rule(g, 0.0, steps=steps),
        lambda g, y, x, new, steps: taken(g, steps),
    ),
    doc="x with new values, which broadcast, where a chain of views reaches.",
)
