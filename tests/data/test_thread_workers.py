"""Loaders whose workers are threads: the batches and draws of processes, the errors of the data set itself."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import autodiff as ad
from autodiff.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info


class Numbers(Dataset[Any]):
    """The numbers from 0, each after `action`."""

    def __init__(self, count: int, action: Callable[[int], Any] = lambda index: index) -> None:
        self.count, self.action = count, action

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.action(index)


class Shards(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        assert info is not None
        return iter(range(info.id, 10, info.num_workers))


def in_threads(dataset: Any, workers: int, **options: Any) -> DataLoader:
    return DataLoader(dataset, num_workers=workers, multiprocessing_context="thread", timeout=60, **options)


def ended(others: set[threading.Thread]) -> bool:
    gc.collect()
    end = time.monotonic() + 20
    while set(threading.enumerate()) - others and time.monotonic() < end:
        time.sleep(0.01)
    return not set(threading.enumerate()) - others


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_threads_give_the_same_batches(workers: int) -> None:
    others = set(threading.enumerate())
    # The first examples take longest, so that batches are ready in another order than they are asked for.
    table = Numbers(23, lambda index: [time.sleep(0.01 * (index < 4)), index][1])
    assert list(in_threads(table, workers, batch_size=4, collate_fn=list)) == [
        list(range(i, min(i + 4, 23))) for i in range(0, 23, 4)
    ]
    assert ended(others)


@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"shuffle": True, "batch_size": 3}])
def test_threads_draw_what_processes_draw(options: dict[str, Any]) -> None:
    found = []
    for context in ("thread", "fork"):
        ad.manual_seed(3)
        noisy = Numbers(8, lambda index: ad.rand(2) + index)
        loader = DataLoader(noisy, num_workers=2, multiprocessing_context=context, timeout=60, **options)
        found.append([batch.tolist() for batch in loader for _ in range(2)])
        found.append(ad.rand(2).tolist())
    assert found[:2] == found[2:]


def test_streams_are_told_their_thread() -> None:
    assert sorted(in_threads(Shards(), 3, batch_size=None)) == list(range(10))
    assert [batch.tolist() for batch in in_threads(Shards(), 2, batch_size=2)] == [
        [0, 2],
        [1, 3],
        [4, 6],
        [5, 7],
        [8],
        [9],
    ]
    assert get_worker_info() is None


def test_persistent_threads_serve_the_next_epoch() -> None:
    others = set(threading.enumerate())
    loader = in_threads(Numbers(9), 2, batch_size=2, persistent_workers=True, collate_fn=list)
    threads = []
    for _ in range(3):
        assert [number for batch in loader for number in batch] == list(range(9))
        threads.append(set(threading.enumerate()) - others)
    for batch in loader:
        assert batch == [0, 1]
        break
    assert [number for batch in loader for number in batch] == list(range(9))
    assert threads[0] == threads[1] == threads[2]
    assert len(threads[0]) == 2
    del loader
    assert ended(others)


def fails_at_five(index: int) -> int:
    if index == 5:
        raise FileNotFoundError("image 5 is missing")
    return index


def test_an_error_is_raised_at_its_batch() -> None:
    batches = iter(in_threads(Numbers(8, fails_at_five), 2))
    assert [next(batches).item() for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(FileNotFoundError, match="image 5 is missing") as caught:
        next(batches)
    assert caught.traceback[-1].name == "fails_at_five"
    assert [batch.item() for batch in batches] == [6, 7]


def test_a_data_set_that_ends_too_early_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        list(in_threads(Numbers(1, lambda index: next(iter(()))), 1))


def test_an_error_of_worker_init_fn_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(Numbers(2), 1, worker_init_fn=lambda worker: 1 // worker))


def test_a_thread_that_takes_too_long_is_an_error() -> None:
    release = threading.Event()
    slow = Numbers(1, lambda index: release.wait(20))
    with pytest.raises(RuntimeError, match=r"timed out after 0\.05 seconds"):
        list(DataLoader(slow, num_workers=1, multiprocessing_context="thread", timeout=0.05))
    release.set()


def test_threads_end_with_a_loop_that_breaks_off() -> None:
    others = set(threading.enumerate())
    for (batch,) in in_threads(TensorDataset(ad.ones(50, 300)), 2, batch_size=5):
        assert batch.shape == (5, 300)
        break
    assert ended(others)
