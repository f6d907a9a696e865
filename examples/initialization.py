"""Begin the same deep network in six ways, and look at what its layers say before and while it learns.

    python examples/initialization.py

Eight hidden layers, real digits. A layer of n inputs multiplies the variance of what passes by n · Var(w), and ReLU
halves the mean square: Var(w) = 2 / n keeps it (He et al., 2015), 1 / n (Glorot and Bengio, 2010) is right for tanh.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import trange

import autodiff as ad
import nn
import optim
from autodiff.data import mnist_5k

DEPTH, WIDTH, BATCH_SIZE, LEARNING_RATE = 8, 128, 64, 0.02
WEIGHTS = {
    "zeros": nn.init.zeros_,
    "small, N(0, 0.01²)": lambda w: nn.init.normal_(w, std=0.01),
    "large, N(0, 0.15²)": lambda w: nn.init.normal_(w, std=0.15),
    "Xavier": nn.init.xavier_normal_,
    "He": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "Xavier with tanh": nn.init.xavier_normal_,
}


def make_model(name: str) -> nn.Sequential:
    layers = [nn.Flatten(), nn.Linear(784, WIDTH)]
    for _ in range(DEPTH - 1):
        layers += [nn.Tanh() if "tanh" in name else nn.ReLU(), nn.Linear(WIDTH, WIDTH)]
    model = nn.Sequential(*layers, nn.Tanh() if "tanh" in name else nn.ReLU(), nn.Linear(WIDTH, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            WEIGHTS[name](layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def activations(model: nn.Sequential, images: ad.Tensor) -> list[ad.Tensor]:
    """What comes out of each hidden layer."""
    found = []
    with ad.no_grad():
        for layer in model:
            images = layer(images)
            if isinstance(layer, nn.ReLU | nn.Tanh):
                found.append(images)
    return found


def train(model: nn.Module, images: ad.Tensor, labels: ad.Tensor, epochs: int, name: str) -> list[float]:
    """Gradient descent by mini-batches; return the cost of every step."""
    optimizer, costs = optim.SGD(model.parameters(), lr=LEARNING_RATE), []
    for _ in (progress := trange(epochs, desc=name)):
        for batch in ad.randperm(len(labels)).split(BATCH_SIZE):
            cost = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            costs.append(cost.item())
        progress.set_postfix(cost=f"{cost.item():.3g}")
    return costs


def draw(layers: dict[str, list[ad.Tensor]], costs: dict[str, list[float]], path: Path) -> None:
    """A row of histograms for each way to begin, of the activations before the first step, and the costs beside it."""
    figure = Figure(figsize=(14, 10), layout="constrained")
    rows = figure.subplots(len(layers), 5)
    for row, (name, values) in zip(rows, layers.items(), strict=True):
        for panel, k in zip(row, (1, 3, 5, 8), strict=False):
            layer = values[k - 1]
            panel.hist(layer.flatten().numpy(), bins=40, log=True, color="tab:blue")
            panel.set_title(f"layer {k}, deviation {layer.std().item():.2g}", fontsize=9)
        row[0].set_ylabel(name)
        row[4].plot(costs[name], linewidth=1, color="tab:red")
        row[4].set(ylim=(0, 4), title=f"cost, last {costs[name][-1]:.3g}")
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the order")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("runs/initialization"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    images, labels = mnist_5k().train
    layers, costs = {}, {}
    print(f"{'weights':20}{'deviation in layer 1':>22}{'in layer 8':>12}{'first cost':>12}{'last':>9}")
    for name in WEIGHTS:
        ad.manual_seed(options.seed)
        model = make_model(name)
        layers[name] = activations(model, images[:500])
        costs[name] = train(model, images, labels, options.epochs, name)
        first, last = layers[name][0].std().item(), layers[name][-1].std().item()
        mean = sum(costs[name][-20:]) / len(costs[name][-20:])
        print(f"{name:20}{first:22.2g}{last:12.2g}{costs[name][0]:12.3g}{mean:9.3f}")
    draw(layers, costs, options.out / "activations.png")


if __name__ == "__main__":
    main()
