"""Programs that lint was not developed on: they were written after it, and run when it was done."""

from typing import Any

import autodiff as ad
import nn
import nn.functional as F
import optim
from tests.inspect.programs import Program, classes


class MultiHead(nn.Module):
    """One trunk; a class and three labels for each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1))
        self.kind = nn.Linear(32, 4)
        self.labels = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x: ad.Tensor) -> tuple[ad.Tensor, ad.Tensor]:
        hidden = self.trunk(x)
        return self.kind(hidden), self.labels(hidden)


def multi_head_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 10)
    kind, labels = model(x)
    return F.cross_entropy(kind, classes(x, 4)) + 0.5 * F.binary_cross_entropy_with_logits(
        labels, (x[:, :3] > 0).float()
    )


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.code = nn.Linear(12 * 2 * 2, 6)
        self.open = nn.Linear(6, 12 * 2 * 2)
        self.up1 = nn.ConvTranspose2d(12, 8, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        x = F.relu(self.down1(x))
        x = F.relu(self.down2(x))
        x = F.relu(self.open(ad.tanh(self.code(x.flatten(1)))))
        return self.up2(F.relu(self.up1(x.reshape(-1, 12, 2, 2)))).sigmoid()


def autoencoder_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.rand(batch, 1, 8, 8)
    return F.mse_loss(model(x), x)


class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(200, 12, mode="mean")
        self.hidden = nn.Linear(12, 20)
        self.scores = nn.Linear(20, 5)

    def forward(self, words: ad.Tensor) -> ad.Tensor:
        return self.scores(self.hidden(self.words(words)).relu())


def bag_loss(model: nn.Module, batch: int) -> ad.Tensor:
    words = ad.randint(0, 200, (batch, 7))
    return nn.NLLLoss()(nn.LogSoftmax(dim=1)(model(words)), words.amin(1) // 40)


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return F.relu(x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


def residual() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), Block(8), Block(8),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip


def residual_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 3, 6, 6)
    return F.cross_entropy(model(x), classes(x, 4), label_smoothing=0.1)


class Forecast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 16, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(32)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(32, 1)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        hidden, _ = self.gru(x)
        return self.out(self.drop(self.norm(hidden.mean(1))))


def forecast_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 9, 2)
    return F.smooth_l1_loss(model(x), x[:, -1:, 0] + 0.1 * x.sum((1, 2)).unsqueeze(1))


class ByHand(nn.Module):
    """Matrices and biases as in a first course, without layers."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(ad.randn(6, 30) * 0.4)
        self.b1 = nn.Parameter(ad.zeros(30))
        self.w2 = nn.Parameter(ad.randn(30, 3) * 0.2)
        self.b2 = nn.Parameter(ad.zeros(3))

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return (x @ self.w1 + self.b1).relu() @ self.w2 + self.b2


def by_hand_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 6)
    return F.cross_entropy(model(x), classes(x, 3))


class Language(nn.Module):
    """Predicts the next token, with one matrix for both ends."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 16)
        self.rnn = nn.LSTM(16, 16, batch_first=True)
        self.out = nn.Linear(16, 30, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        hidden, _ = self.rnn(self.embedding(x))
        return self.out(hidden)


def language_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = (ad.randint(0, 30, (batch, 1)) + ad.arange(8)) % 30
    return F.cross_entropy(model(x[:, :-1]).reshape(-1, 30), x[:, 1:].reshape(-1))


class Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(16, 24), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(24, 3), nn.Linear(24, 3)
        self.decode = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 16))

    def forward(self, x: ad.Tensor) -> tuple[ad.Tensor, ad.Tensor, ad.Tensor]:
        hidden = self.encode(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        return self.decode(mean + (log_variance / 2).exp() * ad.randn_like(mean)), mean, log_variance


def variational_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = (ad.rand(batch, 16) > 0.5).float()
    scores, mean, log_variance = model(x)
    divergence = -0.5 * (1 + log_variance - mean * mean - log_variance.exp()).sum(1).mean()
    return F.binary_cross_entropy_with_logits(scores, x) + 0.01 * divergence


class Gated(nn.Module):
    """A convolution over time with separable layers and group normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(4, 8, 3, padding=1, groups=4)
        self.norm = nn.GroupNorm(2, 8)
        self.pointwise = nn.Conv1d(8, 16, 1)
        self.norm2 = nn.BatchNorm1d(16)
        self.out = nn.Linear(8, 1)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        x = F.relu(self.norm(self.depthwise(x)))
        return self.out(F.glu(self.norm2(self.pointwise(x)), dim=1).mean(-1))


def gated_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 4, 10)
    return F.mse_loss(model(x), x.mean((1, 2)).unsqueeze(1))


def adam(rate: float) -> Any:
    return lambda parameters: optim.Adam(parameters, lr=rate)


HELD_OUT = [
    Program("multi-head", MultiHead, multi_head_loss, adam(2e-3), ["kind", "labels.2"], ["trunk.1", "labels.0"]),
    Program("autoencoder", Autoencoder, autoencoder_loss, adam(1e-3), [], ["down1", "down2", "open", "up1"]),
    Program("embedding bag", Bag, bag_loss, lambda p: optim.Adagrad(p, lr=0.05), ["scores"], ["hidden"]),
    Program(
        "residual network", residual, residual_loss, lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-4),
        ["7"], ["1", "3.norm1", "3.norm2", "4.norm1", "4.norm2"],
    ),
    Program("forecast with gru", Forecast, forecast_loss, lambda p: optim.RMSprop(p, lr=1e-3)),
    Program("matrices by hand", ByHand, by_hand_loss, lambda p: optim.SGD(p, lr=0.1), ["b2"], []),
    Program("language model, tied", Language, language_loss, adam(3e-3), ["embedding"]),
    Program("variational", Variational, variational_loss, adam(1e-3), ["decode.2"], ["encode.0", "decode.0"]),
    Program("gated convolution", Gated, gated_loss, lambda p: optim.NAdam(p, lr=2e-3), [], ["norm"]),
]  # fmt: skip
