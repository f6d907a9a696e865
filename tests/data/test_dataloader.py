"""Loaders: what is in their batches, and what becomes of worker processes that fail, are killed or not needed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
    get_worker_info,
)


class Numbers(Dataset[int]):
    """The numbers from 0, except that one of them does something else."""

    def __init__(self, count: int, special: int = -1, action: Any = None) -> None:
        self.count, self.special, self.action = count, special, action

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.action() if index == self.special else index


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(10))

    def __len__(self) -> int:
        return 10


class WithOwnArgumentsError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)


def fail() -> None:
    raise FileNotFoundError("image 5 is missing")


def kill_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def numbers(batches: Any) -> list[int]:
    return [number for batch in batches for number in batch.tolist()]


@given(st.integers(0, 30), st.integers(1, 8), st.booleans())
def test_every_example_is_in_one_batch(count: int, batch_size: int, drop_last: bool) -> None:
    loader = DataLoader(TensorDataset(ad.arange(count)), batch_size, shuffle=count > 0, drop_last=drop_last)
    batches = [batch for (batch,) in loader]
    assert len(batches) == len(loader)
    assert all(len(batch) == batch_size for batch in (batches if drop_last else batches[:-1]))
    found = sorted(numbers(batches))
    assert found == list(range(count)) or (drop_last and len(set(found)) == count - count % batch_size)


@given(st.data())
def test_batches_of_a_table_of_tensors_are_those_of_its_rows(data: st.DataObject) -> None:
    table: Any = TensorDataset(ad.rand(9, 2, 3), ad.arange(9), ad.ones(9, 0))
    if data.draw(st.booleans()):
        table = Subset(table, data.draw(st.lists(st.integers(-9, 8), min_size=1)))
    indices = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1))
    (batch,) = DataLoader(table, batch_sampler=[indices])
    expected = default_collate([table[i] for i in indices])
    assert [(x.dtype, x.tolist()) for x in batch] == [(x.dtype, x.tolist()) for x in expected]


def test_gradients_go_through_batches() -> None:
    x = ad.ones(3, 2, requires_grad=True)
    for table in (TensorDataset(x), [x[0], x[1], x[2]]):
        x.grad = None
        (batch,) = DataLoader(table, batch_size=2, sampler=[2, 0])
        (batch[0] if isinstance(batch, list) else batch).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [[1, 1], [0, 0], [1, 1]]


def test_a_row_that_is_not_there_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(ad.ones(3)), sampler=[3]))


def test_a_table_of_one_s_own_may_fetch_many_at_once() -> None:
    class AtOnce(Numbers):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [-index for index in indices]

    assert numbers(DataLoader(AtOnce(4), batch_size=3)) == [0, -1, -2, -3]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_give_the_same_batches(workers: int) -> None:
    others = set(multiprocessing.active_children())
    with_workers = DataLoader(Numbers(23), batch_size=4, num_workers=workers, collate_fn=list, timeout=60)
    assert list(with_workers) == list(DataLoader(Numbers(23), batch_size=4, collate_fn=list))
    assert set(multiprocessing.active_children()) <= others


def test_large_batches_and_large_lists_of_indices_do_not_block_each_other() -> None:
    table = TensorDataset(ad.ones(60_000, 20))
    loader = DataLoader(table, batch_sampler=[list(range(60_000))] * 6, num_workers=2, prefetch_factor=3, timeout=60)
    assert [batch.shape for (batch,) in loader] == [(60_000, 20)] * 6


def test_workers_that_are_started_anew_load_too() -> None:
    loader = DataLoader(Numbers(5), num_workers=1, multiprocessing_context="spawn", timeout=60)
    assert numbers(loader) == [0, 1, 2, 3, 4]


def test_streams_are_told_their_worker() -> None:
    infos: list[Any] = []

    class Shard(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            info = get_worker_info()
            assert info is not None
            assert isinstance(info.dataset, Shard)
            yield info.id, info.num_workers, info.seed

    for info in DataLoader(Shard(), batch_size=None, num_workers=3):
        infos.append(info)
    assert [info[:2] for info in infos] == [[0, 3], [1, 3], [2, 3]]
    assert [info[2] - infos[0][2] for info in infos] == [0, 1, 2]
    assert get_worker_info() is None


def test_persistent_workers_serve_the_next_epoch() -> None:
    others = set(multiprocessing.active_children())
    loader = DataLoader(Numbers(9), batch_size=2, num_workers=2, persistent_workers=True, collate_fn=list)
    processes = set()
    for _ in range(3):
        assert list(chain.from_iterable(loader)) == list(range(9))
        processes.add(frozenset(multiprocessing.active_children()) - others)
    for batch in loader:
        assert batch == [0, 1]
        break
    assert list(chain.from_iterable(loader)) == list(range(9))
    assert len(processes) == 1
    del loader
    assert set(multiprocessing.active_children()) <= others


def test_an_error_of_a_worker_comes_with_its_traceback() -> None:
    batches = iter(DataLoader(Numbers(8, 5, fail), num_workers=2))
    assert [next(batches).item() for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(FileNotFoundError, match=r"(?s)Caught FileNotFoundError in .* process 1.*in fail"):
        next(batches)
    assert [batch.item() for batch in batches] == [6, 7]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: exec("raise type('LocalError', (Exception,), {})('gone')"), "LocalError: gone"),
        (lambda: exec("raise error(1, 2)", {"error": WithOwnArgumentsError}), "WithOwnArgumentsError"),
        (lambda: lambda: None, "pickle"),
        (lambda: next(iter(())), "StopIteration"),
    ],
)
def test_errors_that_cannot_be_sent_are_described(action: Any, message: str) -> None:
    with pytest.raises((RuntimeError, AttributeError), match=message):
        list(DataLoader(Numbers(1, 0, action), batch_size=None, num_workers=1, timeout=60))


def test_an_error_of_worker_init_fn_comes_back() -> None:
    with pytest.raises(ZeroDivisionError, match="worker process 0"):
        list(DataLoader(Numbers(2), num_workers=1, worker_init_fn=lambda worker: 1 // worker))


def test_a_killed_worker_is_an_error() -> None:
    others = set(multiprocessing.active_children())  # of errors that pytest still keeps
    with pytest.raises(RuntimeError, match=r"worker \(pid\(s\) \d+\) exited unexpectedly: SIGKILL"):
        list(DataLoader(Numbers(40, 20, kill_worker), num_workers=2))
    with pytest.raises(RuntimeError, match="exited unexpectedly: exit code 3"):
        list(DataLoader(Numbers(1, 0, lambda: os._exit(3)), num_workers=1))
    assert set(multiprocessing.active_children()) <= others


def test_a_worker_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    others = set(multiprocessing.active_children())
    monkeypatch.setattr("autodiff.data.worker.PATIENCE", 0.05)
    with pytest.raises(RuntimeError, match=r"timed out after 0\.2 seconds"):
        list(DataLoader(Numbers(1, 0, lambda: time.sleep(60)), num_workers=1, timeout=0.2))
    assert set(multiprocessing.active_children()) <= others


def test_workers_end_with_a_loop_that_breaks_off() -> None:
    others = set(multiprocessing.active_children())
    for batch in DataLoader(TensorDataset(ad.ones(50, 30_000)), batch_size=5, num_workers=2):
        assert batch[0].shape == (5, 30_000)
        break
    assert set(multiprocessing.active_children()) <= others


PROGRAM = """
import multiprocessing, os, sys, time
import autodiff as ad
from autodiff.data import DataLoader, TensorDataset
batches = iter(DataLoader(TensorDataset(ad.ones(20, 50_000)), num_workers=2, persistent_workers=True))
next(batches)
print(*(process.pid for process in multiprocessing.active_children()), flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
"""


def wait_until_gone(pids: list[int]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        # What was a process is a zombie until somebody asks for it.
        states = [status for pid in pids if (status := state_of(pid)) not in ("", "Z")]
        if not states:
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {states}")


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes there are")
def test_workers_end_with_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "exit"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    wait_until_gone([int(pid) for pid in done.stdout.split()])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes there are")
def test_workers_end_when_the_program_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, "wait"], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        pids = [int(pid) for pid in program.stdout.readline().split()]
        program.kill()
    assert len(pids) == 2
    wait_until_gone(pids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers to be a whole number from 0, got -1"),
        ({"timeout": -1}, "timeout of seconds"),
        ({"prefetch_factor": 2}, "give num_workers too"),
        ({"persistent_workers": True}, "give num_workers too"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor to be at least 1, got 0"),
        ({"num_workers": 1, "multiprocessing_context": "threads"}, "among .*got 'threads'"),
        ({"sampler": [0], "shuffle": True}, "sampler and shuffle exclude each other"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler excludes batch_size"),
        ({"batch_size": None, "drop_last": True}, "drop_last has no meaning"),
        ({"batch_size": 0}, "batch_size to be a whole number above 0, got 0"),
        ({"batch_size": 2.0}, "batch_size to be a whole number above 0, got 2.0"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(Numbers(3), **options)


def test_streams_have_no_other_order() -> None:
    for options in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": BatchSampler([0], 1, False)}):
        with pytest.raises(ValueError, match="a stream has an order of its own"):
            DataLoader(Stream(), **options)  # type: ignore[arg-type]


def test_lengths_of_loaders() -> None:
    assert len(DataLoader(Stream(), batch_size=4)) == 3
    assert len(DataLoader(Stream(), batch_size=4, drop_last=True)) == 2
    assert len(DataLoader(Stream(), batch_size=None)) == 10
    assert len(DataLoader(Numbers(10), batch_size=4)) == 3
    assert len(DataLoader(Numbers(10), batch_size=None)) == 10
    with pytest.raises(TypeError):
        len(DataLoader(IterableDataset()))


def test_the_order_is_fixed_once_made() -> None:
    loader = DataLoader(Numbers(3))
    with pytest.raises(ValueError, match="batch_size cannot be set any more"):
        loader.batch_size = 2


def test_what_cannot_be_collated_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"one length, got the lengths \[1, 2\]"):
        default_collate([[1], [1, 2]])
    with pytest.raises(RuntimeError, match="shape"):
        default_collate([ad.ones(2), ad.ones(3)])
    with pytest.raises(TypeError, match="got object; give the DataLoader a collate_fn"):
        default_collate([object()])
    with pytest.raises(TypeError, match="arrays of numbers"):
        default_collate([np.array("a")])
