"""Tell handwritten threes from fives by logistic regression, and draw what it looks for.

    python examples/logistic_regression.py

The model has one weight a pixel, so the weights are a picture: ink on the blue pixels speaks for a 3, ink on the
red ones for a 5. The decay of the weights, chosen by the accuracy on the dev set, keeps the picture smooth.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure

import autodiff as ad
import nn
import optim
from autodiff.data import Examples, mnist_5k

DIGITS = (5, 3)  # the model gives the probability of the second


def only_two_digits(examples: Examples) -> Examples:
    """The examples of the two digits as rows of 784 pixels, labelled 0 and 1."""
    images, labels = examples
    chosen = (labels == DIGITS[0]) | (labels == DIGITS[1])
    return Examples(images[chosen].flatten(1), (labels[chosen] == DIGITS[1]).float())


def accuracy(model: nn.Module, examples: Examples) -> float:
    """The fraction of the images that the model tells apart rightly."""
    with ad.no_grad():
        answers = model(examples.images).squeeze(1) > 0  # a score above 0 is a probability above 1/2
    return (answers == (examples.labels == 1)).float().mean().item()


def train(examples: Examples, decay: float, steps: int) -> nn.Linear:
    """A model sigmoid(w · x + b) whose cost contains decay / 2 times the sum of the squares of w and b."""
    model = nn.Linear(28 * 28, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=decay)
    cost_function = nn.BCEWithLogitsLoss()
    for _ in range(steps):
        cost = cost_function(model(examples.images).squeeze(1), examples.labels)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return model


def draw_weights(model: nn.Linear, examples: Examples, path: Path) -> None:
    """The average image of each digit beside the weights."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, 3)
    for label, digit in enumerate(DIGITS):
        average = examples.images[examples.labels == label].mean(dim=0)
        panels[label].imshow(average.reshape(28, 28).numpy(), cmap="gray_r")
        panels[label].set_title(f"the average {digit}")
    weights = model.weight.detach().reshape(28, 28).numpy()
    largest = abs(weights).max()
    shown = panels[2].imshow(weights, cmap="RdBu", vmin=-largest, vmax=largest)
    panels[2].set_title("the weights")
    figure.colorbar(shown, ax=panels[2], shrink=0.8, label=f"for a {DIGITS[0]}  ←  →  for a {DIGITS[1]}")
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the first weights")
    parser.add_argument("--steps", type=int, default=300, help="of Adam, each on all images")
    parser.add_argument("--out", type=Path, default=Path("runs/logistic_regression"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    train_set, dev_set, test_set = map(only_two_digits, mnist_5k())
    print(f"{'decay':>7}{'train accuracy':>17}{'dev accuracy':>15}")
    models = {}
    for decay in (0.0, 0.001, 0.01, 0.1, 1.0):
        ad.manual_seed(options.seed)
        models[decay] = train(train_set, decay, options.steps)
        print(f"{decay:7}{accuracy(models[decay], train_set):17.3f}{accuracy(models[decay], dev_set):15.3f}")
    best = max(models.values(), key=lambda model: accuracy(model, dev_set))
    draw_weights(best, train_set, options.out / "weights.png")
    print(f"test accuracy {accuracy(best, test_set):.3f}")


if __name__ == "__main__":
    main()
