"""Compare what is done against over-fitting, on one problem: a large network and few digits, some with wrong labels.

    python examples/regularization.py

A fifth of the 600 labels are drawn at random: who fits the training set to the last example has learned them by heart.
Each row is the same network from the same first weights. The strengths were chosen by the cost on the dev set.
"""

import argparse
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from tqdm import trange

import autodiff as ad
import nn
import optim
from autodiff.data import Examples, mnist_5k, random_shift

BATCH_SIZE, LEARNING_RATE, SMALL = 50, 0.002, 1e-3  # a weight below this counts as gone


class Way(NamedTuple):
    l2: float = 0.0  # λ/m, so that the cost gets λ/2m ‖w‖²
    biases_too: bool = False
    l1: float = 0.0  # λ/m
    keep_prob: float = 1.0  # of each hidden unit; nn.Dropout takes what is dropped, 1 - keep_prob
    shift: int = 0  # pixels by which each image is moved at random
    stop_early: bool = False  # keep the weights of the epoch that was best on the dev set


WAYS = {
    "none": Way(),
    "L2 on weights": Way(l2=0.03),
    "L2 on biases too": Way(l2=0.03, biases_too=True),
    "L1 on weights": Way(l1=0.001),
    "dropout, keep_prob 0.5": Way(keep_prob=0.5),
    "augmentation": Way(shift=2),
    "early stopping": Way(stop_early=True),
}


def make_model(way: Way) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256), nn.ReLU(), nn.Dropout(1 - way.keep_prob),
        nn.Linear(256, 128), nn.ReLU(), nn.Dropout(1 - way.keep_prob),
        nn.Linear(128, 10),
    )  # fmt: skip


def evaluate(model: nn.Module, examples: Examples) -> tuple[float, float]:
    """Cost and accuracy."""
    model.eval()
    with ad.no_grad():
        scores = model(examples.images)
        cost = nn.functional.cross_entropy(scores, examples.labels).item()
    return cost, (scores.argmax(dim=1) == examples.labels).float().mean().item()


def train(model: nn.Module, way: Way, data: Examples, dev: Examples, epochs: int, name: str) -> list[float]:
    """Return the dev cost of every epoch."""
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
    weights = [p for key, p in model.named_parameters() if key.endswith("weight")]
    decayed = list(model.parameters()) if way.biases_too else weights
    costs = []
    for _ in (progress := trange(epochs, desc=name)):
        model.train()
        for batch in ad.randperm(len(data.labels)).split(BATCH_SIZE):
            images = random_shift(data.images[batch], way.shift)
            cost = nn.functional.cross_entropy(model(images), data.labels[batch])
            if way.l2:
                cost = cost + way.l2 / 2 * sum((p * p).sum() for p in decayed)
            if way.l1:
                cost = cost + way.l1 * sum(p.abs().sum() for p in weights)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
        costs.append(evaluate(model, dev)[0])
        progress.set_postfix(dev_cost=f"{costs[-1]:.3f}")
        if costs[-1] == min(costs):
            best = deepcopy(model.state_dict())
    if way.stop_early:
        model.load_state_dict(best)
    return costs


def draw(curves: dict[str, list[float]], models: dict[str, nn.Sequential], path: Path) -> None:
    """The dev costs, and what six hidden units look at in three of the networks."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    left, right = figure.subfigures(1, 2)
    panel = left.subplots()
    for name, costs in curves.items():
        panel.plot(range(1, len(costs) + 1), costs, label=name)
    panel.set(title="cost on the dev set", xlabel="epoch", ylim=(0.3, 1.6))
    panel.legend()
    rows = right.subplots(3, 6)
    for row, name in zip(rows, ("none", "L2 on weights", "L1 on weights"), strict=True):
        weights = models[name][1].weight.detach()
        largest = weights.norm(dim=1).argsort(descending=True)[:6]
        for cell, unit in zip(row, largest.tolist(), strict=True):
            cell.imshow(weights[unit].reshape(28, 28).numpy(), cmap="RdBu", vmin=-0.2, vmax=0.2)
            cell.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    right.suptitle("weights of the first layer, the six largest units")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order, the shifts and the dropout")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("runs/regularization"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    everything = mnist_5k()
    ad.manual_seed(options.seed)
    images, labels = (part[:600] for part in everything.train)
    data = Examples(images, ad.where(ad.rand(600) < 0.2, ad.randint(10, (600,)), labels))
    curves, models = {}, {}
    print(f"{'':24}{'train accuracy':>15}{'dev accuracy':>14}{'dev cost':>10}{'weights gone':>14}")
    for name, way in WAYS.items():
        ad.manual_seed(options.seed)
        model = models[name] = make_model(way)
        curves[name] = train(model, way, data, everything.dev, options.epochs, name)
        weights = ad.cat([p.flatten() for key, p in model.named_parameters() if key.endswith("weight")])
        (_, fitted), (cost, accuracy) = evaluate(model, data), evaluate(model, everything.dev)
        gone = (weights.abs() < SMALL).float().mean().item()
        print(f"{name:24}{fitted:15.3f}{accuracy:14.3f}{cost:10.3f}{gone:14.3f}")
    draw(curves, models, options.out / "curves.png")


if __name__ == "__main__":
    main()
