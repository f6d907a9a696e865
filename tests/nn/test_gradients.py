"""The gradients of every module, by its inputs and its parameters, of first and second order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.tensor import Tensor

Draw = Callable[[st.SearchStrategy[Any]], Any]
# A module, its inputs that require grad, and those (targets) that do not.
Built = tuple[nn.Module, list[Tensor], list[Tensor]]
sizes = st.integers(1, 3)
shapes = st.lists(sizes, min_size=1, max_size=3).map(tuple)


def draw_tensor(draw: Draw, shape: tuple[int, ...], low: float = -3, high: float = 3, away: float = 0.0) -> Tensor:
    """Numbers from low to high, no nearer to 0 than `away`, where an activation has its kink."""
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).uniform(low, high, shape)
    return ad.tensor(np.where(np.abs(values) < away, away, values), dtype=ad.float64, requires_grad=True)


def _elementwise(build: Callable[[], nn.Module], away: float = 0.0) -> Callable[[Draw], Built]:
    return lambda draw: (build(), [draw_tensor(draw, draw(shapes), away=away)], [])


def _along_a_dimension(build: Callable[[int], nn.Module]) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        x = draw_tensor(draw, draw(shapes))
        return build(draw(st.integers(-x.ndim, x.ndim - 1))), [x], []

    return built


def _linear(draw: Draw) -> Built:
    n_in, n_out = draw(sizes), draw(sizes)
    rows = draw(st.lists(sizes, max_size=2))
    return nn.Linear(n_in, n_out, bias=draw(st.booleans())), [draw_tensor(draw, (*rows, n_in))], []


def _model(draw: Draw) -> Built:
    hidden = draw(sizes)
    model = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2), nn.Softmax(1))
    return model, [draw_tensor(draw, (draw(sizes), 2))], []


def _batch_norm(draw: Draw) -> Built:
    channels = draw(sizes)
    # Two values of a channel alone are always normalised to ±1: no gradient but rounding would be left to compare.
    shape = draw(st.sampled_from([(3, channels), (2, channels, 2)]))
    module = nn.BatchNorm1d(channels, eps=0.1, affine=draw(st.booleans()), track_running_stats=draw(st.booleans()))
    module.train(draw(st.booleans()))
    return module, [draw_tensor(draw, shape)], []


def _same_shape(build: Callable[[str], nn.Module], low: float, high: float, target: float) -> Callable[[Draw], Built]:
    """A loss of an input from low to high, with a target from `target` to 1 that requires grad too."""

    def built(draw: Draw) -> Built:
        shape = draw(shapes)
        inputs = [draw_tensor(draw, shape, low, high), draw_tensor(draw, shape, target, 1.0)]
        return build(draw(st.sampled_from(["none", "mean", "sum"]))), inputs, []

    return built


def _classes(build: Callable[..., nn.Module], **more: st.SearchStrategy[Any]) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        classes, rest = draw(sizes), tuple(draw(st.lists(sizes, max_size=2)))
        x = draw_tensor(draw, (rest[0], classes, *rest[1:]) if rest else (classes,))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        weight = ad.tensor(rng.uniform(0.5, 2, classes)) if draw(st.booleans()) else None
        options = {name: draw(strategy) for name, strategy in more.items()}
        ignored = draw(st.sampled_from([-100, -1, classes]))
        target = np.where(rng.random(rest) < 0.3, ignored, rng.integers(0, classes, rest))
        target.flat[0] = 0  # the mean over no target at all is NaN
        module = build(
            weight, ignore_index=ignored, reduction=draw(st.sampled_from(["none", "mean", "sum"])), **options
        )
        return module, [x], [ad.tensor(target)]

    return built


def _soft_cross_entropy(draw: Draw) -> Built:
    shape = (draw(sizes), draw(sizes))
    smoothing = draw(st.sampled_from([0.0, 0.2]))
    return (
        nn.CrossEntropyLoss(label_smoothing=smoothing, reduction=draw(st.sampled_from(["none", "mean", "sum"]))),
        [draw_tensor(draw, shape), draw_tensor(draw, shape, 0.0, 1.0)],
        [],
    )


MODULES: dict[str, Callable[[Draw], Built]] = {
    "Linear": _linear,
    "Identity": _elementwise(nn.Identity),
    "ReLU": _elementwise(nn.ReLU, away=0.1),
    "LeakyReLU": _elementwise(lambda: nn.LeakyReLU(0.2), away=0.1),
    "Sigmoid": _elementwise(nn.Sigmoid),
    "Tanh": _elementwise(nn.Tanh),
    "Softmax": _along_a_dimension(nn.Softmax),
    "LogSoftmax": _along_a_dimension(nn.LogSoftmax),
    "Dropout": _elementwise(lambda: nn.Dropout(0.4).eval()),
    "BatchNorm1d": _batch_norm,
    "Flatten": _elementwise(lambda: nn.Flatten(0)),
    "Unflatten": lambda draw: (nn.Unflatten(1, (2, 2)), [draw_tensor(draw, (draw(sizes), 4))], []),
    "Sequential": _model,
    "MSELoss": _same_shape(lambda reduction: nn.MSELoss(reduction=reduction), -3, 3, -1),
    "L1Loss": _same_shape(lambda reduction: nn.L1Loss(reduction=reduction), 2, 3, -1),
    "BCELoss": _same_shape(lambda reduction: nn.BCELoss(reduction=reduction), 0.1, 0.9, 0),
    "BCEWithLogitsLoss": _same_shape(
        lambda reduction: nn.BCEWithLogitsLoss(reduction=reduction, pos_weight=ad.tensor(2.5, dtype=ad.float64)),
        -3,
        3,
        0,
    ),
    "NLLLoss": _classes(nn.NLLLoss),
    "CrossEntropyLoss": _classes(nn.CrossEntropyLoss, label_smoothing=st.sampled_from([0.0, 0.2])),
    "CrossEntropyLoss of probabilities": _soft_cross_entropy,
}
CONTAINERS = {"Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Parameter", "Dense"}


def test_every_module_is_checked() -> None:
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert classes - CONTAINERS == {name.split()[0] for name in MODULES}


@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=10)
@given(data=st.data())
def test_first_and_second_derivatives(name: str, data: st.DataObject) -> None:
    """By extrapolated differences, which leave about 1e-10 of values of the order of 1, and more of the second."""
    module, inputs, targets = MODULES[name](data.draw)
    module.double()
    count = len(inputs)
    inputs += module.parameters()

    def function(*xs: Tensor) -> Tensor:
        output: Tensor = module(*xs[:count], *targets)
        return output

    assert ad.gradcheck(function, inputs, method="richardson", atol=1e-8, rtol=1e-7)
    assert ad.gradgradcheck(function, inputs, method="richardson", atol=1e-7, rtol=1e-6)


@settings(max_examples=20)
@given(p=st.floats(0.1, 0.9), seed=st.integers(0, 1000))
def test_dropout_in_training_has_the_gradient_of_its_mask(p: float, seed: int) -> None:
    x = ad.rand(4, 5, dtype=ad.float64).requires_grad_()
    ad.manual_seed(seed)
    y = nn.Dropout(p)(x)
    (gradient,) = ad.grad(y, x, ad.ones_like(y))
    mask = (y.detach() != 0).double() / (1 - p)
    np.testing.assert_allclose(gradient.numpy(), mask.numpy(), rtol=1e-12)
