"""Gradients of each sample, ensembles and tangents of the weights of layers beside torch.func."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import nn
from tests.parity.test_func import Call, both

# What PyTorch says of itself: its forward mode loads decompositions, and some layers have no form in its vmap.
pytestmark = [
    pytest.mark.usefixtures("no_loops"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr:UserWarning"),
    pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning"),
]
RNG = np.random.default_rng(0)
Build = Callable[[Any], Any]


def cnn(layers: Any) -> Any:
    return layers.Sequential(
        layers.Conv2d(2, 4, 3, padding=1), layers.GroupNorm(2, 4), layers.ReLU(), layers.MaxPool2d(2),
        layers.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, padding_mode="reflect"), layers.GELU(),
        layers.ConvTranspose2d(6, 3, 2, stride=2, bias=False), layers.AvgPool2d(2), layers.Flatten(),
        layers.Linear(12, 5),
    )  # fmt: skip


def images(layers: Any) -> Any:
    return layers.Sequential(
        layers.Upsample(scale_factor=1.5, mode="bilinear"), layers.ZeroPad2d(1), layers.AdaptiveAvgPool2d(3),
        layers.Conv2d(2, 3, 2, dilation=2), layers.Unfold(1), layers.Flatten(), layers.Linear(3, 5),
    )  # fmt: skip


def transformer(layers: Any) -> Any:
    return layers.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu")


def recurrent(kind: str, **options: Any) -> Build:
    return lambda layers: getattr(layers, kind)(8, 3, batch_first=True, **options)


MODELS: dict[str, tuple[Build, tuple[int, ...]]] = {
    "cnn": (cnn, (2, 8, 8)),
    "images": (images, (2, 6, 6)),
    "transformer": (transformer, (5, 8)),
    "lstm": (recurrent("LSTM", num_layers=2, bidirectional=True), (5, 8)),
    "projected lstm": (recurrent("LSTM", proj_size=2), (5, 8)),
    "gru": (recurrent("GRU"), (5, 8)),
    "rnn": (recurrent("RNN", bias=False), (5, 8)),
}


def states(model: Any, x: Any) -> Any:
    """First states that depend on the input: PyTorch writes what differs between samples into those that it makes."""
    count = model.num_layers * (2 if model.bidirectional else 1)
    h = x.mean().expand(count, len(x), model.proj_size or model.hidden_size)
    return (h, x.sin().mean().expand(count, len(x), model.hidden_size)) if model.mode == "LSTM" else h


def run(f: Any, model: Any, p: Any, x: Any) -> Any:
    """The outputs, without the last states of recurrent layers."""
    if hasattr(model, "mode"):
        return f.functional_call(model, p, (x, states(model, x)))[0]
    return f.functional_call(model, p, (x,))


def made(m: Any, build: Build, seed: int) -> Any:
    m.manual_seed(seed)
    return build(torch.nn if m is torch else nn).double()


def of_each_sample(build: Build) -> Call:
    def call(m: Any, f: Any, x: Any) -> Any:
        model = made(m, build, 0)
        parameters = {name: p.detach() for name, p in model.named_parameters()}

        def loss(p: Any, x: Any) -> Any:
            return (run(f, model, p, x.unsqueeze(0)) ** 2).sin().sum()

        return f.vmap(f.grad(loss, argnums=(0, 1)), (None, 0))(parameters, x)

    return call


def of_an_ensemble(build: Build, axis: int | None) -> Call:
    """Gradients of three models, on the same inputs or on some of its own each."""

    def call(m: Any, f: Any, x: Any) -> Any:
        models = [made(m, build, seed) for seed in range(3)]
        stacked = {name: p.detach() for name, p in f.stack_module_state(models)[0].items()}

        def loss(p: Any, x: Any) -> Any:
            return (run(f, models[0], p, x) ** 2).sin().sum()

        inputs = x if axis is None else m.stack([x, x.flip(0), 2 * x])
        return f.vmap(f.grad(loss), (0, axis))(stacked, inputs)

    return call


def along_the_weights(build: Build) -> Call:
    def call(m: Any, f: Any, x: Any) -> Any:
        model = made(m, build, 0)
        parameters = {name: p.detach() for name, p in model.named_parameters()}
        tangents = {name: p.cos() for name, p in parameters.items()}

        def curved(x: Any) -> Any:
            gradient = f.grad(lambda p: (run(f, model, p, x.unsqueeze(0)) ** 2).sum())
            return f.jvp(gradient, (parameters,), (tangents,))[1]

        return f.jvp(lambda p: run(f, model, p, x), (parameters,), (tangents,)), f.vmap(curved)(x)

    return call


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_each_sample(name: str) -> None:
    build, shape = MODELS[name]
    both(of_each_sample(build), RNG.uniform(-1, 1, (4, *shape)))


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("name", MODELS)
def test_ensembles(name: str, axis: int | None) -> None:
    build, shape = MODELS[name]
    both(of_an_ensemble(build, axis), RNG.uniform(-1, 1, (4, *shape)))


@pytest.mark.parametrize("name", MODELS)
def test_tangents_and_products_with_hessians(name: str) -> None:
    build, shape = MODELS[name]
    # Its kernel for the CPU has no forward mode.
    with sdpa_kernel(SDPBackend.MATH):
        both(along_the_weights(build), RNG.uniform(-1, 1, (2, *shape)))
