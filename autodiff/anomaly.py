"""`detect_anomaly`: the backward pass stops at the first rule that makes a NaN, and names the line that recorded it."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any

import numpy as np

from autodiff import lines
from autodiff.grad_mode import ThreadState
from autodiff.graph import Node

# Whether it is on, and whether it looks for NaN.
_mode = (False, True)


def _set(enabled: bool, check_nan: bool) -> None:
    global _mode
    if enabled != _mode[0]:
        lines.switch(1 if enabled else -1)
    _mode = enabled, check_nan
    # On the class it holds for all threads.
    ThreadState.watch = staticmethod(_check) if enabled and check_nan else None


def _check(node: Node, g: Any, parent: Node, gx: Any) -> None:
    """RuntimeError if the gradient `gx` that `node` has for `parent` holds a NaN, with PyTorch's first sentence."""
    array = getattr(gx, "array", gx)
    if hasattr(array, "each_sample"):
        # Inside vmap, what all samples have.
        array = array.base
    if getattr(getattr(array, "dtype", None), "kind", "") != "f" or not bool(np.isnan(array).any()):
        return
    number = next(i for i, p in enumerate(node.parents()) if p is parent)
    where = f"It was recorded at {node.line}" if node.line is not None else "It was recorded outside detect_anomaly"
    raise RuntimeError(
        f"Function '{node.label}' returned nan values in its {number}th output. {where}. "
        f"ad.autopsy(loss) tells which value made it"
    )


class detect_anomaly(ContextDecorator):
    """Inside, lines are traced, and with `check_nan` a backward pass that makes a NaN is a RuntimeError that names it.

    Use as ``with ad.autograd.detect_anomaly():`` around the forward and the backward pass, or as a decorator. It holds
    for all threads and costs time: it is for debugging. [PyTorch, torch.autograd.detect_anomaly]

    >>> import numpy as np, autodiff as ad
    >>> x = ad.tensor([0.0, 1.0], requires_grad=True)
    >>> with np.errstate(invalid="ignore"), ad.autograd.detect_anomaly():  # doctest: +ELLIPSIS
    ...     (x.sqrt() * ad.tensor([0.0, 1.0])).sum().backward()
    Traceback (most recent call last):
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output. It was recorded at ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._before.append(_mode)
        _set(True, self.check_nan)

    def __exit__(self, *exception: object) -> None:
        _set(*self._before.pop())


class set_detect_anomaly:
    """Switch `detect_anomaly` on or off at once; as a ``with`` block it is undone at the end.

    ``set_detect_anomaly(True, check_nan=False)`` traces lines for the rest of a program and raises nothing.

    >>> import autodiff as ad
    >>> with ad.autograd.set_detect_anomaly(True):
    ...     ad.ones(1, requires_grad=True).exp().grad_fn.line is None
    False
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = _mode
        _set(mode, check_nan)

    def __enter__(self) -> None:
        """The switch was made when this was created."""

    def __exit__(self, *exception: object) -> None:
        _set(*self._before)
