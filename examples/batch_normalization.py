"""Train the same deep network with and without batch-norm, at five learning rates.

    python examples/batch_normalization.py

Batch-norm lets a network learn at rates that are too large, or too small, without it (Ioffe and Szegedy, 2015). The
first weights are the default ones, which are small for ReLU: He weights would help the networks without it.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import trange

import autodiff as ad
import nn
import optim
from autodiff.data import Examples, mnist_5k

DEPTH, WIDTH, BATCH_SIZE, RATES = 6, 64, 64, (0.003, 0.01, 0.03, 0.1, 0.3)


def make_model(normalised: bool) -> nn.Module:
    layers, inputs = [nn.Flatten()], 784
    for _ in range(DEPTH):
        layers.append(nn.Linear(inputs, WIDTH, bias=not normalised))  # batch-norm would take a bias away
        layers += [nn.BatchNorm1d(WIDTH), nn.ReLU()] if normalised else [nn.ReLU()]
        inputs = WIDTH
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def train(model: nn.Module, rate: float, data: Examples, epochs: int, name: str) -> list[float]:
    """The mean cost of each epoch."""
    optimizer, costs = optim.SGD(model.parameters(), lr=rate, momentum=0.9), []
    for _ in (progress := trange(epochs, desc=name)):
        total = 0.0
        for batch in ad.randperm(len(data.labels)).split(BATCH_SIZE):
            cost = nn.functional.cross_entropy(model(data.images[batch]), data.labels[batch])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            total += cost.item() * len(batch) / len(data.labels)
        costs.append(total)
        progress.set_postfix(cost=f"{total:.3f}")
    return costs


def accuracy(model: nn.Module, examples: Examples) -> float:
    model.eval()
    with ad.no_grad():
        return (model(examples.images).argmax(dim=1) == examples.labels).float().mean().item()


def draw(curves: dict[tuple[float, bool], list[float]], path: Path) -> None:
    figure = Figure(figsize=(11, 4), layout="constrained")
    for panel, normalised in zip(figure.subplots(1, 2, sharey=True), (False, True), strict=True):
        for rate in RATES:
            panel.plot(
                range(1, len(curves[rate, normalised]) + 1), curves[rate, normalised], "o-", label=f"rate {rate}"
            )
        panel.set(title=f"with{'' if normalised else 'out'} batch-norm", xlabel="epoch", ylim=(0, 2.6))
        panel.legend()
    figure.axes[0].set_ylabel("training cost")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the order")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("runs/batch_normalization"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data, dev, _ = mnist_5k()
    curves = {}
    print(f"{'':8}{'last cost without':>20}{'with':>8}{'dev accuracy without':>24}{'with':>8}")
    for rate in RATES:
        accuracies = []
        for normalised in (False, True):
            ad.manual_seed(options.seed)
            model = make_model(normalised)
            name = f"rate {rate}{', batch-norm' * normalised}"
            curves[rate, normalised] = train(model, rate, data, options.epochs, name)
            accuracies.append(accuracy(model, dev))
        without, with_it = curves[rate, False][-1], curves[rate, True][-1]
        print(f"{rate:8}{without:20.3f}{with_it:8.3f}{accuracies[0]:24.3f}{accuracies[1]:8.3f}")
    draw(curves, options.out / "curves.png")


if __name__ == "__main__":
    main()
