"""Threads: what each has for itself, and what they share without losing anything."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff import grad_mode, views, writes
from autodiff.tensor import Tensor

THREADS = 4


@pytest.fixture(autouse=True)
def hasty_switching() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*functions: Callable[[], Any]) -> list[Any]:
    """What the functions return, each run in a thread, all started at one moment."""
    start = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        start.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def train(seed: int) -> list[bytes]:
    """The parameters after some steps, all numbers being drawn from a generator of its own."""
    generator = ad.Generator().manual_seed(seed)
    w = ad.randn(5, 7, generator=generator, dtype=ad.float64, requires_grad=True)
    v = ad.randn(7, 2, generator=generator, dtype=ad.float64, requires_grad=True)
    for _ in range(40):
        x = ad.randn(16, 5, generator=generator, dtype=ad.float64)
        hidden = (x @ w).tanh() * 1.0
        hidden[:, 1:3].mul_(ad.rand(2, generator=generator, dtype=ad.float64))
        loss = ((hidden @ v - x[:, :2]) ** 2).mean()
        for p, g in zip((w, v), ad.grad(loss, [w, v]), strict=True):
            with ad.no_grad():
                p -= 0.1 * g
    return [w.detach().numpy().tobytes(), v.detach().numpy().tobytes()]


def test_models_trained_in_threads_have_the_bits_of_models_trained_one_after_the_other() -> None:
    alone = [train(seed) for seed in range(THREADS)]
    assert alone[0] != alone[1]
    assert together(*(lambda seed=seed: train(seed) for seed in range(THREADS))) == alone


def test_the_grad_mode_is_each_threads_own() -> None:
    w = ad.ones(2, requires_grad=True)

    def recording() -> list[bool]:
        return [(w * 2).requires_grad for _ in range(500)]

    def silent() -> list[bool]:
        with ad.no_grad():
            return recording()

    results = together(recording, silent, recording, silent)
    assert [set(result) for result in results] == [{True}, {False}, {True}, {False}]


def test_a_decorated_function_gives_every_thread_its_own_mode_back() -> None:
    @ad.no_grad()
    def quiet() -> bool:
        time.sleep(0)
        return ad.is_grad_enabled()

    @ad.no_grad()
    def numbers() -> Iterator[bool]:
        yield ad.is_grad_enabled()
        yield ad.is_grad_enabled()

    def modes() -> set[tuple[bool, ...]]:
        return {(quiet(), *numbers(), ad.is_grad_enabled()) for _ in range(1000)}

    def modes_inside() -> set[tuple[bool, ...]]:
        with ad.no_grad():
            return modes()

    before = grad_mode.disabled
    assert together(modes, modes_inside, modes, modes_inside) == [{(False,) * 3 + (True,)}, {(False,) * 4}] * 2
    assert grad_mode.disabled == before


def test_tensors_may_be_read_and_viewed_by_all_threads() -> None:
    rng = np.random.default_rng(0)
    shared, w = ad.tensor(rng.standard_normal((6, 5))), ad.tensor(rng.standard_normal(5), requires_grad=True)

    def work(k: int) -> list[Any]:
        results = []
        for i in range(60):
            part = shared[i % 3 :].T.reshape(-1, 5)
            own = (part * w).clone()
            own[0].add_(shared[k] * w)
            own.view(-1)[1:3].mul_(k + 2.0)
            results.append(ad.grad(own.sum(), w)[0].tolist())
        return results

    alone = [work(k) for k in range(THREADS)]
    assert together(*(lambda k=k: work(k) for k in range(THREADS))) == alone


def test_views_made_by_several_threads_all_get_the_history_of_a_later_write() -> None:
    for _ in range(30):
        x, w = ad.zeros(4), ad.ones(3, requires_grad=True)
        pieces = [piece for made in together(*[lambda x=x: [x[1:] for _ in range(25)]] * THREADS) for piece in made]
        assert len(list(views.views_of(x))) == 25 * THREADS
        x[1:].mul_(0.0).add_(w)
        assert all(piece.requires_grad for piece in pieces)


def test_threads_that_share_parameters_lose_no_gradient() -> None:
    small, large = ad.zeros(3, requires_grad=True), ad.zeros(200_000, requires_grad=True)

    def accumulate() -> None:
        for _ in range(100):
            (small * 1.0).sum().backward()
        for _ in range(5):
            (large * 1.0).sum().backward()

    together(*[accumulate] * THREADS)
    assert isinstance(small.grad, Tensor)
    assert isinstance(large.grad, Tensor)
    assert small.grad.tolist() == [100.0 * THREADS] * 3
    assert set(large.grad.tolist()) == {5.0 * THREADS}


def test_a_hook_may_wait_for_another_threads_backward() -> None:
    meeting = threading.Barrier(2)

    def step() -> list[float]:
        w = ad.ones(2, requires_grad=True)
        w.register_post_accumulate_grad_hook(lambda _: meeting.wait(timeout=10))
        (w * 3).sum().backward()
        assert w.grad is not None
        return w.grad.tolist()

    assert together(step, step) == [[3.0, 3.0]] * 2


def test_the_write_log_never_goes_back() -> None:
    def write() -> None:
        x = ad.zeros(3)
        for _ in range(1000):
            x.add_(1.0)

    stamps: list[int] = []

    together(write, write, write, lambda: stamps.extend(writes.last for _ in range(20_000)))
    assert stamps == sorted(stamps)


def test_the_default_generator_gives_every_number_once() -> None:
    ad.manual_seed(0)
    alone = sorted(ad.rand(20).tolist() for _ in range(THREADS * 50))
    ad.manual_seed(0)
    drawn = together(*[lambda: [ad.rand(20).tolist() for _ in range(50)]] * THREADS)
    assert sorted(draw for draws in drawn for draw in draws) == alone
