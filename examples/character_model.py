"""Learn to spell last names letter by letter, with an LSTM and with a transformer, and let them invent some.

    python examples/character_model.py

The names are those of the American census of 1990, out of the package names (pip install names). A model that knew how
often letters occur, but not in which order, would have a perplexity of about 19 letters; a lower one is better.
"""

import argparse
import math
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

import autodiff as ad
import nn
import optim
from autodiff.data import census_names

LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # the full stop begins and ends a name
LONGEST, BATCH_SIZE, WIDTH = 12, 128, 96
PADDING = -100  # cross-entropy passes over it


class LSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), 24)
        self.lstm = nn.LSTM(24, WIDTH, batch_first=True)
        self.output = nn.Linear(WIDTH, len(LETTERS))

    def forward(self, letters: ad.Tensor) -> ad.Tensor:
        return self.output(self.lstm(self.embedding(letters))[0])


class Transformer(nn.Module):
    """Each place looks at those before it only."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS), WIDTH)
        self.places = nn.Embedding(LONGEST + 1, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.output = nn.Linear(WIDTH, len(LETTERS))

    def forward(self, letters: ad.Tensor) -> ad.Tensor:
        length = letters.shape[1]
        later = ad.ones(length, length, dtype=ad.bool).triu(1)
        x = self.letters(letters) + self.places(ad.arange(length))
        return self.output(self.layers(x, mask=later, is_causal=True))


def encode(names: list[str]) -> tuple[ad.Tensor, ad.Tensor]:
    """What a model reads, (n, 13) letters after a full stop, and what comes next, padded."""
    read, follows = ad.zeros(len(names), LONGEST + 1, dtype=ad.int64), ad.full((len(names), LONGEST + 1), PADDING)
    for row, name in enumerate(names):
        numbers = ad.tensor([LETTERS.index(letter) for letter in f".{name}."])
        read[row, : len(name) + 1], follows[row, : len(name) + 1] = numbers[:-1], numbers[1:]
    return read, follows


def cost_of(model: nn.Module, read: ad.Tensor, follows: ad.Tensor) -> ad.Tensor:
    return nn.functional.cross_entropy(model(read).flatten(0, 1), follows.flatten(), ignore_index=PADDING)


def train(model: nn.Module, read: ad.Tensor, follows: ad.Tensor, epochs: int, name: str) -> list[float]:
    """Return the cost of every step."""
    optimizer, costs = optim.Adam(model.parameters(), lr=0.003), []
    batches = [batch for _ in range(epochs) for batch in ad.randperm(len(read)).split(BATCH_SIZE)]
    for batch in (progress := tqdm(batches, desc=name)):
        cost = cost_of(model, read[batch], follows[batch])
        optimizer.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        costs.append(cost.item())
        progress.set_postfix(perplexity=f"{math.exp(costs[-1]):.1f}")
    return costs


def invent(model: nn.Module, count: int) -> list[str]:
    """Names, letter by letter, each drawn with the probability that the model gives it after those before."""
    letters = ad.zeros(count, 1, dtype=ad.int64)
    with ad.no_grad():
        for _ in range(LONGEST):
            drawn = ad.multinomial(ad.softmax(model(letters)[:, -1], dim=1), 1)
            letters = ad.cat([letters, drawn], dim=1)
    return ["".join(LETTERS[k] for k in row[1:]).partition(".")[0].capitalize() for row in letters.tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the order, the weights and the inventions")
    parser.add_argument("--names", type=int, default=10000, help="how many of the most frequent names to learn from")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/character_model"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ad.manual_seed(options.seed)
    names = [name for name in census_names("last") if name.isalpha() and len(name) <= LONGEST][: options.names]
    read, follows = (part[ad.randperm(len(names), generator=ad.Generator().manual_seed(0))] for part in encode(names))
    dev = len(names) // 10
    panel = (figure := Figure(figsize=(7, 4), layout="constrained")).subplots()
    for model in (LSTM(), Transformer()):
        name = type(model).__name__
        costs = train(model, read[dev:], follows[dev:], options.epochs, name)
        model.eval()
        with ad.no_grad():
            perplexity = cost_of(model, read[:dev], follows[:dev]).exp().item()
        print(f"{name}: perplexity on new names {perplexity:.2f}; {', '.join(invent(model, 8))}")
        panel.plot(ad.tensor(costs).exp().numpy(), label=f"{name}, {perplexity:.2f} on new names", linewidth=1)
    panel.set(xlabel="step", ylabel="perplexity", ylim=(5, 30))
    panel.legend()
    figure.savefig(options.out / "perplexity.png", dpi=120)


if __name__ == "__main__":
    main()
