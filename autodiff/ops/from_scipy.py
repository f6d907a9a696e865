"""Functions of `scipy.special` as kernels, SciPy being imported when the first of them is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from autodiff.ops.blocks import by_blocks

# SciPy takes some 20 ns a number, NumPy 0.1 to 1.
BLOCK = 8192


@cache
def _imported(name: str) -> Callable[..., Any]:
    try:
        special = import_module("scipy.special")
    except ImportError as error:
        raise ImportError('expected SciPy to be installed; run: pip install "autodiff-numpy[special]"') from error
    function: Callable[..., Any] = getattr(special, name)
    return function


def from_scipy(name: str) -> Callable[..., Any]:
    """The kernel that calls ``scipy.special.<name>`` and gives its result the dtype of the inputs."""

    def compute(*inputs: Any) -> Any:
        # SciPy computes float16 in float32 and leaves it there.
        return _imported(name)(*inputs).astype(np.result_type(*inputs), copy=False)

    return by_blocks(compute, BLOCK)
