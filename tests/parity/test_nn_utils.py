"""`nn.utils` and averaged models beside PyTorch's."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import prune
from torch.optim import swa_utils

import autodiff as ad
import nn

Change = Callable[[Any, Any], Any]


def built(change: Change, make: Change, seed: int = 0) -> tuple[Any, Any]:
    """A module made and changed in both libraries from the same random numbers."""
    ad.manual_seed(seed)
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return change(nn.utils, make(nn, ad.float64)), change(torch.nn.utils, make(torch.nn, torch.float64))


def assert_same_state(ours: Any, theirs: Any) -> None:
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key].numpy(), value.numpy(), rtol=1e-10, atol=1e-12, err_msg=key)


MAKE: dict[str, Change] = {
    "linear": lambda lib, dtype: lib.Linear(5, 3, dtype=dtype),
    "square": lambda lib, dtype: lib.Linear(4, 4, dtype=dtype),
    "tall": lambda lib, dtype: lib.Linear(3, 5, dtype=dtype),
    "convolution": lambda lib, dtype: lib.Conv1d(5, 3, 2, dtype=dtype),
    "transposed": lambda lib, dtype: lib.ConvTranspose1d(5, 3, 2, dtype=dtype),
}
CHANGES: dict[str, Change] = {
    "parametrizations.weight_norm": lambda utils, m: utils.parametrizations.weight_norm(m),
    "parametrizations.weight_norm dim": lambda utils, m: utils.parametrizations.weight_norm(m, dim=None),
    "parametrizations.spectral_norm": lambda utils, m: utils.parametrizations.spectral_norm(m, n_power_iterations=2),
    "weight_norm": lambda utils, m: utils.weight_norm(m, dim=1),
    "weight_norm dim": lambda utils, m: utils.weight_norm(m, dim=None),
    "spectral_norm": lambda utils, m: utils.spectral_norm(m),
}
MAPS = [(name, trivial) for name in ("matrix_exp", "cayley", "householder", None) for trivial in (True, False)]


def assert_same_calls(ours: Any, theirs: Any) -> None:
    """The same outputs, gradients and states, training and not; the same weight once the change is taken off."""
    assert repr(ours) == repr(theirs)
    assert_same_state(ours, theirs)
    channels = ours.in_features if isinstance(ours, nn.Linear) else ours.in_channels
    x = np.random.default_rng(0).normal(size=(2, channels) if isinstance(ours, nn.Linear) else (2, channels, 6))
    for training in (True, True, False):
        y, z = ours.train(training)(ad.tensor(x)), theirs.train(training)(torch.tensor(x))
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-10, atol=1e-12)
        (y * y).sum().backward()
        (z * z).sum().backward()
    assert_same_state(ours, theirs)
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), gradients[name].grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("make", ["linear", "convolution", "transposed"])
@pytest.mark.parametrize("change", CHANGES)
def test_normalised_weights(change: str, make: str) -> None:
    assert_same_calls(*built(CHANGES[change], MAKE[make]))


@pytest.mark.parametrize("make", ["linear", "square", "tall"])
@pytest.mark.parametrize(("orthogonal_map", "trivial"), MAPS)
def test_orthogonal_weights(make: str, orthogonal_map: str | None, trivial: bool) -> None:
    def change(utils: Any, module: Any) -> Any:
        return utils.parametrizations.orthogonal(module, "weight", orthogonal_map, use_trivialization=trivial)

    assert_same_calls(*built(change, MAKE[make]))


def test_a_state_of_the_older_weight_norm_loads_into_the_newer() -> None:
    old, _ = built(lambda utils, m: utils.weight_norm(m), MAKE["linear"])
    new, theirs = built(lambda utils, m: utils.parametrizations.weight_norm(m), MAKE["linear"], 1)
    new.load_state_dict(old.state_dict())
    theirs.load_state_dict({key: torch.tensor(value.numpy()) for key, value in old.state_dict().items()})
    assert_same_state(new, theirs)


@pytest.mark.parametrize("norm_type", [1, 2.0, 3, math.inf, "inf", 0.5])
@pytest.mark.parametrize("max_norm", [0.1, 2, 1e6])
def test_clipping(norm_type: Any, max_norm: float) -> None:
    random = np.random.default_rng(0)
    arrays = [np.asarray(random.normal(size=shape), dtype=np.float32) for shape in ((3, 4), (5,), ())]
    ours = [nn.Parameter(ad.zeros(array.shape)) for array in arrays]
    theirs = [torch.nn.Parameter(torch.zeros(array.shape)) for array in arrays]
    for p, q, array in zip(ours, theirs, arrays, strict=True):
        p.grad, q.grad = ad.tensor(array), torch.tensor(array)
    norm = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    np.testing.assert_allclose(norm.item(), expected.item(), rtol=1e-6)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)
    nn.utils.clip_grad_value_(ours, 0.01)
    torch.nn.utils.clip_grad_value_(theirs, 0.01)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)


def normalized(lib: Any, dtype: Any) -> Any:
    return lib.Sequential(lib.Linear(3, 2, dtype=dtype), lib.BatchNorm1d(2, dtype=dtype))


@pytest.mark.parametrize("options", [
    lambda lib: {},
    lambda lib: {"use_buffers": True},
    lambda lib: {"avg_fn": lib.get_ema_avg_fn(0.7)},
    lambda lib: {"multi_avg_fn": lib.get_ema_multi_avg_fn(0.7)},
    lambda lib: {"multi_avg_fn": lib.get_swa_multi_avg_fn(), "use_buffers": False},
])  # fmt: skip
def test_averaged_models(options: Callable[[Any], dict[str, Any]]) -> None:
    ours, theirs = built(lambda utils, m: m, normalized)
    average, expected = nn.AveragedModel(ours, **options(nn)), swa_utils.AveragedModel(theirs, **options(swa_utils))
    x = np.random.default_rng(0).normal(size=(4, 8, 3))
    for step in range(3):
        ours(ad.tensor(x[step]))
        theirs(torch.tensor(x[step]))
        with ad.no_grad(), torch.no_grad():
            ours[0].weight.add_(0.5 * step)
            theirs[0].weight.add_(0.5 * step)
        average.update_parameters(ours)
        expected.update_parameters(theirs)
        assert_same_state(average, expected)
    nn.update_bn([ad.tensor(x[0]), [ad.tensor(x[1]), 3]], average)
    swa_utils.update_bn([torch.tensor(x[0]), [torch.tensor(x[1]), 3]], expected)
    assert_same_state(average, expected)
    assert average.module[1].momentum == 0.1


# Each in turn on one layer, by the name of the function and its arguments.
PRUNINGS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "at random, twice": [("random_unstructured", {"amount": 0.3}), ("random_unstructured", {"amount": 2})],
    "the least, then slices": [
        ("l1_unstructured", {"amount": 0.5}),
        ("ln_structured", {"amount": 1, "n": 2, "dim": 0}),
    ],
    "slices, then the least": [
        ("random_structured", {"amount": 0.34, "dim": 1}),
        ("l1_unstructured", {"amount": 0.25}),
        ("ln_structured", {"amount": 1, "n": math.inf, "dim": -1}),
    ],
    "nothing, then at random": [("identity", {}), ("random_structured", {"amount": 0, "dim": 0})],
}


@pytest.mark.parametrize("name", PRUNINGS)
def test_pruning(name: str) -> None:
    found = []
    for lib, modules, pruning in ((ad, nn, nn.utils.prune), (torch, torch.nn, prune)):
        lib.manual_seed(0)
        layer = modules.Linear(6, 5)
        for function, options in PRUNINGS[name]:
            assert getattr(pruning, function)(layer, "weight", **options) is layer
        state = {key: value.tolist() for key, value in layer.state_dict().items()}
        layer(lib.ones(2, 6)).sum().backward()
        slope = layer.weight_orig.grad.tolist()
        kept = layer.weight_orig
        pruning.remove(layer, "weight")
        assert layer.weight is kept
        assert not pruning.is_pruned(layer)
        found.append((state, slope, layer.weight.tolist(), sorted(layer.state_dict()), lib.rand(1).item()))
    assert found[0] == found[1]


def test_pruning_several_parameters_as_one() -> None:
    found = []
    for lib, modules, pruning in ((ad, nn, nn.utils.prune), (torch, torch.nn, prune)):
        lib.manual_seed(0)
        model = modules.Sequential(modules.Conv2d(2, 3, 2), modules.Linear(4, 3))
        pruning.custom_from_mask(model[1], "bias", lib.tensor([1.0, 0.0, 1.0]))
        pairs = [(model[0], "weight"), (model[1], "weight"), (model[1], "bias")]
        scores = {pairs[1]: lib.arange(12.0).reshape(3, 4)}
        pruning.global_unstructured(pairs, pruning.L1Unstructured, scores, amount=0.5)
        pruning.global_unstructured(pairs, pruning.RandomUnstructured, amount=3)
        found.append({key: value.tolist() for key, value in model.state_dict().items()})
    assert found[0] == found[1]
