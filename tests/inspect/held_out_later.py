"""A second set of programs that lint was not developed on, written after the first had led to changes."""

from typing import Any

import autodiff as ad
import nn
import nn.functional as F
import optim
from tests.inspect.programs import Program, classes


class TextCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(60, 10, padding_idx=0)
        self.convs = nn.ModuleList([nn.Conv1d(10, 16, width, padding=1) for width in (2, 3, 4)])
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(48, 3)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        x = self.words(x).transpose(1, 2)
        pooled = [F.relu(conv(x)).amax(-1) for conv in self.convs]
        return self.out(self.drop(ad.cat(pooled, dim=1)))


def text_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randint(0, 60, (batch, 9))
    return F.cross_entropy(model(x), (x.amax(1) - 30).clamp(min=0) // 10)


class PreNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, dropout=0.1, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Patches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 16, 4, stride=4)
        self.first = nn.Parameter(ad.zeros(1, 1, 16))
        self.blocks = nn.Sequential(PreNorm(16), PreNorm(16))
        self.head = nn.Linear(16, 4)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = ad.cat([self.first.expand(len(x), 1, 16), x], dim=1)
        return self.head(self.blocks(x)[:, 0])


def patches_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 1, 8, 8)
    return nn.CrossEntropyLoss()(model(x), classes(x, 4))


def triplet() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 5))


def triplet_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 8)
    near, far = x + 0.1 * ad.randn(batch, 8), ad.randn(batch, 8)
    return nn.TripletMarginLoss(margin=2.0)(model(x), model(near), model(far))


class Values(nn.Module):
    """Values of actions, learned from those of a copy that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.online = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.advantage, self.value = nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        hidden = self.online(x)
        advantage = self.advantage(hidden)
        return self.value(hidden) + advantage - advantage.mean(1, keepdim=True)


def values_loss(model: nn.Module, batch: int) -> ad.Tensor:
    state, after = ad.randn(batch, 5), ad.randn(batch, 5)
    action = ad.randint(0, 3, (batch, 1))
    with ad.no_grad():
        wanted = state[:, :1] + 0.9 * model(after).amax(1, keepdim=True)
    return F.huber_loss(model(state).gather(1, action), wanted)


class Segmenter(nn.Module):
    """Down and up again, with what was there before beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(16, 20, 3, padding=1), nn.BatchNorm2d(20), nn.ReLU(inplace=True))
        self.up = nn.ConvTranspose2d(20, 16, 2, stride=2)
        self.out = nn.Conv2d(32, 1, 1)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        inner = self.inner(x)
        up = F.relu(self.up(self.down(F.max_pool2d(inner, 2))))
        return self.out(ad.cat([inner, up], dim=1)).squeeze(1)


def segmenter_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randn(batch, 1, 6, 6)
    return F.binary_cross_entropy_with_logits(model(x), (x[:, 0] > 0.5).float(), pos_weight=ad.tensor(2.0))


class Tagger(nn.Module):
    """A label for each token, from a recurrent network by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(25, 12)
        self.cell = nn.RNNCell(12, 20)
        self.out = nn.Linear(20, 4)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        hidden, outputs = ad.zeros(len(x), 20), []
        for token in self.tokens(x).unbind(1):
            hidden = self.cell(token, hidden)
            outputs.append(self.out(hidden))
        return ad.stack(outputs, dim=1)


def tagger_loss(model: nn.Module, batch: int) -> ad.Tensor:
    x = ad.randint(0, 25, (batch, 6))
    return F.nll_loss(model(x).log_softmax(-1).transpose(1, 2), x % 4)


def adam(rate: float) -> Any:
    return lambda parameters: optim.Adam(parameters, lr=rate)


HELD_OUT_LATER = [
    Program("text cnn", TextCNN, text_loss, adam(2e-3), ["out"], ["convs.0", "convs.1", "convs.2"]),
    Program("vision transformer", Patches, patches_loss, lambda p: optim.AdamW(p, lr=5e-4), ["head"]),
    Program("triplets", triplet, triplet_loss, lambda p: optim.SGD(p, lr=0.02, momentum=0.9), [], ["1"]),
    Program("action values", Values, values_loss, lambda p: optim.RMSprop(p, lr=1e-3), [], ["online.0", "online.2"]),
    Program("segmenter", Segmenter, segmenter_loss, adam(1e-3), ["out"], ["inner.1", "down.1", "up"]),
    Program("tagger", Tagger, tagger_loss, lambda p: optim.Adamax(p, lr=5e-3), ["out"]),
]  # fmt: skip
