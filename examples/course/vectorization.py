"""Vectorised against loops, timed; and pictures flattened into columns, divided by 255."""

import math
import time

import numpy as np

import autodiff as ad


def gradient_in_loops(X: list[list[float]], Y: list[float], w: list[float], b: float) -> list[float]:
    """Of logistic regression, dw and db: a loop over the examples, and two over the features."""
    dw, db = [0.0] * len(w), 0.0
    for x, y in zip(X, Y, strict=True):
        z = b
        for j in range(len(w)):
            z += w[j] * x[j]
        dz = 1 / (1 + math.exp(-z)) - y
        for j in range(len(w)):
            dw[j] += x[j] * dz / len(X)
        db += dz / len(X)
    return [*dw, db]


def gradient_vectorised(X: ad.Tensor, Y: ad.Tensor, w: ad.Tensor, b: ad.Tensor) -> ad.Tensor:
    dZ = ad.sigmoid(X @ w + b) - Y
    return ad.cat([X.T @ dZ, dZ.sum().reshape(1)]) / len(X)


def compare(m: int = 500, n: int = 100) -> tuple[float, float]:
    """The largest difference of the two, and how many times longer the loops take."""
    ad.manual_seed(0)
    X, w, b = ad.randn(m, n, dtype=ad.float64), ad.randn(n, dtype=ad.float64), ad.zeros(1, dtype=ad.float64)
    Y = (X[:, 0] > 0).double()
    arguments = X.tolist(), Y.tolist(), w.tolist(), 0.0
    start = time.perf_counter()
    looped = gradient_in_loops(*arguments)
    middle = time.perf_counter()
    for _ in range(10):
        vectorised = gradient_vectorised(X, Y, w, b)
    seconds = (time.perf_counter() - middle) / 10
    return (vectorised - ad.tensor(looped, dtype=ad.float64)).abs().max().item(), (middle - start) / seconds


def flatten(pictures: np.ndarray) -> np.ndarray:
    """(m, height, width, 3) bytes to columns: (height · width · 3, m) numbers from 0 to 1."""
    return pictures.reshape(len(pictures), -1).T / 255


def wrongly_flattened(pictures: np.ndarray) -> np.ndarray:
    """The right shape, but each column a mixture of all pictures."""
    return pictures.reshape(-1, len(pictures)) / 255


def pictures() -> np.ndarray:
    """Four random pictures of 8 × 8 pixels, each of its own brightness."""
    noise = np.random.default_rng(0).integers(0, 50, (4, 8, 8, 3))
    return (noise + np.array([0, 60, 120, 200]).reshape(4, 1, 1, 1)).astype(np.uint8)


def main() -> None:
    difference, ratio = compare()
    print(f"the same gradient to {difference:.0e}, in loops {ratio:.0f} times slower")
    X, wrong = flatten(pictures()), wrongly_flattened(pictures())
    print(f"{pictures().shape} flattened: {X.shape}, from {X.min():.2f} to {X.max():.2f}")
    print(f"mean brightness of each column: {X.mean(axis=0).round(2)}; reshaped wrongly: {wrong.mean(axis=0).round(2)}")


if __name__ == "__main__":
    main()
