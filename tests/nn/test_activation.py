"""Activations: their shapes, corners and tails, and what they refuse."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.op import OpError
from nn import functional as F

Function = Callable[[Any], Any]
sigmoid: Function = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731


@pytest.mark.parametrize(
    ("module", "function", "formula"),
    [
        (nn.ReLU6(), F.relu6, lambda x: np.clip(x, 0, 6)),
        (nn.Hardtanh(), F.hardtanh, lambda x: np.clip(x, -1, 1)),
        (nn.Hardsigmoid(), F.hardsigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
        (nn.Hardswish(), F.hardswish, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
        (nn.Hardshrink(), F.hardshrink, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
        (nn.Softshrink(), F.softshrink, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
        (nn.Threshold(0.3, -1.0), lambda x: F.threshold(x, 0.3, -1.0), lambda x: np.where(x > 0.3, x, -1)),
        (nn.RReLU().eval(), F.rrelu, lambda x: np.where(x > 0, x, x * 11 / 48)),
        (nn.ELU(2.0), lambda x: F.elu(x, 2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x) - 1))),
        (nn.SELU(), F.selu, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
        (nn.CELU(2.0), lambda x: F.celu(x, 2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x / 2) - 1))),
        (nn.GELU("tanh"), lambda x: F.gelu(x, "tanh"),
         lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
        (nn.GELU(), F.gelu, lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
        (nn.SiLU(), F.silu, lambda x: x * sigmoid(x)),
        (nn.Mish(), F.mish, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
        (nn.Softplus(2.0), lambda x: F.softplus(x, 2.0), lambda x: np.log1p(np.exp(2 * x)) / 2),
        (nn.LogSigmoid(), F.logsigmoid, lambda x: np.log(sigmoid(x))),
        (nn.Tanhshrink(), F.tanhshrink, lambda x: x - np.tanh(x)),
        (nn.Softsign(), F.softsign, lambda x: x / (1 + np.abs(x))),
        (nn.GLU(0), lambda x: F.glu(x, 0), lambda x: x[:2] * sigmoid(x[2:])),
        (nn.Softmin(1), lambda x: F.softmin(x, 1), lambda x: np.exp(-x) / np.exp(-x).sum(1, keepdims=True)),
        (nn.Softmax2d(), lambda x: F.softmax(x, 0), lambda x: np.exp(x) / np.exp(x).sum(0, keepdims=True)),
    ],
)  # fmt: skip
def test_formulas(module: nn.Module, function: Function, formula: Function) -> None:
    x = ad.randn(4, 3, 2, dtype=ad.float64) * 3
    np.testing.assert_allclose(module(x).numpy(), formula(x.numpy()), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(function(x).numpy(), module(x).numpy())


def test_tails() -> None:
    """Where 1 + erf, 1 + tanh and log of a sigmoid would have no digits left, or an exponential would overflow."""
    x = ad.tensor([-10.0, -30.0, -1000.0, 1000.0], dtype=ad.float64)
    np.testing.assert_allclose(F.gelu(x[:2]).numpy(), [-10 * 7.619853024160526e-24, -30 * 4.906713927148187e-198])
    np.testing.assert_allclose(F.gelu(x[2:]).numpy(), [0, 1000])
    np.testing.assert_allclose(F.gelu(x[:1], "tanh").numpy(), [-10 / (1 + math.exp(math.sqrt(8 / math.pi) * 54.715))])
    np.testing.assert_allclose(F.mish(x).numpy(), [-10 * math.exp(-10), -30 * math.exp(-30), 0, 1000], rtol=1e-4)
    np.testing.assert_allclose(F.softplus(x).numpy(), [math.log1p(math.exp(-10)), math.exp(-30), 0, 1000], rtol=1e-12)
    np.testing.assert_allclose(F.softplus(x, threshold=1e9).numpy(), F.softplus(x).numpy(), rtol=1e-8)
    expected = [-10 - math.log1p(math.exp(-10)), -30, -1000, 0]
    np.testing.assert_allclose(F.logsigmoid(x).numpy(), expected, rtol=1e-12)
    for function in (F.gelu, F.silu, F.mish, F.softplus, F.logsigmoid, F.elu):
        single = function(x.float()).numpy()
        np.testing.assert_allclose(single, function(x).numpy(), rtol=2e-5, atol=1e-37)


def test_prelu_of_channels() -> None:
    module = nn.PReLU(3, init=0.5)
    assert module.weight.tolist() == [0.5] * 3
    assert list(module.state_dict()) == ["weight"]
    y = module(-ad.ones(2, 3, 4))
    assert y.shape == (2, 3, 4)
    y.sum().backward()
    assert module.weight.grad is not None
    assert module.weight.grad.tolist() == [-8.0] * 3
    with ad.no_grad():
        module.weight.fill_(9)
    module.reset_parameters()
    assert module.weight.tolist() == [0.5] * 3
    assert nn.PReLU(dtype=ad.float64).weight.dtype == ad.float64


def test_random_slopes() -> None:
    ad.manual_seed(0)
    x = ad.full((4000,), -1.0, requires_grad=True)
    y = nn.RReLU(0.2, 0.4)(x)
    assert -0.4 <= y.min().item() < y.max().item() <= -0.2
    # The standard deviation of the mean is 0.001.
    assert abs(y.mean().item() + 0.3) < 0.005
    (g,) = ad.grad(y.sum(), x)
    np.testing.assert_allclose(g.numpy(), -y.detach().numpy(), rtol=1e-6)
    positive = ad.ones(3)
    state = ad.get_rng_state()
    assert F.rrelu(positive, training=True).tolist() == [1, 1, 1]
    np.testing.assert_array_equal(ad.get_rng_state(), state)


def test_gumbel_softmax() -> None:
    ad.manual_seed(0)
    logits = ad.tensor([math.log(0.2), math.log(0.8)]).expand(20000, 2)
    hard = F.gumbel_softmax(logits, hard=True)
    # A share of 0.8 of 20,000 has a standard deviation of 0.003.
    assert abs(hard[:, 1].mean().item() - 0.8) < 0.01
    np.testing.assert_allclose(hard.sum(1).numpy(), np.ones(20000), rtol=1e-6)
    soft = F.gumbel_softmax(logits, tau=0.5)
    np.testing.assert_allclose(soft.sum(1).numpy(), np.ones(20000), rtol=1e-6)


def test_inplace() -> None:
    modules = [
        *(kind(inplace=True) for kind in (nn.ReLU6, nn.Hardtanh, nn.ELU, nn.SiLU, nn.RReLU, nn.SELU, nn.CELU, nn.Mish)),
        *(nn.Hardswish(True), nn.Hardsigmoid(True), nn.Threshold(1.0, 0.0, True)),
    ]
    for module in modules:
        x = ad.tensor([-2.0, 4.0])
        assert module(x) is x
        assert x.tolist() != [-2.0, 4.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.glu(ad.ones(2, 3)), r"glu expected an even length along dim -1.*\(2, 3\)"),
        (lambda: F.glu(ad.tensor(1.0)), "glu expected an even length"),
        (lambda: F.prelu(ad.ones(2, 3), ad.ones(2)), r"one for each of the 3 channels .* got weights of shape \(2,\)"),
        (lambda: F.silu(ad.tensor([1])), "silu: expected a floating-point tensor, got int64"),
        (lambda: nn.Softmax2d()(ad.ones(2)), r"Softmax2d: expected input \(N, C, H, W\) or \(C, H, W\), got \(2,\)"),
    ],
)
def test_what_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.gelu(ad.ones(2), "erf"), 'expected approximate="none" or "tanh", got \'erf\''),
        (lambda: F.hardtanh(ad.ones(2), 2.0, 1.0), "expected min_val <= max_val, got 2.0 and 1.0"),
        (lambda: nn.Hardtanh(1.0, 1.0), "expected min_val < max_val, got 1.0 and 1.0"),
        (lambda: F.softshrink(ad.ones(2), -1.0), "lambd of at least 0, got -1.0"),
        (lambda: F.celu(ad.ones(2), 0.0), "alpha other than 0"),
        (lambda: F.rrelu(ad.ones(2), 1.0, 0.5), "lower <= upper, got 1.0 and 0.5"),
    ],
)
def test_arguments_that_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert not isinstance(caught.value, OpError)


@pytest.mark.parametrize(
    "function",
    [
        F.relu, F.relu6, F.leaky_relu, F.hardtanh, F.hardshrink, F.softshrink, F.rrelu,
        lambda x: F.threshold(x, 0.1, 2.0), lambda x: F.prelu(x, ad.tensor([0.3])),
    ],
)  # fmt: skip
def test_the_second_derivative_of_straight_pieces_is_zeros(function: Callable[[Any], Any]) -> None:
    x, bias = ad.tensor([-2.0, -0.3, 0.7, 9.0], requires_grad=True), ad.ones(4, requires_grad=True)
    (slope,) = ad.grad(function(2 * x + bias).sum(), x, create_graph=True)
    slope.sum().backward()
    assert x.grad is not None
    assert bias.grad is not None
    assert x.grad.tolist() == bias.grad.tolist() == [0.0] * 4
