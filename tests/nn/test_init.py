"""Initialisers: the moments and bounds that they promise, and their use in layers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.tensor import Tensor
from nn import init

# 24,000 values, whose standard deviation is known to about 0.5 %.
SHAPE, FAN_IN, FAN_OUT = (100, 30, 2, 4), 240, 800
STANDARD_DEVIATIONS: list[tuple[Callable[[Tensor], Tensor], float]] = [
    (init.xavier_uniform_, math.sqrt(2 / (FAN_IN + FAN_OUT))),
    (init.xavier_normal_, math.sqrt(2 / (FAN_IN + FAN_OUT))),
    (lambda x: init.xavier_normal_(x, gain=2.0), 2 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
    (lambda x: init.kaiming_uniform_(x, nonlinearity="relu"), math.sqrt(2 / FAN_IN)),
    (lambda x: init.kaiming_normal_(x, nonlinearity="relu"), math.sqrt(2 / FAN_IN)),
    (lambda x: init.kaiming_normal_(x, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / FAN_OUT)),
    (lambda x: init.kaiming_uniform_(x, a=1.0), math.sqrt(1 / FAN_IN)),
    (init.lecun_uniform_, math.sqrt(1 / FAN_IN)),
    (init.lecun_normal_, math.sqrt(1 / FAN_IN)),
    (lambda x: init.normal_(x, 0.0, 3.0), 3.0),
    (lambda x: init.uniform_(x, -3.0, 3.0), math.sqrt(3.0)),
]


@pytest.mark.parametrize(("initialise", "expected"), STANDARD_DEVIATIONS)
def test_moments(initialise: Callable[[Tensor], Tensor], expected: float) -> None:
    ad.manual_seed(1)
    x = ad.empty(SHAPE)
    assert initialise(x) is x
    values = x.numpy()
    # Four standard errors each: of the mean, and of the standard deviation.
    assert abs(values.mean()) < 4 * expected / math.sqrt(values.size)
    assert abs(values.std() / expected - 1) < 4 / math.sqrt(2 * values.size)


def test_uniform_values_stay_within_their_bound() -> None:
    ad.manual_seed(0)
    bound = math.sqrt(6 / (FAN_IN + FAN_OUT))
    values = init.xavier_uniform_(ad.empty(SHAPE)).numpy()
    assert 0.99 * bound < np.abs(values).max() <= bound


def test_constants() -> None:
    x = ad.empty(2, 3)
    assert init.zeros_(x).tolist() == [[0] * 3] * 2
    assert init.ones_(x).tolist() == [[1] * 3] * 2
    assert init.constant_(x, 2.5).tolist() == [[2.5] * 3] * 2
    assert init.eye_(x).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match=r"expected a matrix, of two dimensions; got shape \(3,\)"):
        init.eye_(ad.empty(3))


def test_parameters_are_filled_without_being_recorded() -> None:
    parameter = nn.Parameter(ad.empty(3, 2))
    init.kaiming_uniform_(parameter)
    assert parameter.is_leaf
    assert parameter.requires_grad


def test_a_generator_of_one_s_own() -> None:
    state = ad.get_rng_state()
    a, b = (init.kaiming_normal_(ad.empty(4, 4), generator=ad.Generator().manual_seed(3)) for _ in range(2))
    assert a.tolist() == b.tolist()
    np.testing.assert_array_equal(np.asarray(ad.get_rng_state()), np.asarray(state))


def test_linear_starts_within_one_over_the_root_of_its_inputs() -> None:
    ad.manual_seed(0)
    layer = nn.Linear(400, 300)
    for values in (layer.weight.detach().numpy(), layer.bias.detach().numpy()):
        assert 0.98 / 20 < np.abs(values).max() <= 1 / 20


def test_the_same_seed_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        ad.manual_seed(5)
        weights.append(nn.Linear(3, 2).weight.tolist())
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [
        ("linear", None, 1), ("conv2d", None, 1), ("sigmoid", None, 1), ("tanh", None, 5 / 3), ("selu", None, 0.75),
        ("relu", None, math.sqrt(2)), ("leaky_relu", None, math.sqrt(2 / (1 + 1e-4))), ("leaky_relu", 1, 1),
    ],
)  # fmt: skip
def test_gains(name: str, param: Any, gain: float) -> None:
    assert init.calculate_gain(name, param) == gain


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"calculate_gain expected one of linear, .*leaky_relu; got 'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="expected a number as the slope of leaky_relu, got 'a'"):
        init.calculate_gain("leaky_relu", "a")
    with pytest.raises(ValueError, match=r"a weight of shape \(out, in, ...\), got shape \(3,\)"):
        init.xavier_uniform_(ad.empty(3))
    with pytest.raises(ValueError, match='expected mode "fan_in" or "fan_out", got'):
        init.kaiming_normal_(ad.empty(2, 3), mode="fan_both")


@pytest.mark.parametrize(("low", "high"), [(-2.0, 2.0), (1.0, 3.0), (-0.1, 0.1), (-0.5, 3.0)])
def test_truncated_normal(low: float, high: float) -> None:
    ad.manual_seed(0)
    values = init.trunc_normal_(ad.empty(20_000, dtype=ad.float64), a=low, b=high).numpy()
    assert values.min() >= low
    assert values.max() <= high

    def density(x: float) -> float:
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    mean = (density(low) - density(high)) / mass
    assert abs(values.mean() - mean) < 4 * values.std() / math.sqrt(values.size)


def test_a_truncated_normal_far_from_its_mean_warns() -> None:
    with pytest.warns(UserWarning, match="more than 2 standard deviations"):
        init.trunc_normal_(ad.empty(3), 0.0, 1.0, 2.5, 3.0)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (8, 2), (4, 3, 2)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    q = init.orthogonal_(ad.empty(shape, dtype=ad.float64), 2.0).numpy().reshape(shape[0], -1)
    gram = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_dirac_passes_channels_on() -> None:
    weight = init.dirac_(ad.empty(3, 2, 3))
    x = ad.randn(1, 2, 6)
    y = nn.functional.conv1d(x, weight, padding=1)
    np.testing.assert_array_equal(y[:, :2].numpy(), x.numpy())
    assert not y[:, 2].numpy().any()
    for shape, groups, message in (
        ((3, 3), 1, "three, four or five dimensions"),
        ((3, 2, 3), 2, "divide the 3 outputs"),
    ):
        with pytest.raises(ValueError, match=message):
            init.dirac_(ad.empty(shape), groups)


def test_sparse_columns() -> None:
    values = init.sparse_(ad.empty(10, 4), 0.25).numpy()
    assert ((values == 0).sum(axis=0) == 3).all()
    for initialise in (init.orthogonal_, lambda x: init.sparse_(x, 0.1)):
        with pytest.raises(ValueError, match=r"got shape \(3,\)"):
            initialise(ad.empty(3))


def test_old_names_warn() -> None:
    with pytest.warns(FutureWarning, match="nn.init.uniform is deprecated; call nn.init.uniform_"):
        init.uniform(ad.empty(2))


def test_empty_weights_are_left_alone() -> None:
    for shape in ((0, 3), (3, 0), (0, 0)):
        for initialise in (init.xavier_normal_, init.kaiming_uniform_, init.lecun_normal_):
            assert initialise(ad.empty(shape)).shape == shape
