"""Healthy programs of training, into which `faults` plants faults. `DEVELOPED_ON` served while lint was written.

`HELD_OUT` was written without looking at what lint does, and run when it was done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import autodiff as ad
import nn
import nn.functional as F
import optim


@dataclass(frozen=True)
class Program:
    """A model, its optimizer, the loss of a batch; `heads` are the layers before losses, `relus` those before ReLUs."""

    name: str
    build: Callable[[], nn.Module]
    loss: Callable[[nn.Module, int], ad.Tensor]
    optimizer: Callable[[Any], optim.Optimizer]
    heads: Sequence[str] = ()
    relus: Sequence[str] = ()


def images(size: int, *shape: int) -> ad.Tensor:
    return ad.randn(size, *shape)


def classes(x: ad.Tensor, count: int) -> ad.Tensor:
    """Labels that can be learned: which part of the sample has the largest sum."""
    parts = x.reshape(len(x), -1)
    parts = parts[:, : parts.shape[1] // count * count].reshape(len(x), count, -1)
    return parts.sum(-1).argmax(1)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 4))


def mlp_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 12)
    return nn.CrossEntropyLoss()(model(x), classes(x, 4))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 3),
    )  # fmt: skip


def cnn_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = images(batch, 1, 8, 8)
    return F.cross_entropy(model(x), classes(x, 3))


class LSTMClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 12, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(12, 1)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        hidden, _ = self.lstm(self.embed(x))
        return self.head(hidden[:, -1]).squeeze(1)


def lstm_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randint(0, 20, (batch, 6))
    return nn.BCEWithLogitsLoss()(model(x), (x.sum(1) > 57).float())


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(15, 16)
        self.position = nn.Parameter(ad.randn(1, 5, 16) * 0.02)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(16)
        self.out = nn.Linear(16, 3)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return F.log_softmax(self.out(self.norm(self.layers(self.tokens(x) + self.position)).mean(1)), dim=-1)


def encoder_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randint(0, 15, (batch, 5))
    return F.nll_loss(model(x), x[:, 0] // 5)


DEVELOPED_ON = [
    Program("mlp", mlp, mlp_loss, lambda p: optim.SGD(p, lr=0.1, momentum=0.9), ["4"], ["0", "2"]),
    Program("cnn with batch norm", cnn, cnn_loss, lambda p: optim.Adam(p, lr=3e-3), ["10"], ["1", "5"]),
    Program("lstm classifier", LSTMClassifier, lstm_loss, lambda p: optim.Adam(p, lr=1e-2), ["head"]),
    Program(
        "transformer encoder", Encoder, encoder_loss, lambda p: optim.AdamW(p, lr=1e-3), ["out"],
        ["layers.layers.0.linear1", "layers.layers.1.linear1"],
    ),
]  # fmt: skip
