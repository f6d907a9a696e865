"""Compare what is done against over-fitting, on one problem: a large network and few digits, some with wrong labels.

    python examples/regularization.py

A fifth of the 600 labels are drawn at random: who fits the training set to the last example has learned them by heart.
Each row is the same network from the same first weights. The strengths were chosen by the cost on the dev set.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from tqdm import tqdm

import autodiff as ad
import nn
import optim
from autodiff.data import Examples, mnist_5k, random_shift
from autodiff.training import accuracy, evaluate, fit

BATCH_SIZE, LEARNING_RATE, SMALL = 50, 0.002, 1e-3  # a weight below this counts as gone
cost_function = nn.CrossEntropyLoss()


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
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Dropout(1 - way.keep_prob),
        nn.Linear(256, 128), nn.ReLU(), nn.Dropout(1 - way.keep_prob), nn.Linear(128, 10),
    )  # fmt: skip
    # The model itself moves the images that it learns from.
    model.register_forward_pre_hook(lambda m, images: (random_shift(*images, way.shift),) if m.training else images)
    return model


def weights_of(model: nn.Module) -> list[ad.Tensor]:
    """All parameters but the biases."""
    return [p for name, p in model.named_parameters() if name.endswith("weight")]


def train(model: nn.Module, way: Way, data: Examples, dev: Examples, epochs: int) -> list[float]:
    """Return the dev cost of every epoch."""
    weights = weights_of(model)
    decayed = list(model.parameters()) if way.biases_too else weights

    def cost(scores: ad.Tensor, labels: ad.Tensor) -> ad.Tensor:
        l2, l1 = sum((p * p).sum() for p in decayed), sum(p.abs().sum() for p in weights)
        return cost_function(scores, labels) + model.training * (way.l2 / 2 * l2 + way.l1 * l1)

    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
    return fit(
        model, cost, optimizer, tuple(data), tuple(dev),
        epochs=epochs, batch_size=BATCH_SIZE, early_stopping=epochs if way.stop_early else None, progress=False,
    )["dev_loss"]  # fmt: skip


def draw(curves: dict[str, list[float]], models: dict[str, nn.Sequential], path: Path) -> None:
    """The dev costs, and the weights of the first layer's largest units in three of the networks."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subfigures(1, 2)
    panel = left.subplots()
    for name, costs in curves.items():
        panel.plot(range(1, len(costs) + 1), costs, label=name)
        if name == "early stopping":  # the same curve as "none"
            panel.plot(costs.index(min(costs)) + 1, min(costs), "ko")
    panel.set(title="cost on the dev set", xlabel="epoch", ylim=(0.4, 1.6))
    panel.legend()
    for row, name in zip(right.subplots(3, 6), ("none", "L2 on weights", "L1 on weights"), strict=True):
        weights = models[name][1].weight.detach().reshape(-1, 28, 28)
        for cell, unit in zip(row, weights.flatten(1).norm(dim=1).argsort(descending=True)[:6].tolist(), strict=True):
            cell.imshow(weights[unit].numpy(), cmap="RdBu", vmin=-0.2, vmax=0.2)
            cell.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order, the shifts and the dropout")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("runs/regularization"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    everything, curves, models = mnist_5k(), {}, {}
    ad.manual_seed(options.seed)
    images, labels = (part[:600] for part in everything.train)
    data = Examples(images, ad.where(ad.rand(600) < 0.2, ad.randint(10, (600,)), labels))
    print(f"{'':24}{'train accuracy':>15}{'dev accuracy':>14}{'dev cost':>10}{'weights gone':>14}")
    for name, way in tqdm(WAYS.items()):
        ad.manual_seed(options.seed)
        model = models[name] = make_model(way)
        curves[name] = train(model, way, data, everything.dev, options.epochs)
        parts = [evaluate(model, cost_function, tuple(part), metrics=[accuracy]) for part in (data, everything.dev)]
        gone = (ad.cat([p.flatten() for p in weights_of(model)]).abs() < SMALL).float().mean().item()
        print(f"{name:24}{parts[0]['accuracy']:15.3f}{parts[1]['accuracy']:14.3f}{parts[1]['loss']:10.3f}{gone:14.3f}")
    draw(curves, models, options.out / "curves.png")


if __name__ == "__main__":
    main()
