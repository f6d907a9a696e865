"""Learn odd digits from few examples, with what a network has learned from many even ones.

    python examples/transfer_learning.py

The convolutions are taken over, the last layer is new. With few examples they stay as they are; with more of them it
pays to train them too, at a lower rate.
"""

import argparse
from copy import deepcopy
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

import autodiff as ad
import nn
import optim
from autodiff.data import Examples, mnist_5k
from autodiff.training import discriminative_rates, fit, freeze, replace_head

SIZES = (2, 5, 10, 30, 100)  # examples of each odd digit


def digits(examples: Examples, remainder: int) -> Examples:
    """The even or the odd digits, numbered from 0 to 4."""
    chosen = examples.labels % 2 == remainder
    return Examples(examples.images[chosen], examples.labels[chosen] // 2)


def make_model() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 5),
    )  # fmt: skip


def train(model: nn.Module, data: Examples, steps: int, lr: float = 0.003, parameters: list | None = None) -> nn.Module:
    batch_size = min(32, len(data.labels))
    optimizer = optim.Adam(parameters or model.parameters(), lr=lr)
    epochs = max(1, steps * batch_size // len(data.labels))
    fit(model, nn.CrossEntropyLoss(), optimizer, tuple(data), epochs=epochs, batch_size=batch_size, progress=False)
    return model


def from_scratch(trained: nn.Module, data: Examples, steps: int) -> nn.Module:
    return train(make_model(), data, steps)


def new_head(trained: nn.Module, data: Examples, steps: int) -> nn.Module:
    model = deepcopy(trained)
    freeze(model)
    replace_head(model, 5)
    return train(model, data, steps)


def fine_tuned(trained: nn.Module, data: Examples, steps: int) -> nn.Module:
    """A new head, and lower rates the farther a layer is from it."""
    model = deepcopy(trained)
    replace_head(model, 5)
    return train(model, data, steps, parameters=discriminative_rates(model, lr=0.003, decay=2.0))


def accuracy(model: nn.Module, examples: Examples) -> float:
    model.eval()
    with ad.no_grad():
        return (model(examples.images).argmax(dim=1) == examples.labels).float().mean().item()


def draw(accuracies: dict[str, list[float]], path: Path) -> None:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    for name, values in accuracies.items():
        panel.semilogx(SIZES, values, "o-", label=name)
    panel.set(xlabel="examples of each odd digit", ylabel="test accuracy", xticks=SIZES, xticklabels=SIZES)
    panel.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the order")
    parser.add_argument("--steps", type=int, default=300, help="of Adam, for each network")
    parser.add_argument("--out", type=Path, default=Path("runs/transfer_learning"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ad.manual_seed(options.seed)
    data, _, test = mnist_5k()
    trained = train(make_model(), digits(data, 0), options.steps)
    print(f"test accuracy on even digits {accuracy(trained, digits(test, 0)):.3f}; on odd digits:\n")
    odd, odd_test = digits(data, 1), digits(test, 1)
    accuracies = {way.__name__.replace("_", " "): [] for way in (from_scratch, new_head, fine_tuned)}
    print(f"{'examples of each':>16}" + "".join(f"{name:>14}" for name in accuracies))
    for size in tqdm(SIZES, desc="sizes"):
        few = Examples(*(ad.cat([part[odd.labels == k][:size] for k in range(5)]) for part in odd))
        for way in (from_scratch, new_head, fine_tuned):
            model = way(trained, few, options.steps)
            accuracies[way.__name__.replace("_", " ")].append(accuracy(model, odd_test))
        print(f"{size:16}" + "".join(f"{values[-1]:14.3f}" for values in accuracies.values()))
    draw(accuracies, options.out / "accuracies.png")


if __name__ == "__main__":
    main()
