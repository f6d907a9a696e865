"""Fit a line to noisy points by gradient descent, with nothing but tensors and their gradients.

    python examples/linear_regression.py

The best line has a formula, so that we can see how close gradient descent comes.
"""

import argparse

import numpy as np

import autodiff as ad

LEARNING_RATE = 0.1


def make_points(count: int) -> tuple[ad.Tensor, ad.Tensor]:
    """Points around the line y = 3 x + 2, with x from -1 to 1."""
    x = 2 * ad.rand(count) - 1
    return x, 3 * x + 2 + 0.5 * ad.randn(count)


def best_line(x: ad.Tensor, y: ad.Tensor) -> tuple[float, float]:
    """The slope and the height at x = 0 of the line with the least squared error, by the formula."""
    slope, height = np.polyfit(x.numpy(), y.numpy(), deg=1)
    return float(slope), float(height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the points")
    parser.add_argument("--steps", type=int, default=200, help="of gradient descent")
    options = parser.parse_args()

    ad.manual_seed(options.seed)
    x, y = make_points(100)
    w = ad.zeros((), requires_grad=True)
    b = ad.zeros((), requires_grad=True)

    print(f"{'step':>7}{'cost':>10}{'w':>9}{'b':>9}")
    for step in range(options.steps + 1):
        cost = ((w * x + b - y) ** 2).mean()
        if step in (0, 1, 2, 5, 10, 20, 50, 100, options.steps):
            print(f"{step:7}{cost.item():10.4f}{w.item():9.4f}{b.item():9.4f}")
        cost.backward()
        with ad.no_grad():  # the steps themselves are not differentiated
            w -= LEARNING_RATE * w.grad
            b -= LEARNING_RATE * b.grad
        w.grad = b.grad = None  # else the next gradients would be added to these

    slope, height = best_line(x, y)
    print(f"formula{'':10}{slope:9.4f}{height:9.4f}")


if __name__ == "__main__":
    main()
