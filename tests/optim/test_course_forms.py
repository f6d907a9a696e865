"""The rows of docs/course.md: what the notes write, computed by hand, beside the options that give it."""

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import nn
import optim
from autodiff.tensor import Tensor
from optim.lr_scheduler import ExponentialLR, LambdaLR, StepLR

rates, betas = st.floats(1e-3, 0.5), st.floats(0.0, 0.99)


def parameter() -> Tensor:
    return ad.tensor([1.3, -0.4, 0.2], dtype=ad.float64, requires_grad=True)


def gradient(w: np.ndarray) -> np.ndarray:
    """Of the cost below."""
    return 0.6 * w + 0.3 * np.cos(w)


def cost(w: Tensor) -> Tensor:
    return 0.3 * (w * w).sum() + 0.3 * w.sin().sum()


def trained(make: Callable[[list[Tensor]], optim.Optimizer], steps: int = 12, cost: Any = cost) -> np.ndarray:
    w = parameter()
    optimizer = make([w])
    for _ in range(steps):
        optimizer.zero_grad()
        cost(w).backward()
        optimizer.step()
    return w.detach().numpy()


def by_hand(step: Callable[..., Any], steps: int = 12) -> np.ndarray:
    """The weights after `step(w, g, v, t)` has given the weights and what it keeps, `steps` times."""
    w, kept = parameter().detach().numpy(), 0.0
    for t in range(1, steps + 1):
        w, kept = step(w, gradient(w), kept, t)
    return w


close = pytest.approx


@given(rates, betas)
def test_momentum_as_an_average(rate: float, beta: float) -> None:
    def step(w: Any, g: Any, v: Any, t: int) -> Any:
        v = beta * v + (1 - beta) * g
        return w - rate * v, v

    expected = close(by_hand(step), rel=1e-12, abs=1e-13)
    assert trained(lambda p: optim.Momentum(p, rate, beta)) == expected
    assert trained(lambda p: optim.SGD(p, rate * (1 - beta), beta)) == expected


@given(rates, betas)
def test_momentum_with_bias_correction(rate: float, beta: float) -> None:
    def step(w: Any, g: Any, v: Any, t: int) -> Any:
        v = beta * v + (1 - beta) * g
        return w - rate * v / (1 - beta**t), v

    expected = close(by_hand(step), rel=1e-12, abs=1e-13)
    assert trained(lambda p: optim.Momentum(p, rate, beta, bias_correction=True)) == expected


def test_the_bias_correction_is_a_function_of_the_step() -> None:
    w, schedules = parameter(), []
    optimizer = optim.SGD([w], lr=0.2 * (1 - 0.9), momentum=0.9)
    schedules.append(LambdaLR(optimizer, lambda step: 1 / (1 - 0.9 ** (step + 1))))
    for _ in range(12):
        optimizer.zero_grad()
        cost(w).backward()
        optimizer.step()
        schedules[0].step()
    assert w.tolist() == close(trained(lambda p: optim.Momentum(p, 0.2, 0.9, bias_correction=True)), rel=1e-12)


@given(rates, betas)
def test_momentum_as_a_velocity(rate: float, beta: float) -> None:
    def step(w: Any, g: Any, v: Any, t: int) -> Any:
        v = beta * v - rate * g
        return w + v, v

    assert trained(lambda p: optim.SGD(p, rate, beta)) == close(by_hand(step), rel=1e-12, abs=1e-13)


def test_dampening_leaves_the_first_gradient_as_it_is() -> None:
    one_step = trained(lambda p: optim.SGD(p, 0.2, momentum=0.9, dampening=0.9), steps=1)
    assert one_step == close(trained(lambda p: optim.SGD(p, 0.2), steps=1), rel=1e-15)
    assert one_step != close(trained(lambda p: optim.Momentum(p, 0.2, 0.9), steps=1), rel=1e-2)


