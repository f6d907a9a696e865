"""Loops compiled by numba, the extra ``accel``: one pass over memory where NumPy takes one for each operation.

They compute in float32, on arrays large enough for the import of numba, 0.5 s, and are cached on disk. What they give
differs from NumPy's by rounding: both are within a few places of the exact number. Without numba they run as Python.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

from autodiff.threads import get_num_threads, share

F = TypeVar("F", bound=Callable[..., Any])
LARGE = 1 << 15


def compiled(loop: F, fastmath: tuple[str, ...] = ("contract",)) -> F:
    """`loop` as machine code; "contract" lets it round a product and a sum once."""
    if not _has_numba():
        return loop
    import numba

    jit: Any = numba.njit(nogil=True, error_model="numpy", cache=True, fastmath=set(fastmath))
    made: F = jit(loop)
    return made


def summing(loop: F) -> F:
    """`compiled`, for loops that add up: the order of what is added is free, so that it fills vector registers."""
    return compiled(loop, ("contract", "reassoc", "nsz"))


@cache
def _has_numba() -> bool:
    return find_spec("numba") is not None


def usable(x: Any, *others: Any) -> bool:
    """Whether loops take these: float32 arrays in C's order, of which the first is large, or None; and numba."""
    if type(x) is not np.ndarray or x.size < LARGE or not _has_numba():
        return False
    return all(
        a is None or (type(a) is np.ndarray and a.dtype.char == "f" and a.flags.c_contiguous) for a in (x, *others)
    )


def share_evenly(work: Callable[[slice], Any], length: int, size: int) -> None:
    """Call `work` with as many slices of `length` as there are threads, for what does not depend on where they end.

    Smaller ones would make the threads meet at the interpreter's lock; `size` numbers below 2¹⁷ are not worth a second.
    """
    parts = min(get_num_threads(), length, 1 + (size >> 17))
    share(lambda i: work(slice(i * length // parts, (i + 1) * length // parts)), parts)


@cache
def loop_named(path: str) -> Callable[..., None]:
    """The loop at a path such as "autodiff.ops.loops.relu", whose module is imported, and compiled, at first use."""
    module, _, name = path.rpartition(".")
    loop: Callable[..., None] = getattr(import_module(module), name)
    return loop
