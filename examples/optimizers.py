"""Watch the optimizers of the course go down a long valley, and see what decaying the learning rate is good for.

    python examples/optimizers.py

The valley, (x² + 100 y²) / 2, is a hundred times steeper across than along: a learning rate at which gradient descent
does not leave it is too small to get ahead. In the second picture the gradients are noisy, as those of mini-batches.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import autodiff as ad
import optim
from optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, StepLR

START, STEEPNESS = (-9.0, 0.7), (1.0, 100.0)


class UncorrectedAdam(optim.Elementwise):
    """Adam without the correction of its first averages; an optimizer of one's own is its formula on arrays."""

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, group: dict) -> None:
        state["mean"] = 0.9 * state.get("mean", 0.0) + 0.1 * g
        state["mean_square"] = 0.999 * state.get("mean_square", 0.0) + 0.001 * g**2
        p -= group["lr"] * state["mean"] / (np.sqrt(state["mean_square"]) + 1e-8)


OPTIMIZERS = {
    "gradient descent": lambda p: optim.SGD(p, lr=0.019),
    "momentum": lambda p: optim.Momentum(p, lr=0.03),
    "momentum, bias corrected": lambda p: optim.Momentum(p, lr=0.03, bias_correction=True),
    "Nesterov": lambda p: optim.SGD(p, lr=0.003, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.2, alpha=0.9),
    "Adam, uncorrected": lambda p: UncorrectedAdam(p, {"lr": 0.3}),
    "Adam": lambda p: optim.Adam(p, lr=0.3),
}
DECAYS = {
    "constant": lambda o: LambdaLR(o, lambda epoch: 1.0),
    "1 / √(epoch + 1)": lambda o: LambdaLR(o, lambda epoch: (epoch + 1) ** -0.5),
    "1 / (1 + 0.5 epoch)": lambda o: LambdaLR(o, lambda epoch: 1 / (1 + 0.5 * epoch)),
    "0.95^epoch": lambda o: ExponentialLR(o, gamma=0.95),
    "staircase": lambda o: StepLR(o, step_size=15, gamma=0.3),
    "cosine": lambda o: CosineAnnealingLR(o, T_max=60),
}


def height(w: ad.Tensor) -> ad.Tensor:
    """How high the points in the rows of w lie above the bottom of the valley."""
    return (ad.tensor(STEEPNESS) * w * w).sum(dim=-1) / 2


def descend(optimizer: str, decay: str, steps: int, runs: int = 1, noise: float = 0.0) -> tuple[ad.Tensor, list[float]]:
    """The points that so many runs side by side pass, (steps + 1, runs, 2), and the rates of the steps."""
    w = ad.tensor([START] * runs, requires_grad=True)
    optimizer = OPTIMIZERS[optimizer]([w])
    scheduler = DECAYS[decay](optimizer)
    points, rates = [w.detach().clone()], []
    for step in range(1, steps + 1):
        rates += scheduler.get_last_lr()
        optimizer.zero_grad()
        height(w).sum().backward()
        w.grad += noise * ad.randn(runs, 2)
        optimizer.step()
        if step % 10 == 0:  # an epoch
            scheduler.step()
        points.append(w.detach().clone())
    return ad.stack(points), rates


def draw_paths(paths: dict[str, ad.Tensor], file: Path) -> None:
    figure = Figure(figsize=(13, 6), layout="constrained")
    *maps, curves = figure.subplots(2, 4).flat
    x, y = np.meshgrid(np.linspace(-10, 5, 151), np.linspace(-2, 2, 81))
    for k, (panel, (name, points)) in enumerate(zip(maps, paths.items(), strict=True)):
        panel.contour(x, y, height(ad.tensor(np.stack([x, y], -1))), np.geomspace(0.3, 200, 9), colors="0.85")
        panel.plot(*points.T.numpy(), ".-", color=f"C{k}", markersize=4, linewidth=1)
        panel.plot(0, 0, "k+", markersize=10)
        panel.set_title(name, color=f"C{k}")
        curves.semilogy(height(points).numpy(), color=f"C{k}")
    curves.set(title="height by step", ylim=(1e-4, 300))
    figure.savefig(file, dpi=130)


def draw_decays(runs: dict[str, tuple[ad.Tensor, list[float]]], file: Path) -> None:
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (points, rates) in runs.items():
        left.plot(rates)
        right.semilogy(height(points).mean(dim=1).numpy(), label=name)
    left.set(title="learning rate", xlabel="step")
    right.set(title="mean height, with noise", xlabel="step")
    right.legend()
    figure.savefig(file, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--out", type=Path, default=Path("runs/optimizers"), help="the folder for the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ad.manual_seed(options.seed)

    print(f"{'height after':26}{'10 steps':>12}{'100 steps':>12}")
    paths = {name: descend(name, "constant", steps=100)[0][:, 0] for name in OPTIMIZERS}
    for name, points in paths.items():
        print(f"{name:26}{height(points[10]).item():12.4f}{height(points[100]).item():12.4f}")
    draw_paths(paths, options.out / "paths.png")
    print(f"\n{'with noise':26}{'last rate':>12}{'mean height':>12}")
    runs = {name: descend("momentum", name, steps=600, runs=400, noise=5.0) for name in DECAYS}
    for name, (points, rates) in runs.items():
        print(f"{name:26}{rates[-1]:12.4f}{height(points[-1]).mean().item():12.4f}")
    draw_decays(runs, options.out / "decays.png")


if __name__ == "__main__":
    main()
