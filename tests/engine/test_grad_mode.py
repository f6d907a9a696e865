"""Switching recording off and on: nesting, decorators, exceptions, threads."""

import threading
from collections.abc import Callable

import pytest

import autodiff as ad
from autodiff import grad_mode
from autodiff.tensor import Tensor


@pytest.fixture
def w() -> Tensor:
    return ad.ones(2, requires_grad=True)


@pytest.fixture(autouse=True)
def _mode_is_restored() -> object:
    yield
    left, count = ad.is_grad_enabled(), grad_mode.disabled
    ad.set_grad_enabled(True)  # so that one failing test does not spoil the others
    assert left
    assert count == grad_mode.inferring


def test_no_grad_records_nothing(w: Tensor) -> None:
    with ad.no_grad():
        assert not ad.is_grad_enabled()
        for y in (w * 2, w + w, w.exp(), ad.cat([w, w]), w[0], w.sum(), w @ w, ad.where(w > 0, w, 0.0)):
            assert not y.requires_grad
            assert y.is_leaf
    assert (w * 2).requires_grad


def test_leaves_made_inside_may_require_grad() -> None:
    with ad.no_grad():
        x = ad.ones(2, requires_grad=True)
    assert (x * 2).requires_grad


def test_enable_grad_inside_no_grad_records(w: Tensor) -> None:
    with ad.no_grad():
        with ad.enable_grad():
            y = (w * 2).sum()
            with ad.no_grad():
                assert not (w * 2).requires_grad
        assert not ad.is_grad_enabled()
    y.backward()
    assert w.grad is not None


def test_what_was_recorded_can_be_differentiated_inside_no_grad(w: Tensor) -> None:
    y = (w * w).sum()
    with ad.no_grad():
        y.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 2.0]
    assert not w.grad.requires_grad


@pytest.mark.parametrize("scope", [ad.no_grad, ad.inference_mode, lambda: ad.set_grad_enabled(False)])
def test_an_exception_restores_the_mode(scope: Callable[[], object]) -> None:
    with pytest.raises(KeyError), scope():
        raise KeyError("inside")
    assert ad.is_grad_enabled()


def test_decorators(w: Tensor) -> None:
    @ad.no_grad()
    def plain(depth: int) -> Tensor:
        """Recursion enters the same scope again."""
        return plain(depth - 1) if depth else w * 2

    @ad.no_grad()
    @ad.enable_grad()
    def recorded() -> Tensor:
        return w * 2

    assert not plain(3).requires_grad
    assert recorded().requires_grad
    assert plain.__name__ == "plain"


def test_a_decorator_without_parentheses_works_as_in_pytorch(w: Tensor) -> None:
    @ad.no_grad
    def plain() -> Tensor:
        return w * 2

    assert not plain().requires_grad


def test_a_decorated_generator_is_switched_only_while_it_runs(w: Tensor) -> None:
    @ad.no_grad()
    def batches() -> object:
        for _ in range(2):
            yield w * 2

    for batch in batches():
        assert not batch.requires_grad
        assert ad.is_grad_enabled()


def test_a_scope_may_be_reused_and_nested_in_itself(w: Tensor) -> None:
    scope = ad.no_grad()
    for _ in range(2):
        with scope, scope:
            assert not (w * 2).requires_grad
        assert ad.is_grad_enabled()


def test_set_grad_enabled_acts_at_once_and_is_undone_by_with(w: Tensor) -> None:
    ad.set_grad_enabled(False)
    assert not (w * 2).requires_grad
    ad.set_grad_enabled(True)
    with ad.set_grad_enabled(False):
        assert not ad.is_grad_enabled()
        with ad.set_grad_enabled(True):
            assert (w * 2).requires_grad
    assert ad.is_grad_enabled()


def test_set_grad_enabled_as_a_decorator(w: Tensor) -> None:
    @ad.set_grad_enabled(False)
    def plain() -> Tensor:
        return w * 2

    assert ad.is_grad_enabled()
    assert not plain().requires_grad
    assert not plain().requires_grad
    assert ad.is_grad_enabled()


def test_inference_mode(w: Tensor) -> None:
    with ad.inference_mode():
        assert ad.is_inference_mode_enabled()
        assert not (w * 2).requires_grad
        with ad.inference_mode(False):
            assert (w * 2).requires_grad
            assert not ad.is_inference_mode_enabled()
    assert not ad.is_inference_mode_enabled()


def test_each_thread_has_its_own_mode(w: Tensor) -> None:
    """One thread holds recording off while another records, and a thread begins with recording on."""
    inside, done = threading.Event(), threading.Event()
    seen: dict[str, bool] = {}

    def without() -> None:
        with ad.no_grad():
            inside.set()
            done.wait(5)
            seen["without"] = (w * 2).requires_grad
        seen["after"] = (w * 2).requires_grad

    thread = threading.Thread(target=without)
    thread.start()
    assert inside.wait(5)
    seen["with"] = (w * 2).requires_grad and (w + w).requires_grad and ad.cat([w]).requires_grad
    with ad.no_grad():
        started_inside = threading.Thread(target=lambda: seen.update(fresh=(w * 2).requires_grad))
        started_inside.start()
        started_inside.join()
    done.set()
    thread.join()
    assert seen == {"without": False, "with": True, "after": True, "fresh": True}


def test_many_threads_switching_leave_the_count_at_zero() -> None:
    def switch() -> None:
        for _ in range(200):
            with ad.no_grad(), ad.enable_grad(), ad.no_grad():
                pass

    threads = [threading.Thread(target=switch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert grad_mode.disabled == grad_mode.inferring


def test_threads_may_differentiate_at_the_same_time() -> None:
    """Separate graphs over one shared parameter, with `grad`, which accumulates nowhere."""
    w = ad.full((50,), 2.0, requires_grad=True)
    found: list[float] = []

    def work() -> None:
        for k in range(1, 50):
            (g,) = ad.grad((w * w * k).sum(), w)
            found.append(g.array[0] / k)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4.0] * (4 * 49)
