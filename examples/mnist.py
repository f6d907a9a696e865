"""Train a network of dense layers to read handwritten digits, in a quarter of a minute.

    python examples/mnist.py

It learns from 3,500 images. 500 others, the dev set, say when to stop: kept are the weights of the epoch that read most
of them right. What the result is worth, the 1,000 images of the test set say, which are read once, at the very end.
"""

import argparse
import os
from copy import deepcopy
from pathlib import Path

# A second thread of matrix products gains a fifth on idle cores, and makes training ten times slower on busy ones.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from matplotlib.figure import Figure
from tqdm import trange

import autodiff as ad
import nn
import optim
from autodiff import inspect
from autodiff.data import Examples, mnist_5k, random_shift

BATCH_SIZE = 64
LEARNING_RATE, DECAY = 0.002, 0.95  # the rate is multiplied by the decay after every epoch
MAX_SHIFT = 2  # pixels by which each image is moved at random: a moved 7 is still a 7
PATIENCE = 20  # epochs without a new best after which training stops
cost_function = nn.CrossEntropyLoss()


def make_model() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(28 * 28, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(256, 10),  # ten scores; the softmax that makes them probabilities is part of the cost function
    )  # fmt: skip


def train_one_epoch(model: nn.Module, optimizer: optim.Optimizer, examples: Examples) -> float:
    """Take one step for each mini-batch; return the mean cost of an example."""
    model.train()
    total = 0.0
    for batch in ad.randperm(len(examples.labels)).split(BATCH_SIZE):
        images = random_shift(examples.images[batch], MAX_SHIFT)
        cost = cost_function(model(images), examples.labels[batch])
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        total += cost.item() * len(batch)
    return total / len(examples.labels)


def accuracy(model: nn.Module, examples: Examples) -> float:
    """The fraction of the images that the model reads right."""
    model.eval()
    with ad.no_grad():
        answers = model(examples.images).argmax(dim=1)
    return (answers == examples.labels).float().mean().item()


def train(model: nn.Module, data: Examples, dev: Examples, epochs: int) -> tuple[list[float], list[float]]:
    """Train until the dev accuracy stops rising; leave the best weights in the model, return costs and accuracies."""
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=DECAY)
    costs, accuracies = [], []
    progress = trange(epochs, desc="training", unit="epoch")
    for epoch in progress:
        costs.append(train_one_epoch(model, optimizer, data))
        accuracies.append(accuracy(model, dev))
        schedule.step()
        progress.set_postfix(cost=f"{costs[-1]:.3f}", dev_accuracy=f"{accuracies[-1]:.3f}")
        best_epoch = accuracies.index(max(accuracies))
        if epoch == best_epoch:
            best_weights = deepcopy(model.state_dict())
        elif epoch == best_epoch + PATIENCE:
            break
    model.load_state_dict(best_weights)
    return costs, accuracies


def draw_learning_curve(costs: list[float], accuracies: list[float], path: Path) -> None:
    """Two panels, by epoch: the cost on the training images and the accuracy on the dev images."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for panel, values, title in ((left, costs, "training cost"), (right, accuracies, "accuracy on the dev set")):
        panel.plot(range(1, len(values) + 1), values, linewidth=2)
        panel.set(title=title, xlabel="epoch")
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    best = max(accuracies)
    right.plot(accuracies.index(best) + 1, best, "o", color="tab:red", label=f"kept: {best:.3f}")
    right.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order, the shifts and the dropout")
    parser.add_argument("--epochs", type=int, default=60, help="after which training stops in any case")
    parser.add_argument("--out", type=Path, default=Path("runs/mnist"), help="the folder for what is written")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ad.manual_seed(options.seed)
    data = mnist_5k()
    model = make_model()
    first_cost = cost_function(model(data.train.images[:BATCH_SIZE]), data.train.labels[:BATCH_SIZE])
    inspect.save(ad.draw(first_cost, params=model), options.out / "graph.svg")

    costs, accuracies = train(model, data.train, data.dev, options.epochs)
    draw_learning_curve(costs, accuracies, options.out / "learning_curve.png")
    ad.save(model.state_dict(), options.out / "model.safetensors")
    print(f"dev accuracy {max(accuracies):.3f} after epoch {accuracies.index(max(accuracies)) + 1}")
    print(f"test accuracy {accuracy(model, data.test):.3f}")


if __name__ == "__main__":
    main()
