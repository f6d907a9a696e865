"""Decay the learning rate of mini-batch descent in the ways of the course, on real digits.

    python examples/learning_rate_decay.py

A rate that is right at first is too large later: the noise of mini-batches, whose images are moved at random, keeps the
cost from falling further.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import trange

import autodiff as ad
import nn
import optim
from autodiff.data import Examples, mnist_5k, random_shift
from optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, StepLR

BATCH_SIZE, FIRST_RATE, MAX_SHIFT = 16, 0.2, 2
DECAYS = {
    "constant": lambda o, epochs: LambdaLR(o, lambda epoch: 1.0),
    "1 / (1 + epoch)": lambda o, epochs: LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "1 / √(epoch + 1)": lambda o, epochs: LambdaLR(o, lambda epoch: (epoch + 1) ** -0.5),
    "0.8^epoch": lambda o, epochs: ExponentialLR(o, gamma=0.8),
    "staircase": lambda o, epochs: StepLR(o, step_size=max(epochs // 4, 1), gamma=0.3),
    "cosine": lambda o, epochs: CosineAnnealingLR(o, T_max=epochs),
}


def train(name: str, data: Examples, dev: Examples, epochs: int) -> tuple[list[float], list[float]]:
    """The cost on the dev set after each epoch, and the rates of the epochs."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.SGD(model.parameters(), lr=FIRST_RATE)
    schedule = DECAYS[name](optimizer, epochs)
    costs, rates = [], []
    for _ in (progress := trange(epochs, desc=name)):
        rates += schedule.get_last_lr()
        for batch in ad.randperm(len(data.labels)).split(BATCH_SIZE):
            optimizer.zero_grad()
            images = random_shift(data.images[batch], MAX_SHIFT)
            nn.functional.cross_entropy(model(images), data.labels[batch]).backward()
            optimizer.step()
        schedule.step()
        with ad.no_grad():
            costs.append(nn.functional.cross_entropy(model(dev.images), dev.labels).item())
        progress.set_postfix(cost=f"{costs[-1]:.4f}")
    return costs, rates


def draw(runs: dict[str, tuple[list[float], list[float]]], path: Path) -> None:
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (costs, rates) in runs.items():
        left.plot(range(1, len(rates) + 1), rates, drawstyle="steps-mid")
        right.semilogy(range(1, len(costs) + 1), costs, label=name)
    left.set(title="learning rate", xlabel="epoch")
    right.set(title="cost on the dev set", xlabel="epoch")
    right.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the order")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("runs/learning_rate_decay"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data, dev, _ = mnist_5k()
    runs = {}
    print(f"{'':20}{'last rate':>10}{'last cost':>11}{'largest rise':>14}")
    for name in DECAYS:
        ad.manual_seed(options.seed)
        costs, rates = runs[name] = train(name, data, dev, options.epochs)
        rise = max(after - before for before, after in zip([costs[0], *costs], costs, strict=False))
        print(f"{name:20}{rates[-1]:10.4f}{costs[-1]:11.4f}{rise:14.4f}")
    draw(runs, options.out / "decays.png")


if __name__ == "__main__":
    main()