@given(rates, st.floats(0.5, 0.99))
def test_rmsprop(rate: float, beta: float) -> None:
    def step(w: Any, g: Any, s: Any, t: int) -> Any:
        s = beta * s + (1 - beta) * g**2
        return w - rate * g / (np.sqrt(s) + 1e-8), s

    # Where a gradient comes close to 0, its sign makes a difference of two steps, and rounding decides about it.
    assert trained(lambda p: optim.RMSprop(p, rate, beta), 8) == close(by_hand(step, 8), rel=1e-6)


@given(rates, st.floats(0.5, 0.99), st.floats(0.5, 0.999))
def test_adam(rate: float, beta1: float, beta2: float) -> None:
    def step(w: Any, g: Any, kept: Any, t: int) -> Any:
        v, s = kept or (0.0, 0.0)
        v, s = beta1 * v + (1 - beta1) * g, beta2 * s + (1 - beta2) * g**2
        return w - rate * v / (1 - beta1**t) / (np.sqrt(s / (1 - beta2**t)) + 1e-8), (v, s)

    assert trained(lambda p: optim.Adam(p, rate, (beta1, beta2)), 8) == close(by_hand(step, 8), rel=1e-6)


@pytest.mark.parametrize("bias_correction", [False, True])
def test_momentum_goes_on_bit_for_bit(bias_correction: bool) -> None:
    def train(w: Tensor, optimizer: optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            cost(w).backward()
            optimizer.step()

    def make(w: Tensor) -> optim.Optimizer:
        return optim.Momentum([w], 0.1, 0.9, bias_correction, weight_decay=0.01)

    whole, first = parameter(), parameter()
    train(whole, make(whole), 12)
    optimizer = make(first)
    train(first, optimizer, 5)
    second, saved = pickle.loads(pickle.dumps((first, optimizer.state_dict())))
    assert saved["state"][0].keys() == {"step", "momentum_buffer"}
    again = make(second)
    again.load_state_dict(saved)
    train(second, again, 7)
    assert second.tolist() == whole.tolist()


@pytest.mark.parametrize("options", [{"momentum": 1.0}, {"momentum": -0.1}, {"lr": -1.0}, {"weight_decay": -1.0}])
def test_options_of_momentum_out_of_range(options: dict[str, float]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"invalid {name} in parameter group 0"):
        optim.Momentum([parameter()], **options)


# Penalties


def network() -> nn.Module:
    ad.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1)).double()


X = np.random.default_rng(0).standard_normal((10, 2))
LAMBDA, M = 0.7, len(X)


def loss(model: nn.Module) -> Tensor:
    return (model(ad.from_numpy(X)) - 1.0).square().mean()


def trained_network(model: nn.Module, optimizer: optim.Optimizer, penalty: Any = lambda: 0.0) -> list[Any]:
    for _ in range(20):
        optimizer.zero_grad()
        (loss(model) + penalty()).backward()
        optimizer.step()
    return [p.tolist() for p in model.parameters()]


def assert_close(values: list[Any], expected: list[Any]) -> None:
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], ids=str)
def test_the_square_penalty_is_a_weight_decay_of_lambda_over_m(options: dict[str, Any]) -> None:
    model, other = network(), network()
    decay = optim.SGD(optim.decay_groups(model.named_parameters(), LAMBDA / M), lr=0.1, **options)
    plain = optim.SGD(other.parameters(), lr=0.1, **options)
    weights = [other[0].weight, other[3].weight]
    expected = trained_network(other, plain, lambda: LAMBDA / (2 * M) * sum(w.square().sum() for w in weights))
    assert_close(trained_network(model, decay), expected)


def test_the_decay_factor() -> None:
    w = parameter()
    w.grad = ad.from_numpy(gradient(w.detach().numpy()))
    expected = (1 - 0.1 * LAMBDA / M) * w.detach().numpy() - 0.1 * w.grad.numpy()
    optim.SGD([w], lr=0.1, weight_decay=LAMBDA / M).step()
    assert w.tolist() == close(expected, rel=1e-15)
    # AdamW shrinks the weights by the same factor, whatever the gradient: here it is 0.
    w.grad = ad.zeros_like(w)
    expected = (1 - 0.1 * LAMBDA / M) * w.detach().numpy()
    optim.AdamW([w], lr=0.1, weight_decay=LAMBDA / M).step()
    assert w.tolist() == close(expected, rel=1e-15)


