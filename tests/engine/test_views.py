"""Views: shared memory, shared history, and nothing that stays behind."""

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.tensor import Tensor

VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "index": lambda x: x[1],
    "slice": lambda x: x[:, 1:],
    "transpose": lambda x: x.T,
    "view": lambda x: x.view(3, 2),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x[None].squeeze(0),
    "diagonal": lambda x: x.diagonal(),
    "unfold": lambda x: x.unfold(1, 1, 2),
    "as_strided": lambda x: x.as_strided((2, 2), (3, 1), 1),
    "flatten": lambda x: x.flatten(),
    "narrow": lambda x: x.narrow(0, 1, 1),
    "expand to the same shape": lambda x: x.expand(1, 2, 3),
    "view of a view of a view": lambda x: x.T[1:].unsqueeze(0)[0, :, 1],
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Without the collector only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leaf() -> Tensor:
    return ad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=ad.float64, requires_grad=True)


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_through_a_view_changes_its_base_and_its_gradient(name: str) -> None:
    places = VIEWS[name](ad.arange(6).view(2, 3)).flatten().numpy()
    factors = np.ones(6)
    factors[places] = 3.0
    w = leaf()
    base = w * 1
    view = VIEWS[name](base)
    view.mul_(3)
    assert view._is_view()
    assert view._base is base
    np.testing.assert_array_equal(base.detach().numpy().ravel(), w.detach().numpy().ravel() * factors)
    (first,) = ad.grad((base**2).sum(), w, create_graph=True)
    np.testing.assert_allclose(first.detach().numpy().ravel(), 2 * w.detach().numpy().ravel() * factors**2)
    (second,) = ad.grad(first.sum(), w)
    np.testing.assert_allclose(second.numpy().ravel(), 2 * factors**2)


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_to_the_base_changes_the_gradient_of_its_views(name: str) -> None:
    w = leaf()
    base = w * 1
    view = VIEWS[name](base)
    base.mul_(w)
    (expected,) = ad.grad(VIEWS[name](w * w).exp().sum(), w)
    (found,) = ad.grad(view.exp().sum(), w)
    np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_what_is_no_view_says_so() -> None:
    x = leaf()
    for other in (x, x * 1, x.detach(), x[[0]], x.clone(), x.flip(0)):
        assert not other._is_view()
        assert other._base is None


def test_views_that_may_not_be_written_to_say_why_and_what_to_do() -> None:
    result = leaf() * 1
    with ad.no_grad():
        unrecorded = result[0]
    for view, why in (
        (result.unbind()[0], "made by unbind, together with others"),
        (result.split(1)[0], "made by split, together with others"),
        (next(iter(result)), "made by unbind"),
        (unrecorded, "made inside no_grad"),
    ):
        with pytest.raises(RuntimeError, match=rf"add_: a view {why}.*must not be written to.*(clone|same mode)"):
            view.add_(1)
    piece = result.unbind()[0]
    result.add_(1)
    with pytest.raises(RuntimeError, match="see its base written to"):
        piece.sum().backward()


def test_an_expanded_tensor_may_be_written_to_only_where_nothing_repeats() -> None:
    x = ad.zeros(2, 1)
    assert x.expand(2, 1).add_(1).tolist() == [[1.0], [1.0]]
    assert x.expand(1, 2, 1).add_(1).tolist() == [[[2.0], [2.0]]]
    for overlapping in (x.expand(2, 3), ad.zeros(4).unfold(0, 2, 1), ad.zeros(4).as_strided((2, 2), (1, 1))):
        with pytest.raises(RuntimeError, match=r"add_: elements of this tensor of shape .* share places.*clone\(\)"):
            overlapping.add_(1)
    assert ad.zeros(4).unfold(0, 2, 2).add_(1).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_nothing_is_left_for_the_collector(no_collector: None) -> None:
    def work() -> list[weakref.ref[Any]]:
        w = leaf()
        base = w * 1
        views = [view(base) for view in VIEWS.values()]
        views[0].mul_(2)
        views[2].add_(1)
        base.mul_(w)
        base.t_()
        moved = w.detach().clone()
        part = moved[0]
        moved.unsqueeze_(0)
        part.requires_grad_()
        sum(view.sum() for view in views).backward()  # type: ignore[union-attr]
        with ad.inference_mode():
            base.detach()[0].add_(1)
        return [weakref.ref(x) for x in (w, base, *views, moved, part, base.array)]

    assert all(reference() is None for reference in work())
    assert gc.collect() == 0


def test_a_view_keeps_its_base_but_a_base_not_its_views(no_collector: None) -> None:
    base = leaf() * 1
    watch, kept = weakref.ref(base), base[0]
    gone = weakref.ref(base[1])
    del base
    assert watch() is kept._base
    assert gone() is None
    kept.sum().backward()
    del kept
    assert watch() is None


def test_the_list_of_views_does_not_grow() -> None:
    base = leaf() * 1
    for _ in range(1000):
        base[0].add_(1)
    assert len(base.alias) < 40
    live = [base[0] for _ in range(100)]
    assert len(base.alias) < 300
    base.mul_(2)
    assert all(view.node is not None for view in live)
    del live
    for _ in range(300):
        base[1]
    assert len(base.alias) < 300


def test_a_buffer_without_gradients_takes_no_memory_in_a_long_loop(no_collector: None) -> None:
    buffer, x = ad.zeros(4, 3), ad.ones(3)

    def fill(steps: int) -> None:
        for i in range(steps):
            buffer[i % 4] = x
            buffer[i % 4].add_(1)
            buffer.add_(1)

    fill(100)
    before = len(gc.get_objects())
    fill(20_000)
    assert len(gc.get_objects()) < before + 50
    assert len(buffer.alias or ()) < 40
    assert buffer.node is None


def test_a_chain_of_views_and_writes_needs_no_recursion() -> None:
    w = ad.ones(2, dtype=ad.float64, requires_grad=True)
    x = w * 1
    view = x
    for i in range(3000):
        view = view.view(2, 1) if i % 2 == 0 else view.view(2)
    view.mul_(3)
    del view
    for _ in range(3000):
        x[0].mul_(1.0)
    x.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [3.0, 3.0]
