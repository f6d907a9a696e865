"""The gradients of every module, by its inputs and its parameters, of first and second order."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.tensor import Tensor
from tests.nn.drawn_losses import DRAWN
from tests.nn.drawn_pooling import DRAWN as POOLING
from tests.nn.drawn_recurrent import RECURRENT

Draw = Callable[[st.SearchStrategy[Any]], Any]
# A module, its inputs that require grad, and those (targets) that do not.
Built = tuple[nn.Module, list[Tensor], list[Tensor]]
sizes = st.integers(1, 3)
shapes = st.lists(sizes, min_size=1, max_size=3).map(tuple)


def draw_tensor(
    draw: Draw, shape: tuple[int, ...], low: float = -3, high: float = 3, away: float | Sequence[float] = ()
) -> Tensor:
    """Numbers from low to high, no nearer than 0.1 to any of `away`, where an activation has its kinks."""
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).uniform(low, high, shape)
    for kink in [away] if isinstance(away, float) else away:
        values = np.where(np.abs(values - kink) < 0.1, kink + 0.1, values)
    return ad.tensor(values, dtype=ad.float64, requires_grad=True)


def _elementwise(build: Callable[[], nn.Module], *away: float, scale: float = 1.0) -> Callable[[Draw], Built]:
    return lambda draw: (build(), [draw_tensor(draw, draw(shapes), -3 * scale, 3 * scale, away)], [])


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


def _running_norm(build: Callable[..., nn.Module], spatial: int) -> Callable[[Draw], Built]:
    """A norm of at least three values in each channel, in either mode."""

    def built(draw: Draw) -> Built:
        channels = draw(sizes)
        shape = (draw(st.integers(1, 2)), channels, 3, *(1,) * (spatial - 1))
        module = build(channels, eps=0.1, affine=draw(st.booleans()), track_running_stats=draw(st.booleans()))
        return module.train(draw(st.booleans())), [draw_tensor(draw, shape)], []

    return built


def _lazy_norm(name: str) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        x = draw_tensor(draw, (2, draw(sizes), 3, *(1,) * (int(name[-2]) - 1)))
        module = getattr(nn, name)(eps=0.1)
        module(x.float())
        return module, [x], []

    return built


def _layer_norm(draw: Draw) -> Built:
    shape = draw(st.sampled_from([(3,), (2, 2)]))
    affine, bias = draw(st.booleans()), draw(st.booleans())
    module = nn.LayerNorm(shape, eps=0.1, elementwise_affine=affine, bias=bias)
    return module, [draw_tensor(draw, (*draw(st.lists(sizes, max_size=2)), *shape))], []


def _rms_norm(draw: Draw) -> Built:
    shape = draw(st.sampled_from([(3,), (2, 2)]))
    module = nn.RMSNorm(shape, eps=0.1, elementwise_affine=draw(st.booleans()))
    return module, [draw_tensor(draw, (*draw(st.lists(sizes, max_size=2)), *shape))], []


def _group_norm(draw: Draw) -> Built:
    groups, each = draw(sizes), draw(sizes)
    module = nn.GroupNorm(groups, groups * each, eps=0.1, affine=draw(st.booleans()))
    return module, [draw_tensor(draw, (draw(sizes), groups * each, 3))], []


def _prelu(draw: Draw) -> Built:
    channels = draw(sizes)
    module = nn.PReLU(draw(st.sampled_from([1, channels])))
    return module, [draw_tensor(draw, (draw(sizes), channels, draw(sizes)), away=0.0)], []


def _channels(build: Callable[[float], nn.Module], spatial: int) -> Callable[[Draw], Built]:
    shape = (2, 3, *(2,) * spatial)
    return lambda draw: (build(0.4).eval(), [draw_tensor(draw, shape)], [])


def _elementwise_of_images(build: Callable[[], nn.Module]) -> Callable[[Draw], Built]:
    return lambda draw: (build(), [draw_tensor(draw, (draw(sizes), draw(sizes), 2))], [])


def _same_shape(build: Callable[[str], nn.Module], low: float, high: float, target: float) -> Callable[[Draw], Built]:
    """A loss of an input from low to high, with a target from `target` to 1 - `target` that requires grad too."""

    def built(draw: Draw) -> Built:
        shape = draw(shapes)
        inputs = [draw_tensor(draw, shape, low, high), draw_tensor(draw, shape, target, 1.0 - target)]
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


def _convolution(name: str) -> Callable[[Draw], Built]:
    """A convolution of any kind, with strides, padding, dilation and groups."""

    def built(draw: Draw) -> Built:
        ndim, more = int(name[-2]), {}
        groups, each = draw(st.sampled_from([(1, 1), (1, 2), (2, 1)])) if ndim < 3 else (1, 1)
        choices = [(1, 1, 0), (2, 1, 1), (1, 2, 1), (3, 2, 1)]
        stride, dilation, padding = draw(st.sampled_from(choices[: 2 if ndim == 3 else 4]))
        if "Transpose" in name:
            more["output_padding"] = draw(st.integers(0, max(stride, dilation) - 1))
        elif padding:
            more["padding_mode"] = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
        sizes = (groups * each, groups) if not name.startswith("Lazy") else (groups,)
        bias = draw(st.booleans())
        module = getattr(nn, name)(
            *sizes, 2, stride, padding=padding, dilation=dilation, groups=groups, bias=bias, **more
        )
        x = draw_tensor(
            draw,
            (*draw(st.sampled_from([(), (2 if ndim < 3 else 1,)])), groups * each, *(2 if ndim == 3 else 3,) * ndim),
            -1,
            1,
        )
        module(x.float())
        return module, [x], []

    return built


MODULES: dict[str, Callable[[Draw], Built]] = {
    **{name: _convolution(name) for name in nn.__all__ if "Conv" in name},
    "Unfold": lambda draw: (nn.Unfold((2, 1), 1, (1, 0), (2, 1)), [draw_tensor(draw, (draw(sizes), 2, 3, 2))], []),
    "Fold": lambda draw: (nn.Fold((3, 2), (2, 1), 1, (1, 0), (2, 1)), [draw_tensor(draw, (draw(sizes), 4, 4))], []),
    "Linear": _linear,
    "Identity": _elementwise(nn.Identity),
    "ReLU": _elementwise(nn.ReLU, 0.0),
    "ReLU6": _elementwise(nn.ReLU6, 0.0, 6.0, scale=3),
    "LeakyReLU": _elementwise(lambda: nn.LeakyReLU(0.2), 0.0),
    "PReLU": _prelu,
    "RReLU": _elementwise(lambda: nn.RReLU().eval(), 0.0),
    "Hardtanh": _elementwise(lambda: nn.Hardtanh(-1.5, 2.0), -1.5, 2.0),
    "Hardsigmoid": _elementwise(nn.Hardsigmoid, -3.0, 3.0, scale=2),
    "Hardswish": _elementwise(nn.Hardswish, -3.0, 3.0, scale=2),
    "Hardshrink": _elementwise(nn.Hardshrink, -0.5, 0.5),
    "Softshrink": _elementwise(nn.Softshrink, -0.5, 0.5),
    "Threshold": _elementwise(lambda: nn.Threshold(0.5, -2.0), 0.5),
    "ELU": _elementwise(lambda: nn.ELU(1.5), 0.0),
    "SELU": _elementwise(nn.SELU, 0.0),
    "CELU": _elementwise(lambda: nn.CELU(1.5), 0.0),
    "GELU": _elementwise(nn.GELU),
    "GELU by tanh": _elementwise(lambda: nn.GELU("tanh")),
    "SiLU": _elementwise(nn.SiLU),
    "Mish": _elementwise(nn.Mish),
    "Softplus": _elementwise(lambda: nn.Softplus(2.0)),
    "LogSigmoid": _elementwise(nn.LogSigmoid),
    "Sigmoid": _elementwise(nn.Sigmoid),
    "Tanh": _elementwise(nn.Tanh),
    "Tanhshrink": _elementwise(nn.Tanhshrink),
    "Softsign": _elementwise(nn.Softsign, 0.0),
    "GLU": lambda draw: (nn.GLU(1), [draw_tensor(draw, (draw(sizes), 4, draw(sizes)))], []),
    "Softmax": _along_a_dimension(nn.Softmax),
    "Softmin": _along_a_dimension(nn.Softmin),
    "LogSoftmax": _along_a_dimension(nn.LogSoftmax),
    "Softmax2d": lambda draw: (nn.Softmax2d(), [draw_tensor(draw, (2, draw(sizes), 2, 1))], []),
    "Dropout": _elementwise(lambda: nn.Dropout(0.4).eval()),
    "Dropout1d": _channels(nn.Dropout1d, 1),
    "Dropout2d": _channels(nn.Dropout2d, 2),
    "Dropout3d": _channels(nn.Dropout3d, 3),
    "AlphaDropout": _elementwise(lambda: nn.AlphaDropout(0.4).eval()),
    "FeatureAlphaDropout": _channels(nn.FeatureAlphaDropout, 1),
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _running_norm(nn.BatchNorm2d, 2),
    "BatchNorm3d": _running_norm(nn.BatchNorm3d, 3),
    "InstanceNorm1d": _running_norm(nn.InstanceNorm1d, 1),
    "InstanceNorm2d": _running_norm(nn.InstanceNorm2d, 2),
    "InstanceNorm3d": _running_norm(nn.InstanceNorm3d, 3),
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "GroupNorm": _group_norm,
    "LocalResponseNorm": _elementwise_of_images(lambda: nn.LocalResponseNorm(2, alpha=0.5)),
    **{name: _lazy_norm(name) for name in nn.__all__ if name.startswith("Lazy") and "Norm" in name},
    "Flatten": _elementwise(lambda: nn.Flatten(0)),
    "Unflatten": lambda draw: (nn.Unflatten(1, (2, 2)), [draw_tensor(draw, (draw(sizes), 4))], []),
    "Sequential": _model,
    "MSELoss": _same_shape(lambda reduction: nn.MSELoss(reduction=reduction), -3, 3, -1),
    "L1Loss": _same_shape(lambda reduction: nn.L1Loss(reduction=reduction), 2, 3, -1),
    "BCELoss": _same_shape(lambda reduction: nn.BCELoss(reduction=reduction), 0.1, 0.9, 0.1),
    "BCEWithLogitsLoss": _same_shape(
        lambda reduction: nn.BCEWithLogitsLoss(reduction=reduction, pos_weight=ad.tensor(2.5, dtype=ad.float64)),
        -3,
        3,
        0,
    ),
    "NLLLoss": _classes(nn.NLLLoss),
    "CrossEntropyLoss": _classes(nn.CrossEntropyLoss, label_smoothing=st.sampled_from([0.0, 0.2])),
    "CrossEntropyLoss of probabilities": _soft_cross_entropy,
    **DRAWN,
    **POOLING,
    **RECURRENT,
}
CONTAINERS = {"Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Parameter", "Dense"} | {
    "UninitializedParameter",
    "UninitializedBuffer",
    "Buffer",
    "RNNBase",
    "RNNCellBase",
}
# Those of attention are checked in test_attention.py.
CONTAINERS |= {"MultiheadAttention"} | {name for name in nn.__all__ if name.startswith("Transformer")}


# A table; and what holds another module, whose gradients it passes on: tests/nn/test_utils.py.
CONTAINERS |= {"Summary", "AveragedModel"}


def test_every_module_is_checked() -> None:
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert classes - CONTAINERS == {name.split()[0] for name in MODULES}


# Each is checked in all directions, of first and second order: an example is worth many. `deep` draws 80.
EXAMPLES = max(4, settings().max_examples // 25)


@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=EXAMPLES)
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
