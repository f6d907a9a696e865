"""A small problem and a network for it."""

import numpy as np

import autodiff as ad
import nn


def digits(rows: int = 100) -> tuple[ad.Tensor, ad.Tensor]:
    """Points of three classes that a small network tells apart."""
    generator = np.random.default_rng(0)
    target = np.arange(rows) % 3
    x = generator.normal(size=(rows, 4)) + 2 * np.eye(3, 4)[target]
    return ad.tensor(x.astype(np.float32)), ad.tensor(target)


def network() -> nn.Module:
    ad.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))


def weights(model: nn.Module) -> list[bytes]:
    return [value.numpy().tobytes() for value in model.state_dict().values()]
