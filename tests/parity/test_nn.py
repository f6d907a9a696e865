"""Layers, losses and initialisers beside PyTorch's, with the same weights."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F
from nn import init

DTYPES = ["float32", "float64"]
# Both round a few times an element, in another order. The largest difference seen, relative to 1 + the value, is
# 2.9e-15 in float64 and 1.2e-6 in float32, both in the gradient of batch normalisation.
TOLERANCES = {"float32": 5e-6, "float64": 1e-14}

Build = Callable[[Any], Any]


def pair(array: Any, grad: bool = False) -> tuple[ad.Tensor, torch.Tensor]:
    """The same numbers here and in PyTorch."""
    array = np.asarray(array)
    return ad.tensor(array, requires_grad=grad), torch.tensor(array, requires_grad=grad)


def copied(build: Build, dtype: str) -> tuple[nn.Module, torch.nn.Module]:
    """The same module here and in PyTorch: its state comes from ours, through `state_dict` on both sides."""
    ours, theirs = build(nn).to(getattr(ad, dtype)), build(torch.nn).to(getattr(torch, dtype))
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    return ours, theirs


def assert_close(
    ours: Any, theirs: Any, dtype: str, what: str = "", *, tolerances: Any = TOLERANCES, of_largest: bool = False
) -> None:
    """The same numbers in the same dtype, within a tolerance relative to 1 or, `of_largest`, to the largest of them."""
    ours, theirs = ours.detach().numpy(), theirs.detach().numpy()
    assert ours.dtype == theirs.dtype
    scale = max(np.abs(theirs).max(initial=0.0), 1.0) if of_largest else 1.0
    np.testing.assert_allclose(ours, theirs, rtol=tolerances[dtype], atol=tolerances[dtype] * scale, err_msg=what)


def assert_same_gradients(ours: Any, theirs: Any, dtype: str, *inputs: Any) -> None:
    """Run both backward from the same random gradient, and compare those of inputs and parameters."""
    seed, torch_seed = pair(np.random.default_rng(1).normal(size=ours.shape).astype(dtype))
    ours.backward(seed)
    theirs.backward(torch_seed)
    for a, b in inputs:
        assert_close(a.grad, b.grad, dtype)


MODULES: list[tuple[Build, tuple[int, ...]]] = [
    (lambda lib: lib.Linear(5, 3), (4, 5)),
    (lambda lib: lib.Linear(5, 3, bias=False), (2, 4, 5)),
    (lambda lib: lib.Linear(5, 3), (5,)),
    (lambda lib: lib.Identity(), (2, 3)),
    (lambda lib: lib.ReLU(), (3, 4)),
    (lambda lib: lib.LeakyReLU(), (3, 4)),
    (lambda lib: lib.LeakyReLU(0.3), (3, 4)),
    (lambda lib: lib.Sigmoid(), (3, 4)),
    (lambda lib: lib.Tanh(), (3, 4)),
    (lambda lib: lib.Softmax(dim=1), (3, 4, 2)),
    (lambda lib: lib.Softmax(-1), (7,)),
    (lambda lib: lib.LogSoftmax(dim=0), (3, 4)),
    (lambda lib: lib.Flatten(), (3, 4, 2)),
    (lambda lib: lib.Flatten(0, 1), (3, 4, 2)),
    (lambda lib: lib.Unflatten(1, (2, 3)), (4, 6)),
    (lambda lib: lib.Dropout(0.3), (50, 4)),
    (lambda lib: lib.Dropout(1.0), (5, 4)),
    (lambda lib: lib.BatchNorm1d(4), (6, 4)),
    (lambda lib: lib.BatchNorm1d(4), (3, 4, 5)),
    (lambda lib: lib.BatchNorm1d(4, eps=0.1, momentum=0.3, affine=False), (6, 4)),
    (lambda lib: lib.BatchNorm1d(4, momentum=None), (6, 4)),
    (lambda lib: lib.BatchNorm1d(4, track_running_stats=False), (6, 4)),
    (lambda lib: lib.BatchNorm1d(4, bias=False), (6, 4)),
    (
        lambda lib: lib.Sequential(
            lib.Linear(4, 16), lib.BatchNorm1d(16), lib.ReLU(), lib.Dropout(0.5), lib.Linear(16, 3), lib.LogSoftmax(1)
        ),
        (8, 4),
    ),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_modules(build: Build, shape: tuple[int, ...], training: bool, dtype: str) -> None:
    """Outputs, gradients of input and parameters, and the state afterwards, over three batches in training."""
    ours, theirs = copied(build, dtype)
    rng = np.random.default_rng(0)
    for seed in range(3):
        ours.train(training or seed < 2)
        theirs.train(training or seed < 2)
        x, torch_x = pair(rng.normal(size=shape).astype(dtype), grad=True)
        ad.manual_seed(seed)
        torch.manual_seed(seed)
        y, torch_y = ours(x), theirs(torch_x)
        assert_close(y, torch_y, dtype)
        ours.zero_grad()
        theirs.zero_grad()
        parameters = zip(ours.parameters(), theirs.parameters(), strict=True)
        assert_same_gradients(y, torch_y, dtype, (x, torch_x), *parameters)
    state, torch_state = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(torch_state)
    for name, value in state.items():
        assert_close(value, torch_state[name], dtype)


@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_printing(build: Build, shape: tuple[int, ...]) -> None:
    assert repr(build(nn)) == repr(build(torch.nn))


CONTAINERS: list[Build] = [
    lambda lib: lib.Sequential(),
    lambda lib: lib.Sequential(lib.Linear(1, 2), lib.Sequential(lib.ReLU(), lib.Tanh()))[:1],
    lambda lib: lib.ModuleList(),
    lambda lib: lib.ModuleList([lib.Linear(1, 2), lib.Linear(1, 2), lib.ReLU(inplace=True), lib.Linear(1, 2)]),
    lambda lib: lib.ModuleList([lib.Sequential(lib.Linear(1, 2), lib.ReLU()) for _ in range(3)]),
    lambda lib: lib.ModuleDict({"a": lib.ReLU(), "b": lib.ModuleList([lib.Linear(1, 1)])}),
    lambda lib: lib.ModuleDict(),
    lambda lib: lib.LeakyReLU(0.1, inplace=True),
    lambda lib: lib.CrossEntropyLoss(label_smoothing=0.1),
    lambda lib: lib.BCEWithLogitsLoss(),
    lambda lib: lib.Parameter((ad if lib is nn else torch).zeros(2, 2)),
    lambda lib: lib.ParameterList([(ad if lib is nn else torch).zeros(2, 3), (ad if lib is nn else torch).zeros(4)]),
]


@pytest.mark.parametrize("build", CONTAINERS)
def test_printing_of_containers(build: Build) -> None:
    # PyTorch puts its name before that of a dtype.
    assert repr(build(nn)) == repr(build(torch.nn)).replace("torch.", "")


REDUCTIONS = ["none", "mean", "sum"]
PAIRWISE: list[tuple[str, dict[str, Any]]] = [
    *((name, {"reduction": r}) for name in ("mse_loss", "l1_loss") for r in REDUCTIONS),
    *(
        (name, {"reduction": r, **({"weight": w} if w is not None else {})})
        for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits")
        for r in REDUCTIONS
        for w in (None, np.array([0.5, 2.0, 1.0]))
    ),
    *(
        ("binary_cross_entropy_with_logits", {"reduction": r, "pos_weight": np.array([0.5, 3.0, 1.0])})
        for r in REDUCTIONS
    ),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "options"), PAIRWISE)
def test_losses_of_pairs(name: str, options: dict[str, Any], dtype: str) -> None:
    """Gradients by the target too; values, where the loss allows it, at and beyond the ends of the scale."""
    rng = np.random.default_rng(0)
    # Inside (0, 1): PyTorch's gradient by the target is infinite at the ends, as ours.
    values = rng.uniform(0.01, 0.99, (5, 3)) if name == "binary_cross_entropy" else rng.normal(size=(5, 3)) * 20
    x, torch_x = pair(values.astype(dtype), grad=True)
    t, torch_t = pair(rng.uniform(0, 1, (5, 3)).astype(dtype), grad=True)
    given = {key: pair(v.astype(dtype)) if isinstance(v, np.ndarray) else (v, v) for key, v in options.items()}
    ours = getattr(F, name)(x, t, **{key: v for key, (v, _) in given.items()})
    theirs = getattr(torch.nn.functional, name)(torch_x, torch_t, **{key: v for key, (_, v) in given.items()})
    assert_close(ours, theirs, dtype)
    assert_same_gradients(ours, theirs, dtype, (x, torch_x), (t, torch_t))


def test_binary_cross_entropy_at_the_ends() -> None:
    x, torch_x = pair(np.array([0.0, 1.0, 0.0, 1.0]), grad=True)
    t, torch_t = pair(np.array([0.0, 1.0, 1.0, 0.0]))
    ours = F.binary_cross_entropy(x, t, reduction="none")
    theirs = torch.nn.functional.binary_cross_entropy(torch_x, torch_t, reduction="none")
    assert_close(ours, theirs, "float64")
    ours.sum().backward()
    theirs.sum().backward()
    # PyTorch keeps its 1e-12 in float32, which is 4e-9 off.
    np.testing.assert_allclose(x.grad.numpy(), torch_x.grad.numpy(), rtol=1e-8)


SHAPES = [((4,), ()), ((5, 4), (5,)), ((3, 4, 2), (3, 2)), ((2, 3, 2, 5), (2, 2, 5)), ((5, 1), (5,)), ((0, 3), (0,))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses_of_classes(reduction: str, shape: tuple[int, ...], target_shape: tuple[int, ...], dtype: str) -> None:
    """Over weights, ignored targets and label smoothing; the first target is never ignored."""
    rng = np.random.default_rng(0)
    classes = shape[0] if len(shape) == 1 else shape[1]
    weights = rng.uniform(0.5, 2, classes).astype(dtype)
    for ignored, weighted, smoothing in itertools.product((-100, -1, classes), (False, True), (0.0, 0.3)):
        target = np.where(rng.random(target_shape) < 0.3, ignored, rng.integers(0, classes, target_shape))
        target.flat[:1] = 0
        options: dict[str, Any] = {"ignore_index": ignored, "reduction": reduction}
        t, torch_t = pair(target)
        w, torch_w = pair(weights) if weighted else (None, None)
        for name in ("nll_loss", "cross_entropy"):
            if name == "cross_entropy":
                options["label_smoothing"] = smoothing
            x, torch_x = pair(rng.normal(size=shape).astype(dtype), grad=True)
            ours = getattr(F, name)(x, t, w, **options)
            theirs = getattr(torch.nn.functional, name)(torch_x, torch_t, torch_w, **options)
            assert_close(ours, theirs, dtype)
            assert_same_gradients(ours, theirs, dtype, (x, torch_x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4,), (5, 4), (3, 4, 2)])
def test_cross_entropy_of_probabilities(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    axis = 0 if len(shape) == 1 else 1
    weights = rng.uniform(0.5, 2, shape[axis]).astype(dtype)
    for reduction, weighted, smoothing in itertools.product(REDUCTIONS, (False, True), (0.0, 0.3)):
        x, torch_x = pair(rng.normal(size=shape).astype(dtype), grad=True)
        probabilities = np.exp(rng.normal(size=shape)).astype(dtype)
        t, torch_t = pair(probabilities / probabilities.sum(axis, keepdims=True), grad=True)
        w, torch_w = pair(weights) if weighted else (None, None)
        options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
        ours = F.cross_entropy(x, t, w, **options)
        theirs = torch.nn.functional.cross_entropy(torch_x, torch_t, torch_w, **options)
        assert_close(ours, theirs, dtype)
        assert_same_gradients(ours, theirs, dtype, (x, torch_x), (t, torch_t))


def test_all_targets_ignored() -> None:
    x, torch_x = pair(np.ones((2, 3)), grad=True)
    t, torch_t = pair(np.array([-100, -100]))
    ours, theirs = F.cross_entropy(x, t), torch.nn.functional.cross_entropy(torch_x, torch_t)
    assert math.isnan(ours.item())
    assert math.isnan(theirs.item())
    assert_same_gradients(ours, theirs, "float64", (x, torch_x))


INITIALISERS: list[tuple[str, dict[str, Any]]] = [
    ("uniform_", {}),
    ("uniform_", {"a": -2.0, "b": 0.5}),
    ("normal_", {}),
    ("normal_", {"mean": 1.0, "std": 0.1}),
    ("constant_", {"val": 0.3}),
    ("zeros_", {}),
    ("ones_", {}),
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 2.5}),
    ("xavier_normal_", {"gain": 0.7}),
    *(
        (name, {"mode": mode, "nonlinearity": nonlinearity, "a": a})
        for name in ("kaiming_uniform_", "kaiming_normal_")
        for mode in ("fan_in", "fan_out")
        for nonlinearity, a in (("relu", 0.0), ("leaky_relu", 0.0), ("leaky_relu", math.sqrt(5)), ("tanh", 0.0))
    ),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 2), (20, 30), (4, 3, 3, 3)])
@pytest.mark.parametrize(("name", "options"), INITIALISERS)
def test_initialisers_bit_for_bit(name: str, options: dict[str, Any], shape: tuple[int, ...], dtype: str) -> None:
    """Twice, so that the generators are left in the same place too."""
    ad.manual_seed(0)
    torch.manual_seed(0)
    for _ in range(2):
        ours = getattr(init, name)(ad.empty(*shape, dtype=getattr(ad, dtype)), **options)
        theirs = getattr(torch.nn.init, name)(torch.empty(*shape, dtype=getattr(torch, dtype)), **options)
        if dtype == "float64" and (name.endswith("normal_") or "uniform" in name):
            # In float64 a number in a thousand may be rounded twice here and once there: off by one in the last bit.
            np.testing.assert_array_max_ulp(ours.numpy(), theirs.numpy(), maxulp=1)
        else:
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_gains() -> None:
    for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.2) == torch.nn.init.calculate_gain("leaky_relu", 0.2)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_initial_weights_and_dropout_masks_bit_for_bit(seed: int) -> None:
    """A whole model after one seed: its weights in the order in which they are drawn, and then its masks."""

    def build(lib: Any) -> Any:
        return lib.Sequential(lib.Linear(20, 30), lib.BatchNorm1d(30), lib.Dropout(0.4), lib.Linear(30, 5, bias=False))

    ad.manual_seed(seed)
    torch.manual_seed(seed)
    ours, theirs = build(nn), build(torch.nn)
    for (name, a), (torch_name, b) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert name == torch_name
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for p in (0.1, 0.5, 0.9):
        x, torch_x = pair(np.ones((13, 7), np.float32))
        np.testing.assert_array_equal(nn.Dropout(p)(x).numpy(), torch.nn.Dropout(p)(torch_x).numpy())


def test_states_travel_in_both_directions() -> None:
    def build(lib: Any) -> Any:
        return lib.Sequential(lib.Linear(3, 4), lib.BatchNorm1d(4), lib.Linear(4, 2))

    ours, theirs = build(nn), build(torch.nn)
    result = ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    assert not result.missing_keys + result.unexpected_keys
    x, torch_x = pair(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))
    assert_close(ours.eval()(x), theirs.eval()(torch_x), "float32")
    other = build(torch.nn)
    other.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    assert_close(ours(x), other.eval()(torch_x), "float32")


def test_one_hot() -> None:
    index, torch_index = pair(np.array([[0, 3], [1, 1]]))
    for classes in (-1, 6):
        ours, theirs = F.one_hot(index, classes), torch.nn.functional.one_hot(torch_index, classes)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_a_training_run_prints_the_same_losses() -> None:
    """Fifty steps of gradient descent written out, from the same seed: equal to the last digit that is printed."""

    def run(library: Any, lib: Any, functional: Any) -> list[str]:
        library.manual_seed(0)
        model = lib.Sequential(
            lib.Linear(2, 16), lib.ReLU(), lib.Dropout(0.2), lib.Linear(16, 16), lib.Tanh(), lib.Linear(16, 2)
        )
        x = library.randn(64, 2)
        t = (x[:, 0] * x[:, 1] > 0).long()
        losses = []
        for _ in range(50):
            loss = functional.cross_entropy(model(x), t)
            model.zero_grad()
            loss.backward()
            with library.no_grad():
                for parameter in model.parameters():
                    parameter.sub_(0.5 * parameter.grad)
            losses.append(f"{loss.item():.4f}")
        return losses

    assert run(ad, nn, F) == run(torch, torch.nn, torch.nn.functional)
