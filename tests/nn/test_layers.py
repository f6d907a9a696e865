"""Linear layers, activations, dropout and the layers that change the shape."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.op import OpError
from nn import functional as F

Function = Callable[[Any], Any]


def test_linear() -> None:
    layer = nn.Linear(3, 2)
    x = ad.randn(4, 5, 3)
    expected = x.numpy() @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-5, atol=1e-6)  # float32
    assert layer(x[0, 0]).shape == (2,)
    assert layer(ad.zeros(0, 3)).shape == (0, 2)
    assert layer(ad.zeros(0, 4, 3)).shape == (0, 4, 2)
    without = nn.Linear(3, 2, bias=False)
    assert without.bias is None
    assert repr(without) == "Linear(in_features=3, out_features=2, bias=False)"
    assert list(without.state_dict()) == ["weight"]
    assert nn.Linear(3, 2, dtype=ad.float64).weight.dtype == ad.float64
    assert nn.Dense is nn.Linear
    assert nn.Linear(0, 2)(ad.zeros(4, 0)).shape == (4, 2)


def test_linear_of_other_dimensions_is_refused() -> None:
    for x, weight in ((ad.tensor(1.0), ad.zeros(2, 3)), (ad.zeros(2, 3), ad.zeros(3))):
        with pytest.raises(OpError, match=r"linear: expected an input \(\*, in\) and a weight \(out, in\), got"):
            F.linear(x, weight, None)


def test_linear_is_one_node() -> None:
    layer = nn.Linear(3, 2)
    node = layer(ad.zeros(4, 3)).grad_fn
    assert node is not None
    assert node.name == "linear"
    assert node.parents()[1:] == (layer.weight.node, layer.bias.node)


def test_identity_takes_anything() -> None:
    x = object()
    assert nn.Identity(3, name="anything")(x) is x


@pytest.mark.parametrize(
    ("module", "function", "formula"),
    [
        (nn.ReLU(), F.relu, lambda x: np.maximum(x, 0)),
        (nn.LeakyReLU(), F.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
        (nn.Sigmoid(), F.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
        (nn.Tanh(), F.tanh, np.tanh),
        (nn.Softmax(1), lambda x: F.softmax(x, 1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        (nn.LogSoftmax(-1), lambda x: F.log_softmax(x, -1), lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))),
    ],
)
def test_activations(module: nn.Module, function: Function, formula: Function) -> None:
    x = ad.randn(4, 3, dtype=ad.float64)
    np.testing.assert_allclose(module(x).numpy(), formula(x.numpy()), rtol=1e-12)
    np.testing.assert_array_equal(function(x).numpy(), module(x).numpy())


def test_inplace_writes_into_the_input_where_nothing_is_recorded() -> None:
    for module in (nn.ReLU(inplace=True), nn.LeakyReLU(0.5, inplace=True), nn.Dropout(0.5, inplace=True)):
        x = ad.tensor([-2.0, 4.0])
        y = module(x)
        assert y is x
        w = ad.tensor([-2.0, 4.0], requires_grad=True)
        y = module(w * 1)
        y.sum().backward()
        assert w.grad is not None
    assert repr(nn.ReLU(inplace=True)) == "ReLU(inplace=True)"
    assert repr(nn.LeakyReLU(0.5, inplace=True)) == "LeakyReLU(negative_slope=0.5, inplace=True)"


def test_softmax_needs_to_know_the_dimension() -> None:
    with pytest.raises(TypeError, match="dim"):
        nn.Softmax()
    with pytest.raises(TypeError, match="dim"):
        F.softmax(ad.zeros(2))


def test_dropout() -> None:
    module = nn.Dropout(0.25)
    x = ad.ones(200, 100)
    ad.manual_seed(0)
    y = module(x)
    assert set(np.unique(y.numpy())) == {np.float32(0), np.float32(1 / 0.75)}
    # The share of zeros among 20,000 has a standard deviation of 0.003.
    assert abs((y == 0).float().mean().item() - 0.25) < 0.012
    ad.manual_seed(0)
    np.testing.assert_array_equal(module(x).numpy(), y.numpy())
    assert (module(x) != y).any()
    assert module.eval()(x) is x
    assert F.dropout(x, 0.5, training=False) is x
    assert repr(module) == "Dropout(p=0.25, inplace=False)"


def test_dropout_of_nothing_and_of_everything_draws_nothing() -> None:
    state = ad.get_rng_state()
    x = ad.ones(3, requires_grad=True)
    assert nn.Dropout(0.0)(x) is x
    y = nn.Dropout(1.0)(x)
    assert y.tolist() == [0, 0, 0]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(np.asarray(ad.get_rng_state()), np.asarray(state))


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_needs_a_probability(p: float) -> None:
    with pytest.raises(ValueError, match="dropout expected the probability of dropping an element, from 0 to 1"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match="from 0 to 1"):
        F.dropout(ad.zeros(1), p)


def test_flatten_and_unflatten() -> None:
    x = ad.arange(24).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, -1))(nn.Flatten()(x)).tolist() == x.tolist()
    assert repr(nn.Unflatten(1, [3, 4])) == "Unflatten(dim=1, unflattened_size=(3, 4))"
    with pytest.raises(OpError, match=r"^Unflatten: "):
        nn.Unflatten(1, (5, 2))(ad.zeros(2, 12))


def test_one_hot() -> None:
    assert F.one_hot(ad.tensor([[0], [2]])).tolist() == [[[1, 0, 0]], [[0, 0, 1]]]
    assert F.one_hot(ad.tensor([1]), 4).tolist() == [[0, 1, 0, 0]]
    assert F.one_hot(ad.tensor(1), 2).dtype == ad.int64
    assert F.one_hot(ad.zeros(0, dtype=ad.int64), 3).shape == (0, 3)
    with pytest.raises(OpError, match="expected integer class indices, got float32"):
        F.one_hot(ad.tensor([1.0]))
    with pytest.raises(OpError, match="expected indices from 0 to 2, got 0 to 3"):
        F.one_hot(ad.tensor([0, 3]), 3)
    with pytest.raises(OpError, match="expected indices from 0 to 2, got -1 to 2"):
        F.one_hot(ad.tensor([-1, 2]))
    with pytest.raises(OpError, match="pass num_classes"):
        F.one_hot(ad.zeros(0, dtype=ad.int64))