def test_the_penalty_of_absolute_values_adds_the_sign() -> None:
    model = network()
    weights = [p for _, p in optim.decay_groups(model.named_parameters(), 0.0)[0]["params"]]
    plain = ad.grad(loss(model), list(model.parameters()))
    (loss(model) + LAMBDA / M * sum(w.abs().sum() for w in weights)).backward()
    for p, g in zip(model.parameters(), plain, strict=True):
        added = LAMBDA / M * np.sign(p.detach().numpy()) if any(p is w for w in weights) else 0.0
        np.testing.assert_allclose(p.grad.numpy(), g.numpy() + added, rtol=1e-12, atol=1e-14)


def test_decay_groups_take_weights_and_leave_biases_and_scales() -> None:
    model = nn.ModuleDict(
        {
            "conv": nn.Conv2d(1, 2, 3),
            "norm": nn.LayerNorm(4),
            "batch": nn.BatchNorm2d(2),
            "lstm": nn.LSTM(2, 3),
            "embedding": nn.Embedding(5, 2),
            "attention": nn.MultiheadAttention(4, 2, add_bias_kv=True),
        }
    )
    weights, others = optim.SGD(optim.decay_groups(model.named_parameters(), 0.1), lr=0.1).param_groups
    assert (weights["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert set(weights["param_names"]) == {
        "conv.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0", "embedding.weight",
        "attention.in_proj_weight", "attention.out_proj.weight",
    }  # fmt: skip
    assert set(others["param_names"]) == {
        "conv.bias", "norm.weight", "norm.bias", "batch.weight", "batch.bias", "lstm.bias_ih_l0", "lstm.bias_hh_l0",
        "attention.in_proj_bias", "attention.out_proj.bias", "attention.bias_k", "attention.bias_v",
    }  # fmt: skip


def test_decay_groups_say_what_they_need() -> None:
    model = network()
    for wrong in (model, model.parameters(), [], {"weight": 1.0}):
        with pytest.raises(TypeError, match=r"pass model.named_parameters\(\)"):
            optim.decay_groups(wrong, 0.1)
    with pytest.raises(ValueError, match=r"got none in \[\('w', \(3,\)\)\]"):
        optim.decay_groups([("w", parameter())], 0.1)


# Learning rates


@pytest.mark.parametrize(
    ("make", "rate"),
    [
        (lambda o: LambdaLR(o, lambda epoch: 1 / (1 + 0.3 * epoch)), lambda epoch: 0.2 / (1 + 0.3 * epoch)),
        (lambda o: ExponentialLR(o, 0.95), lambda epoch: 0.95**epoch * 0.2),
        (
            lambda o: LambdaLR(o, lambda epoch: 0.7 / math.sqrt(epoch + 1)),
            lambda epoch: 0.14 / math.sqrt(epoch + 1),
        ),
        (lambda o: StepLR(o, 30, 0.5), lambda epoch: 0.2 * 0.5 ** (epoch // 30)),
    ],
    ids=["inverse time", "exponential", "inverse root", "staircase"],
)
def test_decays(make: Any, rate: Callable[[int], float]) -> None:
    optimizer = optim.SGD([parameter()], lr=0.2)
    scheduler = make(optimizer)
    for epoch in range(100):
        assert optimizer.param_groups[0]["lr"] == close(rate(epoch), rel=1e-14)
        optimizer.step()
        scheduler.step()


def test_a_rate_set_by_hand() -> None:
    w = parameter()
    optimizer = optim.SGD([w], lr=0.2)
    w.grad = ad.ones_like(w)
    for rate in (0.1, 0.003):
        optimizer.param_groups[0]["lr"] = rate
        expected = w.detach().numpy() - rate
        optimizer.step()
        assert w.tolist() == expected.tolist()
