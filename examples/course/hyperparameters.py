"""Which hyperparameter first, grid against random, the right scale; one model watched (panda) or many (caviar)."""

import math
import random

import autodiff as ad
import nn
import optim

BASE = {"rate": 0.01, "momentum": 0.9, "hidden": 32, "decay": 0.0}
RANGES = {
    "rate": (1e-5, 1e-3, 1e-1), "momentum": (0.0, 0.9, 0.99), "hidden": (16, 32, 64), "decay": (0.0, 1e-4, 1e-2),
}  # fmt: skip


def quadrants(count: int) -> tuple[ad.Tensor, ad.Tensor]:
    """Points, and whether their coordinates have the same sign."""
    x = ad.randn(count, 2)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def train(rate: float, momentum: float, hidden: int, decay: float, epochs: int = 10) -> float:
    """The accuracy on other points."""
    ad.manual_seed(0)
    (x, y), (new_x, new_y) = quadrants(512), quadrants(512)
    model = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 2))
    optimizer = optim.SGD(model.parameters(), lr=rate, momentum=momentum, weight_decay=decay)
    for _ in range(epochs):
        for batch in ad.randperm(len(x)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    with ad.no_grad():
        return (model(new_x).argmax(dim=1) == new_y).float().mean().item()


def spread(name: str) -> float:
    """How much the accuracy differs over the range of one hyperparameter, the others left at their base."""
    found = [train(**{**BASE, name: value}) for value in RANGES[name]]
    return max(found) - min(found)


def grid_against_random(trials: int = 25, repeats: int = 1000) -> tuple[float, float]:
    """How far from the best rate the nearest trial is, in decades of four: of a grid with an unimportant second one."""
    draw = random.Random(0)
    side = math.isqrt(trials)
    grid = [4 * (k + 0.5) / side for k in range(side)]  # each of its points is tried `side` times, in vain
    totals = [0.0, 0.0]
    for _ in range(repeats):
        best = draw.uniform(0, 4)
        totals[0] += min(abs(best - point) for point in grid)
        totals[1] += min(abs(best - draw.uniform(0, 4)) for _ in range(trials))
    return totals[0] / repeats, totals[1] / repeats


def below_a_tenth(scale: str, draws: int = 10000) -> float:
    """The share of rates between 0.0001 and 1 that are below 0.1: uniform draws hardly look there."""
    draw = random.Random(0)
    values = [draw.uniform(1e-4, 1) if scale == "uniform" else 10 ** draw.uniform(-4, 0) for _ in range(draws)]
    return sum(value < 0.1 for value in values) / draws


def steps_averaged(beta: float) -> float:
    """1/(1−β): from 0.9 to 0.9005 nothing changes, from 0.999 to 0.9995 it doubles; so 1−β goes on a log scale."""
    return 1 / (1 - beta)


def height(rate: float, w: float) -> float:
    """A step of gradient descent on a parabola of curvature 1."""
    return w - rate * w


def panda(days: int = 12, steps: int = 5) -> tuple[float, int]:
    """One model: each day twice the rate if the cost fell, else back to yesterday's weights with a quarter."""
    w, rate = 1.0, 1e-3
    for _ in range(days):
        new = w
        for _ in range(steps):
            new = height(rate, new)
        w, rate = (new, 2 * rate) if abs(new) < abs(w) else (w, rate / 4)
    return w * w / 2, days * steps


def caviar(models: int = 12, steps: int = 5) -> tuple[float, int]:
    """As many steps in all, shared by models with random rates on a log scale, side by side; the best one's cost."""
    draw = random.Random(1)
    costs = []
    for _ in range(models):
        w, rate = 1.0, 10 ** draw.uniform(-3, 0.5)
        for _ in range(steps):
            w = height(rate, w)
        costs.append(w * w / 2)
    return min(costs), steps


def main() -> None:
    for name in sorted(RANGES, key=spread, reverse=True):
        print(f"{name:9} from {RANGES[name][0]:g} to {RANGES[name][-1]:g}: accuracies differ by {spread(name):.2f}")
    grid, drawn = grid_against_random()
    print(f"25 trials: the nearest to the best rate is {grid:.2f} decades off in a grid, {drawn:.2f} at random")
    print(f"rates below 0.1: {below_a_tenth('uniform'):.0%} of uniform draws, {below_a_tenth('log'):.0%} of log ones")
    print(f"1/(1−β): {[round(steps_averaged(beta)) for beta in (0.9, 0.9005, 0.999, 0.9995)]}")
    for name, (cost, wait) in {"panda": panda(), "caviar": caviar()}.items():
        print(f"{name}: cost {cost:.1e} after waiting for {wait} steps")


if __name__ == "__main__":
    main()
