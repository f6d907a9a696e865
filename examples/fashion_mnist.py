"""Train a convolutional network to tell ten kinds of clothing apart: 60,000 images of Fashion-MNIST, some minutes.

    python examples/fashion_mnist.py

The images are those of the Debian package dataset-fashion-mnist, or any folder with its four files (--data). 5,000 of
the 60,000 are the dev set; the 10,000 of the test set are read once, at the very end.
Source of the data: Xiao, Rasul and Vollgraf, 2017.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import autodiff as ad
import nn
import optim
from autodiff.data import FASHION_CLASSES, Examples, fashion_mnist

BATCH_SIZE, LEARNING_RATE = 128, 0.003


def make_model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def answers(model: nn.Module, images: ad.Tensor) -> ad.Tensor:
    model.eval()
    with ad.no_grad():
        return ad.cat([model(batch).argmax(dim=1) for batch in images.split(500)])


def train(model: nn.Module, images: ad.Tensor, labels: ad.Tensor, epochs: int) -> list[float]:
    """Take a step for each mini-batch, at a rate that first rises, then falls to nothing; return the costs."""
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)
    steps = epochs * -(-len(labels) // BATCH_SIZE)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps + 1)
    costs = []
    for epoch in range(epochs):
        model.train()
        for batch in (progress := tqdm(ad.randperm(len(labels)).split(BATCH_SIZE), desc=f"epoch {epoch + 1}")):
            cost = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            schedule.step()
            costs.append(cost.item())
            progress.set_postfix(cost=f"{costs[-1]:.3f}")
    return costs


def draw(images: ad.Tensor, labels: ad.Tensor, given: ad.Tensor, path: Path) -> None:
    """How often each kind is taken for which, and the first images taken for something that they are not."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    table, grid = figure.subfigures(1, 2)
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels.numpy(), given.numpy()), 1)
    panel = table.subplots()
    panel.imshow(np.log1p(counts), cmap="Blues")
    panel.set(xticks=range(10), yticks=range(10), yticklabels=FASHION_CLASSES, xlabel="answer", ylabel="label")
    panel.set_xticklabels(FASHION_CLASSES, rotation=60)
    for (row, column), count in np.ndenumerate(counts):
        panel.text(column, row, count, ha="center", va="center", fontsize=8, color="w" if row == column else "k")
    wrong = np.flatnonzero((labels != given).numpy())
    for cell, k in zip(grid.subplots(4, 5).flat, wrong, strict=False):
        cell.imshow(images[k, 0].numpy(), cmap="gray_r")
        cell.set_title(f"{FASHION_CLASSES[labels[k]]}, not {FASHION_CLASSES[given[k]]}", fontsize=8)
    for cell in grid.axes:
        cell.set_axis_off()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order and the dropout")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--examples", type=int, default=55000, help="how many images of a part are used at most")
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--out", type=Path, default=Path("runs/fashion_mnist"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ad.manual_seed(options.seed)
    parts = fashion_mnist(options.data)
    (images, labels), dev_set, test_set = (Examples(*(t[: options.examples] for t in part)) for part in parts)

    model, start = make_model(), time.perf_counter()
    costs = train(model, images, labels, options.epochs)
    print(f"cost {np.mean(costs[-100:]):.3f} after {time.perf_counter() - start:.0f} s")
    print(f"dev accuracy {(answers(model, dev_set.images) == dev_set.labels).float().mean().item():.3f}")
    given = answers(model, test_set.images)
    draw(test_set.images, test_set.labels, given, options.out / "confusion.png")
    print(f"test accuracy {(given == test_set.labels).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
