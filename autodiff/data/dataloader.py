"""`DataLoader`: the batches of a data set, in the order of a sampler, fetched here or by worker processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, islice, repeat
from typing import Any
from weakref import finalize

from autodiff.data import thread_worker, worker
from autodiff.data.collate import default_collate, default_convert
from autodiff.data.dataset import IterableDataset
from autodiff.data.fetch import fetching
from autodiff.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, drawn_seed
from autodiff.data.thread_worker import THREAD, ThreadWorker
from autodiff.data.worker import Worker, get_worker_info
from autodiff.random import Generator

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _Forever(Sampler[None]):
    """The indices of a stream, which has none."""

    def __iter__(self) -> Iterator[None]:
        return repeat(None)


class DataLoader:
    """The batches of a table or a stream, anew in every ``for`` loop.

    Which examples are in which batch follows from `shuffle`, or from a `sampler`, or from a `batch_sampler`; with
    ``batch_size=None`` there are no batches but single examples. `collate_fn` makes a batch of a list of examples
    (`default_collate`). `num_workers` processes fetch the batches, each `prefetch_factor` (2) ahead; their order is
    the same as without. What a worker raises is raised here with its traceback, and a worker that is killed, or needs
    longer than `timeout` seconds for a batch, is a RuntimeError. `worker_init_fn` is called in each with its number,
    once its generators are seeded; `persistent_workers` outlive the loop. For the same seed batches and draws from the
    generators are PyTorch's. With ``multiprocessing_context="thread"`` the workers are threads: they share the data
    set, start at once, copy nothing and draw from this engine's generator the same numbers as processes, while the
    generators of Python and NumPy, which all threads share, are not seeded; they pay where NumPy or the reading of
    files takes most of the time. `pin_memory` and `in_order` are accepted and change nothing. ValueError for options
    that exclude each other.

    >>> import autodiff as ad
    >>> from autodiff.data import DataLoader, TensorDataset
    >>> data = TensorDataset(ad.arange(5) * 10, ad.arange(5))
    >>> loader = DataLoader(data, batch_size=2, shuffle=True, generator=ad.Generator().manual_seed(0))
    >>> for x, y in loader:
    ...     print(x, y)
    tensor([30, 10]) tensor([3, 1])
    tensor([ 0, 40]) tensor([0, 4])
    tensor([20]) tensor([2])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        _check_order(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if sampler is None:
            sampler = _default_sampler(dataset, shuffle, generator)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.drop_last = drop_last
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.generator = generator
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.persistent_workers = persistent_workers
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self._kept: _FetchedByWorkers | None = None
        self._initialized = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_initialized" in self.__dict__:
            raise ValueError(f"DataLoader: {name} cannot be set any more; make another DataLoader")
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        if not self.num_workers:
            return _FetchedHere(self)
        if not self.persistent_workers:
            return _FetchedByWorkers(self)
        if self._kept is None or not self._kept.stop.alive:
            self._kept = _FetchedByWorkers(self)
        else:
            self._kept.restart()
        return self._kept

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            length = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return length
            return length // self.batch_size if self.drop_last else -(-length // self.batch_size)
        return len(self.indices())

    def indices(self) -> Any:
        """What gives the index, or the list of indices, of one batch after the other."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def how(self) -> tuple[Any, bool, Callable[[Any], Any], bool]:
        """The arguments of `fetching`."""
        return self.dataset, self.batch_sampler is not None, self.collate_fn, self.drop_last


class _Batches(Iterator[Any]):
    """One pass; PyTorch draws a seed for workers at its start, even without any."""

    def __init__(self, loader: DataLoader) -> None:
        # Not the loader: it keeps workers that are persistent, and a cycle would keep them beyond its own end.
        self.source = loader.indices()
        self.indices = iter(self.source)
        self.base_seed = drawn_seed(loader.generator)

    def __len__(self) -> int:
        return len(self.source)


class _FetchedHere(_Batches):
    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        self.fetch = fetching(*loader.how())

    def __next__(self) -> Any:
        return self.fetch(next(self.indices))


class _FetchedByWorkers(_Batches):
    """Workers take turns; `asked` lists which of them owe a batch, the next one first."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        self.timeout, self.persistent = loader.timeout, loader.persistent_workers
        self.ahead = loader.num_workers * (loader.prefetch_factor or 0)
        self.asked: deque[Any] = deque()
        self.workers: list[Any] = []
        shared = (loader.num_workers, self.base_seed, loader.worker_init_fn, loader.how())
        context = loader.multiprocessing_context
        if context == THREAD:
            hang_up = threading.Event()
            self.stop: Any = finalize(self, thread_worker.stop, self.workers, hang_up)
            self.workers += [ThreadWorker(hang_up, i, *shared) for i in range(loader.num_workers)]
        else:
            if context is None or isinstance(context, str):
                context = multiprocessing.get_context(context)
            stopping = context.Event()
            self.stop = finalize(self, worker.stop, self.workers, stopping, os.getpid())
            for i in range(loader.num_workers):
                self.workers.append(Worker(context, stopping, i, *shared))
        self._begin()

    def _begin(self) -> None:
        self.indices = iter(self.source)
        self.turns = cycle(self.workers)
        for _ in range(self.ahead):
            self._ask()

    def _ask(self) -> None:
        """Ask the next worker whose stream has not ended for a batch, if there is another."""
        try:
            index = next(self.indices)
        except StopIteration:
            return
        turn = next((each for each in islice(self.turns, len(self.workers)) if not each.ended), None)
        if turn is not None:
            turn.ask(worker.FETCH, index)
            self.asked.append(turn)

    def restart(self) -> None:
        """Begin another pass with the same workers."""
        for each in self.workers:
            each.ask(worker.RESTART)
        for each in self.workers:
            while each.answer(self.timeout)[0] != worker.READY:
                pass  # what the last pass did not take
            each.ended = False
        self.asked.clear()
        self._begin()

    def __next__(self) -> Any:
        while self.asked:
            turn = self.asked.popleft()
            if turn.ended:
                continue
            try:
                kind, content = turn.answer(self.timeout)
            except RuntimeError:
                self.stop()
                raise
            turn.ended = kind == worker.END
            self._ask()
            if kind == worker.ERROR:
                turn.raise_error(content)
            if kind == worker.BATCH:
                return content
        if not self.persistent:
            self.stop()
        raise StopIteration


def _default_sampler(dataset: Any, shuffle: bool | None, generator: Generator | None) -> Sampler[Any]:
    if isinstance(dataset, IterableDataset):
        return _Forever()
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


def _check_workers(count: int, timeout: float, prefetch: int | None, persistent: bool, context: Any) -> None:
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"DataLoader: expected num_workers to be a whole number from 0, got {count!r}")
    if timeout < 0:
        raise ValueError(f"DataLoader: expected a timeout of seconds, 0 for none, got {timeout!r}")
    if not count and (timeout or prefetch is not None or persistent or context is not None):
        raise ValueError(
            "DataLoader: timeout, prefetch_factor, persistent_workers and multiprocessing_context are for workers; "
            "give num_workers too, or leave them out"
        )
    if prefetch is not None and prefetch < 1:
        raise ValueError(f"DataLoader: expected prefetch_factor to be at least 1, got {prefetch!r}")
    methods = [*multiprocessing.get_all_start_methods(), THREAD]
    if isinstance(context, str) and context not in methods:
        raise ValueError(f"DataLoader: expected a multiprocessing_context among {methods}, got {context!r}")
    if not isinstance(context, str | multiprocessing.context.BaseContext | None):
        raise TypeError(f"DataLoader: expected a multiprocessing context or its name, got {context!r}")


def _check_order(
    dataset: Any, batch_size: int | None, shuffle: bool | None, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if isinstance(dataset, IterableDataset) and (shuffle or sampler is not None or batch_sampler is not None):
        raise ValueError("DataLoader: a stream has an order of its own; leave shuffle, sampler and batch_sampler out")
    if sampler is not None and shuffle:
        raise ValueError("DataLoader: sampler and shuffle exclude each other")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last")
    if batch_size is None and drop_last:
        raise ValueError("DataLoader: batch_size=None makes no batches, so that drop_last has no meaning")
