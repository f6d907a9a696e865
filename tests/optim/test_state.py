"""Training in two parts, what does not matter to it, and states of optimizers that know names."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import optim
from autodiff.tensor import Tensor
from optim.hooks import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from tests.optim.cases import ELEMENTWISE, OPTIMIZERS

WITH_MUON = {**OPTIMIZERS, "Muon": lambda p: optim.Muon(p, lr=0.05)}


def matrices(seed: int, count: int = 3) -> list[Tensor]:
    rng = np.random.default_rng(seed)
    return [ad.tensor(rng.standard_normal((2, 3)), dtype=ad.float64, requires_grad=True) for _ in range(count)]


def train(optimizer: optim.Optimizer, params: list[Tensor], steps: int, scale: float = 1.0) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        (scale * sum((p.sin().sum() + (p * p).sum() for p in params), ad.zeros(()))).backward()
        optimizer.step()


@pytest.mark.parametrize("name", WITH_MUON)
@settings(max_examples=5)
@given(first=st.integers(1, 6), more=st.integers(1, 6), seed=st.integers(0, 99))
def test_two_parts_are_the_whole_bit_for_bit(name: str, first: int, more: int, seed: int) -> None:
    straight, parts = matrices(seed), matrices(seed)
    train(WITH_MUON[name](straight), straight, first + more)
    before = WITH_MUON[name](parts)
    train(before, parts, first)
    after = WITH_MUON[name](parts)
    after.load_state_dict(before.state_dict())
    train(after, parts, more)
    assert [p.array.tobytes() for p in parts] == [p.array.tobytes() for p in straight]


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
def test_two_parts_of_lbfgs_are_the_whole(line_search_fn: str | None) -> None:
    results = []
    for stops in ([5], [2, 3]):
        params = matrices(1)
        state: dict[str, Any] | None = None
        for steps in stops:
            optimizer = optim.LBFGS(params, lr=0.1, max_iter=3, line_search_fn=line_search_fn)
            if state is not None:
                optimizer.load_state_dict(state)

            def closure(optimizer: optim.Optimizer = optimizer, params: list[Tensor] = params) -> Tensor:
                optimizer.zero_grad()
                loss = (params[0] @ params[1].T @ params[2]).cos().sum() + sum((p**4).sum() for p in params)
                loss.backward()
                return loss

            for _ in range(steps):
                optimizer.step(closure)
            state = optimizer.state_dict()
        results.append([p.array.tobytes() for p in params])
    assert results[0] == results[1]


@pytest.mark.parametrize("name", WITH_MUON)
@settings(max_examples=5)
@given(order=st.permutations(range(3)), cut=st.integers(1, 2))
def test_order_and_groups_do_not_matter(name: str, order: list[int], cut: int) -> None:
    plain, other = matrices(0), matrices(0)
    train(WITH_MUON[name](plain), plain, 4)
    shuffled = [other[i] for i in order]
    train(WITH_MUON[name]([{"params": shuffled[:cut]}, {"params": shuffled[cut:]}]), other, 4)
    for p, q in zip(plain, other, strict=True):
        assert np.array_equal(p.array, q.array)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.Adam(p, lr=0.1, eps=0.0),
        lambda p: optim.RMSprop(p, lr=0.1, eps=0.0),
        lambda p: optim.Adagrad(p, lr=0.1, eps=0.0),
        lambda p: optim.Adamax(p, lr=0.1, eps=0.0),
        lambda p: optim.NAdam(p, lr=0.1, eps=0.0),
        lambda p: optim.Rprop(p, lr=0.1),
        lambda p: optim.Lion(p, lr=0.1),
        lambda p: optim.Muon(p, lr=0.1),
    ],
)
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_the_loss_does_not_matter(make: Any, scale: float) -> None:
    plain, scaled = matrices(0), matrices(0)
    train(make(plain), plain, 5)
    train(make(scaled), scaled, 5, scale)
    for p, q in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(p.array, q.array, rtol=1e-9)


def test_names_map_a_changed_order() -> None:
    a, b, c = params = matrices(0)
    first = optim.Adam(zip("abc", params, strict=True))
    train(first, params, 3)
    second = optim.Adam([("c", c), ("a", a), ("b", b)])
    second.load_state_dict(first.state_dict())
    for p in params:
        assert np.array_equal(first.state[p]["exp_avg"].array, second.state[p]["exp_avg"].array)
    assert second.param_groups[0]["param_names"] == ["c", "a", "b"]


def test_a_state_without_an_entry_is_refused() -> None:
    params = matrices(0)
    optimizer = optim.Adam(params)
    train(optimizer, params, 1)
    saved = optimizer.state_dict()
    saved["state"][1] = {"step": saved["state"][1]["step"]}
    with pytest.raises(ValueError, match="of parameter 1 of group 0 lacks 'exp_avg'"):
        optim.Adam(matrices(0)).load_state_dict(saved)


def test_hooks_see_and_replace_states() -> None:
    params = matrices(0)
    optimizer = optim.SGD(params, lr=0.1)
    seen: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda own: seen.append("before"))
    optimizer.register_state_dict_post_hook(lambda own, state: {**state, "note": 1})
    optimizer.register_load_state_dict_post_hook(lambda own: seen.append("loaded"))
    optimizer.register_load_state_dict_pre_hook(lambda own, state: seen.append("second"))
    with optimizer.register_load_state_dict_pre_hook(
        lambda own, state: {**state, "param_groups": [{**state["param_groups"][0], "lr": 0.7}]}, prepend=True
    ):
        assert optimizer.state_dict()["note"] == 1
        optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["before", "before", "second", "loaded"]
    assert optimizer.param_groups[0]["lr"] == 0.7


def test_hooks_of_all_optimizers() -> None:
    params = matrices(0)
    first, second = optim.SGD(params, lr=0.1), optim.Adam(params)
    calls: list[Any] = []
    first.register_step_pre_hook(lambda *_: calls.append("own"))
    before = register_optimizer_step_pre_hook(lambda optimizer, *_: calls.append(optimizer))
    after = register_optimizer_step_post_hook(lambda *_: calls.append("after"))
    try:
        first.step()
        second.step()
    finally:
        before.remove()
        after.remove()
    first.step()
    assert calls == [first, "own", "after", second, "after", "own"]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_gradient_that_is_not_finite_is_named_and_changes_nothing(name: str) -> None:
    params = matrices(0)
    optimizer = ELEMENTWISE[name](zip("abc", params, strict=True))
    before = [p.array.copy() for p in params]
    for p in params:
        p.grad = ad.ones_like(p)
    assert params[1].grad is not None
    params[1].grad.array[0, 1] = np.inf
    with pytest.raises(ValueError, match=r"infinite or nan ones of parameter b \(1 of 6 numbers\)"):
        optimizer.step()
    assert all(np.array_equal(p.array, old) for p, old in zip(params, before, strict=True))
    # A large one whose square overflows is no such gradient.
    params[1].grad = ad.full_like(params[1], 1e200)
    with np.errstate(over="ignore", invalid="ignore"):
        optimizer.step()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: optim.LBFGS(p).step(), TypeError, "expected step\\(closure\\)"),
        (lambda p: optim.LBFGS([{"params": p[:1]}, {"params": p[1:]}]), ValueError, "expected one parameter group"),
        (lambda p: optim.LBFGS(p, line_search_fn="armijo"), ValueError, "'strong_wolfe', got 'armijo'"),
        (lambda p: optim.Muon([ad.ones(3, requires_grad=True)]), ValueError, r"2D parameters, got one of shape \(3,\)"),
        (lambda p: optim.Muon(p, adjust_lr_fn="none"), ValueError, "adjust_lr_fn .* got 'none'"),
        (lambda p: optim.Muon(p, ns_steps=100), ValueError, "fewer than 100"),
        (lambda p: optim.Rprop(p, etas=(1.5, 1.2)), ValueError, "invalid etas"),
        (lambda p: optim.Adafactor(p, d=0.5), ValueError, "invalid d "),
        (lambda p: optim.Adafactor(p, beta2_decay=0.5), ValueError, "invalid beta2_decay"),
        (lambda p: optim.Adadelta(p, rho=1.1), ValueError, "invalid rho"),
        (lambda p: optim.SGD([("a", p[0]), ("a", p[1])]), ValueError, "'a' twice"),
        (lambda p: optim.SGD([("a", p[0])]).add_param_group({"params": p[1]}), ValueError, "with or without names"),
    ],
)
def test_what_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(matrices(0))
