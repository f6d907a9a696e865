"""The threads that fetch batches for a `DataLoader`, in the place of processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from autodiff.data.worker import Desk, How, WorkerInfo, be
from autodiff.random import Generator, drawing_from

# As `multiprocessing_context`.
THREAD = "thread"


def work(requests: SimpleQueue[Any], answers: SimpleQueue[Any], stopping: Event, info: WorkerInfo, desk: Desk) -> None:
    """Answer the loader until it says stop, drawing from a generator of this thread's own."""
    be(info)
    with drawing_from(Generator().manual_seed(info.seed)):
        while (request := requests.get()) is not None and not stopping.is_set():
            answer = desk.answer(*request)
            if answer is not None:
                answers.put(answer)


class ThreadWorker:
    """One worker thread, seen from the loader as `Worker` is."""

    def __init__(
        self, stopping: Event, worker_id: int, num_workers: int, base_seed: int, init_fn: Callable[[int], Any] | None,
        how: How,
    ) -> None:  # fmt: skip
        self.id, self.ended = worker_id, False
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        info = WorkerInfo(worker_id, num_workers, base_seed + worker_id, how[0])
        arguments = self._requests, self._answers, stopping, info, Desk(worker_id, init_fn, how)
        Thread(target=work, args=arguments, daemon=True).start()

    def ask(self, kind: str, index: Any = None) -> None:
        """Send a request."""
        self._requests.put((kind, index))

    def hang_up(self) -> None:
        """Let the thread end when it is done with the batch that it is at."""
        self._requests.put(None)

    def answer(self, timeout: float) -> tuple[str, Any]:
        """The next answer; RuntimeError after `timeout` seconds if that is not 0."""
        try:
            message: tuple[str, Any] = self._answers.get(timeout=timeout or None)
        except Empty:
            raise RuntimeError(
                f"DataLoader timed out after {timeout} seconds: no batch came from worker {self.id}"
            ) from None
        return message

    def raise_error(self, error: Exception) -> None:
        """Raise what was raised in the thread."""
        if isinstance(error, StopIteration):  # it would end the loop in silence
            raise RuntimeError("a data set raised StopIteration") from error
        raise error


def stop(workers: Iterable[ThreadWorker], stopping: Event) -> None:
    """End the threads, without waiting for the batches that they are at."""
    stopping.set()
    for worker in workers:
        worker.hang_up()
