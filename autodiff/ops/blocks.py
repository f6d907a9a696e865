"""Elementwise work on large arrays, a block of them at a time, shared with other threads.

NumPy and SciPy release the interpreter's lock while they compute. Results do not depend on the number of threads, bit
for bit: elementwise ones not on blocks at all, and blocks of rows are the same whatever that number. Waking a thread
and waiting for it take about 60 µs, and more where the threads meet at the lock between two calls: of a million
numbers, what takes less than 0.5 ms alone is no faster so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from autodiff.compiled import LARGE, loop_named, share_evenly, usable
from autodiff.threads import get_num_threads, share

Array = np.ndarray[Any, Any]
# Larger arrays are computed in blocks of so many numbers. Smaller blocks would make the threads wait for the
# interpreter's lock at each of NumPy's calls: a sigmoid of a million float32 in blocks of 32768 takes twice the time.
BLOCK = 131072


def by_blocks(function: Callable[..., Any], block: int = BLOCK, results: int = 1) -> Callable[..., Any]:
    """`function`, elementwise on arrays and giving the dtype of the first, called with 1-D blocks of large ones.

    What has not the size of the first array, as a number or what a rule does not read, is handed on as it is; arrays
    that broadcast are computed in one piece. A kernel with a memo gives a tuple of two `results`. A function with the
    keyword ``*, out=None`` gets the place for the results of a block there, or a list of them, and may use it.
    """

    def blocked(x: Any, *others: Any, **params: Any) -> Any:
        # A number may stand first.
        if type(x) is not np.ndarray or x.size <= block:
            return function(x, *others, **params)
        return _in_blocks(function, block, results, (x, *others), params)

    return blocked


def _in_blocks(
    function: Callable[..., Any], block: int, results: int, args: Sequence[Any], params: dict[str, Any]
) -> Any:
    x = args[0]
    arrays = [value for value in args if isinstance(value, np.ndarray) and value.ndim]
    if any(array.shape != x.shape for array in arrays):
        return function(*args, **params)
    # In the order of memory, where all arrays have the same.
    found = [np.empty_like(x) for _ in range(results)]
    order: Any = "K" if all(array.strides == found[0].strides for array in arrays) else "C"
    if order == "C":
        found = [np.empty(x.shape, x.dtype) for _ in range(results)]
    flat = [value.ravel(order) if isinstance(value, np.ndarray) and value.ndim else value for value in args]
    outs = [y.ravel(order) for y in found]
    threads = get_num_threads()
    if threads > 1:
        # One block a thread, if four times as long does it: a silu of a million takes 0.5 ms, and 0.8 in eight blocks.
        block *= min(4, -(-x.size // (threads * block)))
    into = "out" in (getattr(function, "__kwdefaults__", None) or ())

    def work(i: int) -> None:
        at = slice(i * block, (i + 1) * block)
        inputs = [v[at] if isinstance(v, np.ndarray) and v.ndim else v for v in flat]
        places = [y[at] for y in outs]
        if into:
            parts = function(*inputs, **params, out=places if results > 1 else places[0])
        else:
            parts = function(*inputs, **params)
        for place, part in zip(places, parts if results > 1 else (parts,), strict=True):
            if part is not place:
                place[...] = part

    share(work, -(-x.size // block))
    return tuple(found) if results > 1 else found[0]


def by_loop(function: Callable[..., Any], loop: str, results: int = 1) -> Callable[..., Any]:
    """`function`, but large float32 arrays of one shape go through the `loop` at that path, where numba is installed.

    The loop gets them flat, those of the results, and the params as numbers.
    """

    def called(x: Any, *others: Any, **params: Any) -> Any:
        if type(x) is not np.ndarray or x.size < LARGE:
            return function(x, *others, **params)
        operands = [v for v in (x, *others) if isinstance(v, np.ndarray)]
        if not usable(*operands) or any(v.shape != x.shape for v in operands):
            return function(x, *others, **params)
        found = [np.empty(x.shape, x.dtype) for _ in range(results)]
        flat, values = [v.reshape(-1) for v in (*operands, *found)], map(x.dtype.type, params.values())
        compute = partial(loop_named(loop), **dict(zip(params, values, strict=True)))

        share_evenly(lambda part: compute(*(v[part] for v in flat)), x.size, x.size)
        return tuple(found) if results > 1 else found[0]

    return called


def over_rows(work: Callable[[Any], None], x: Array, axis: int) -> None:
    """Call `work` with indices that together select all of `x`, of which none cuts through `axis`."""
    if x.size <= BLOCK or axis == 0 or type(x) is not np.ndarray:
        work(...)
        return
    # Matrices times vectors round alike in whole groups of rows.
    rows = max(64, BLOCK * len(x) // x.size // 64 * 64)
    share(lambda i: work(slice(i * rows, (i + 1) * rows)), -(-len(x) // rows))


def on_vectors(function: Callable[[Array], Array]) -> Callable[[Any], Any]:
    """The kernel that calls `function` with 1-D arrays, of float32 in place of float16."""

    def kernel(x: Any) -> Any:
        if x.dtype.char == "e":
            return np.asarray(kernel(x.astype(np.float32)), np.float16)
        if x.ndim == 1:
            return function(x)
        y: Array = function(x.reshape(-1)).reshape(x.shape)
        return y

    return kernel
