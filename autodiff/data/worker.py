"""The processes that fetch batches for a `DataLoader`: what runs in them, and how the loader talks to one."""

from __future__ import annotations

import os
import pickle
import random as python_random
import signal
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from time import monotonic
from typing import Any, TypeAlias

import numpy as np

from autodiff import random, threads
from autodiff.data.dataset import IterableDataset
from autodiff.data.fetch import fetching

# How long all workers together have to finish what they are at before they are ended, in seconds.
PATIENCE = 5.0
# What the loader asks a worker for, beside the batch of some index.
FETCH, RESTART = "fetch", "restart"
# What a worker answers.
BATCH, END, READY, ERROR = "batch", "end", "ready", "error"


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker process is told about itself; `seed` is that of its generators."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Here(threading.local):
    """Of a process the attribute of the class, of a thread its own."""

    info: WorkerInfo | None = None


_here = _Here()


def be(info: WorkerInfo) -> None:
    """Let `get_worker_info` give `info` in this thread."""
    _here.info = info


def get_worker_info() -> WorkerInfo | None:
    """In a worker process or thread of a `DataLoader` its `WorkerInfo`, else None.

    >>> from autodiff.data import get_worker_info
    >>> print(get_worker_info())
    None
    """
    return _here.info


def seed_generators(base_seed: int, worker_id: int) -> int:
    """Seed the generators of the engine, of Python and of NumPy as PyTorch does in its workers."""
    seed = base_seed + worker_id
    python_random.seed(seed)
    random.manual_seed(seed)
    entropy = [worker_id, base_seed % 2**32, base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))  # noqa: NPY002 - the one that programs draw from
    return seed


How: TypeAlias = tuple[Any, bool, Callable[[Any], Any], bool]


class Desk:
    """What a worker does with one request after the other: `how` are the arguments of `fetching`."""

    def __init__(self, worker_id: int, init_fn: Callable[[int], Any] | None, how: How) -> None:
        self.worker_id, self.prepare, self.how = worker_id, init_fn, how
        self.fetch: Callable[[Any], Any] | None = None
        self.ended = False

    def answer(self, kind: str, index: Any) -> tuple[str, Any] | None:
        """What is to be answered, if anything: the batch, or ERROR and the exception that was raised."""
        if kind == RESTART:
            self.fetch, self.ended = None, False
            return READY, None
        if self.ended:
            return None
        try:
            if self.prepare is not None:
                self.prepare(self.worker_id)
                self.prepare = None
            if self.fetch is None:
                self.fetch = fetching(*self.how)
            return BATCH, self.fetch(index)
        except Exception as error:
            self.ended = isinstance(error, StopIteration) and isinstance(self.how[0], IterableDataset)
            return (END, None) if self.ended else (ERROR, error)


def work(
    connection: Connection,
    stopping: Any,
    worker_id: int,
    num_workers: int,
    base_seed: int,
    init_fn: Callable[[int], Any] | None,
    how: How,
) -> None:
    """Answer the loader until it hangs up, says stop, or is gone."""
    threads.set_num_threads(1)
    _Here.info = WorkerInfo(worker_id, num_workers, seed_generators(base_seed, worker_id), how[0])
    # So that a batch is fetched while the one before it waits to be taken.
    outbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_send, args=(connection, outbox), daemon=True).start()
    parent: Any = parent_process()
    desk = Desk(worker_id, init_fn, how)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while wait([connection, parent.sentinel]) and parent.is_alive() and not stopping.is_set():
            answer = desk.answer(*connection.recv())
            if answer is not None:
                outbox.put(_packed(*answer))


def _packed(kind: str, content: Any) -> Any:
    """A message in bytes; with protocol 5 arrays are copied once, not twice."""
    try:
        return ForkingPickler.dumps((kind, _described(content) if kind == ERROR else content), protocol=5)
    except Exception as error:  # of what cannot be pickled: an error like any other
        return _packed(ERROR, error)


def _send(connection: Connection, outbox: SimpleQueue[Any]) -> None:
    with suppress(OSError):
        while True:
            connection.send_bytes(outbox.get())


def _described(error: Exception) -> tuple[type[Exception], str]:
    kind: type[Exception] = type(error)
    if kind is StopIteration:  # it would end the loop in silence
        kind = RuntimeError
    try:
        pickle.dumps(kind)
    except Exception:
        kind = RuntimeError
    return kind, "".join(traceback.format_exception(error))


class _Message(str):
    """A text that a KeyError, which shows the repr of its argument, shows as it is."""

    def __repr__(self) -> str:
        return str(self)


class Worker:
    """One worker process, seen from the loader."""

    def __init__(self, context: Any, stopping: Any, worker_id: int, *arguments: Any) -> None:
        self.id = worker_id
        self.ended = False
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, stopping, worker_id, *arguments), daemon=True)
        self.process.start()
        # Or the end of the process would not be the end of the connection.
        theirs.close()

    def ask(self, kind: str, index: Any = None) -> None:
        """Send a request; RuntimeError if the process is gone."""
        try:
            self.connection.send((kind, index))
        except OSError:
            raise self._gone() from None

    def answer(self, timeout: float) -> tuple[str, Any]:
        """The next answer; RuntimeError if the process is gone, or after `timeout` seconds if that is not 0."""
        ready = wait([self.connection, self.process.sentinel], timeout or None)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds: no batch came from worker {self.id}")
        if self.connection not in ready and not self.connection.poll():
            raise self._gone()
        try:
            message: tuple[str, Any] = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            raise self._gone() from None
        return message

    def raise_error(self, described: tuple[type[Exception], str]) -> None:
        """Raise what was raised in the process, with its traceback as the message."""
        kind, text = described
        message = f"Caught {kind.__name__} in DataLoader worker process {self.id}.\nOriginal {text}"
        try:
            error = kind(_Message(message) if issubclass(kind, KeyError) else message)
        except Exception:  # its constructor wants something else
            error = RuntimeError(message)
        raise error

    def _gone(self) -> RuntimeError:
        self.process.join(PATIENCE)
        code = self.process.exitcode
        reason = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return RuntimeError(
            f"DataLoader worker (pid(s) {self.process.pid}) exited unexpectedly: {reason}. A worker that runs out of "
            f"memory is killed like this; num_workers=0 shows other errors where they arise"
        )


def stop(workers: Iterable[Worker], stopping: Any, owner: int) -> None:
    """End the processes: those that are at a batch may finish it, within `PATIENCE` seconds."""
    if os.getpid() != owner:  # in a forked process, which has none of them
        return
    stopping.set()
    for worker in workers:
        with suppress(OSError):
            # Not to wait for one that does not listen; to hang up alone does not reach it, because processes forked
            # after it have copies of our end.
            os.set_blocking(worker.connection.fileno(), False)
            worker.connection.send((RESTART, None))
    end = monotonic() + PATIENCE
    for worker in workers:
        worker.process.join(max(0.0, end - monotonic()))
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join()
        worker.connection.close()
        worker.process.close()
