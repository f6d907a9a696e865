"""The threads that share work on large arrays: NumPy and SciPy release the interpreter's lock while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

_threads = 0
_pool: Executor | None = None
# How many calls have told OpenBLAS to take one thread, and how many it had before.
_lock, _inside, _before = Lock(), 0, 1


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


def share_products(work: Callable[[int], None], count: int) -> None:
    """`share`, for work that multiplies matrices: each product takes one thread meanwhile, if OpenBLAS is found."""
    if count < 2 or get_num_threads() < 2:
        share(work, count)
        return
    with _one_thread_each():
        share(work, count)


def _function_of_openblas(name: str) -> Any:
    """A function of NumPy's OpenBLAS, under whichever of its names, or None."""
    with suppress(ImportError, OSError):
        import ctypes

        library = ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)
        for pattern in ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}"):
            with suppress(AttributeError):
                return getattr(library, pattern.format(name))
    return None


@lru_cache(maxsize=1)
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """The functions of NumPy's OpenBLAS that tell and set its number of threads."""
    get, set_number = _function_of_openblas("get_num_threads"), _function_of_openblas("set_num_threads")
    return None if get is None or set_number is None else (get, set_number)


@lru_cache(maxsize=1)
def has_small_products() -> bool:
    """Whether OpenBLAS has chosen its kernels for AVX-512, which multiply small matrices without copying them."""
    function = _function_of_openblas("get_corename")
    if function is None:
        return False
    import ctypes

    function.restype = ctypes.c_char_p
    return function() in (b"SkylakeX", b"Cooperlake", b"SapphireRapids")


@contextmanager
def _one_thread_each() -> Iterator[None]:
    global _inside, _before
    functions = _openblas()
    if functions is None:
        yield
        return
    get, set_number = functions
    with _lock:
        if not _inside:
            _before = get()
            set_number(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                set_number(_before)
