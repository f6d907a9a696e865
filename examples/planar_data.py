"""Bend the boundary between two classes with one hidden layer: a flower that no straight line can cut in two.

    python examples/planar_data.py

Logistic regression draws a line. Each hidden unit adds a bend; too few bend too little.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import trange

import autodiff as ad
import nn
import optim

HIDDEN = (0, 1, 2, 4, 8, 20)  # hidden units; with none it is logistic regression


def flower(count: int, noise: float = 0.2) -> tuple[ad.Tensor, ad.Tensor]:
    """Points on the petals of a rose, (count, 2), and which of the two kinds of petals they are on, 0 or 1."""
    kind = ad.arange(count) % 2
    angle = ad.rand(count) * ad.pi + ad.pi * kind + noise * ad.randn(count)
    radius = 4 * ad.sin(4 * angle) + noise * ad.randn(count)
    return ad.stack([radius * ad.sin(angle), radius * ad.cos(angle)], dim=1), kind.float()


def make_model(hidden: int) -> nn.Module:
    if hidden == 0:
        return nn.Linear(2, 1)
    return nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1))


def train(model: nn.Module, points: ad.Tensor, kinds: ad.Tensor, steps: int, name: str) -> None:
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    for _ in (progress := trange(steps, desc=name, mininterval=1)):
        cost = nn.functional.binary_cross_entropy_with_logits(model(points).squeeze(1), kinds)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    progress.set_postfix(cost=f"{cost.item():.3f}")


def accuracy(model: nn.Module, points: ad.Tensor, kinds: ad.Tensor) -> float:
    with ad.no_grad():
        return ((model(points).squeeze(1) > 0) == (kinds > 0)).float().mean().item()


def draw(models: dict[int, nn.Module], points: ad.Tensor, kinds: ad.Tensor, path: Path) -> None:
    """For each model the points, the boundary and, as colour, the probability of a red point."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    x, y = np.meshgrid(np.linspace(-5, 5, 200), np.linspace(-5, 5, 200))
    places = ad.from_numpy(np.stack([x, y], axis=-1).astype(np.float32))
    for panel, (hidden, model) in zip(figure.subplots(2, 3).flat, models.items(), strict=True):
        with ad.no_grad():
            probability = ad.sigmoid(model(places)).squeeze(-1).numpy()
        panel.contourf(x, y, probability, 20, cmap="RdBu_r", vmin=0, vmax=1, alpha=0.5)
        panel.contour(x, y, probability, [0.5], colors="k")
        panel.scatter(*points.T.numpy(), c=kinds.numpy(), cmap="RdBu_r", s=8)
        panel.set_title(f"{hidden or 'no'} hidden unit{'s' * (hidden != 1)}: {accuracy(model, points, kinds):.3f}")
        panel.set(xticks=[], yticks=[], aspect="equal")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=2, help="of the points and the weights")
    parser.add_argument("--steps", type=int, default=3000, help="of Adam, each on all points")
    parser.add_argument("--out", type=Path, default=Path("runs/planar_data"), help="the folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ad.manual_seed(options.seed)

    points, kinds = flower(400)
    new_points, new_kinds = flower(400)
    models = {}
    print(f"{'hidden':>7}{'train accuracy':>17}{'test accuracy':>16}")
    for hidden in HIDDEN:
        model = models[hidden] = make_model(hidden)
        train(model, points, kinds, options.steps, f"{hidden} hidden")
        print(f"{hidden:7}{accuracy(model, points, kinds):17.3f}{accuracy(model, new_points, new_kinds):16.3f}")
    draw(models, points, kinds, options.out / "boundaries.png")


if __name__ == "__main__":
    main()
