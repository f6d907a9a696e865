"""The threads that share work on large arrays: NumPy and SciPy release the interpreter's lock while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

_threads = 0
_pool: Executor | None = None


def get_num_threads() -> int:
    """How many threads share the work on a large tensor: OMP_NUM_THREADS, else the cores that this process may use.

    >>> import autodiff as ad
    >>> ad.get_num_threads() >= 1
    True
    """
    global _threads
    if not _threads:
        named = os.environ.get("OMP_NUM_THREADS", "")
        known = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
        _threads = int(named) if named.isdecimal() and int(named) else cores
    return _threads


def set_num_threads(num: int) -> None:
    """Let `num` threads share the work on a large tensor; RuntimeError for fewer than one.

    Products of matrices are the BLAS library's, which has threads of its own.

    >>> import autodiff as ad
    >>> before = ad.get_num_threads(); ad.set_num_threads(1); ad.get_num_threads()
    1
    >>> ad.set_num_threads(before)
    """
    global _threads, _pool
    if not isinstance(num, int) or isinstance(num, bool):
        raise TypeError(f"set_num_threads: expected an integer, got {num!r}")
    if num < 1:
        raise RuntimeError(f"set_num_threads: expected a number of threads from 1, got {num}")
    _threads, _pool = num, None


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    # A forked process has none of its parent's threads.
    os.register_at_fork(after_in_child=_forget_pool)


def _helpers(work: Callable[[], None], count: int) -> list[Future[None]]:
    """Start `work` in other threads, in this one's context: np.errstate is part of it."""
    global _pool
    pool = _pool
    if pool is None:
        from concurrent.futures import ThreadPoolExecutor

        pool = _pool = ThreadPoolExecutor(get_num_threads() - 1, "autodiff")
    started: list[Future[None]] = []
    # Once the interpreter is shutting down nothing can be started any more.
    with suppress(RuntimeError):
        for _ in range(count):
            started.append(pool.submit(copy_context().run, work))
    return started


def share(work: Callable[[int], None], count: int) -> None:
    """Call work(0), ..., work(count - 1), in this thread and in such others as come in time."""
    places = iter(range(count))

    def take() -> None:
        for i in places:
            work(i)

    others = min(get_num_threads(), count) - 1
    helpers = _helpers(take, others) if others > 0 else []
    try:
        take()
    finally:
        for helper in helpers:
            # A helper that has not begun has nothing left to do: so nobody waits for a thread that is busy or gone.
            if not helper.cancel():
                helper.result()
