"""Time an epoch of a DataLoader over data of MNIST's size, beside PyTorch's: ``python -m benchmarks.loading``.

60,000 rows of 784 float32 numbers and their labels, shuffled, in batches of 64. The libraries take turns, each on one
thread; printed are the medians over the rounds and their ratio.
"""

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import torch

import autodiff as ad
from autodiff import data

SIDES = {"autodiff": (ad, data), "torch": (torch, torch.utils.data)}
BATCH = 64


def seconds(loader: Any) -> float:
    start = perf_counter()
    for _ in loader:
        pass
    return perf_counter() - start


def loaders(m: Any, d: Any) -> dict[str, Callable[[], Any]]:
    class Rows(d.Dataset):
        """A data set as programs write it, which gives one example at a time."""

        def __init__(self, count: int) -> None:
            self.x, self.y = x[:count], y[:count]

        def __len__(self) -> int:
            return len(self.x)

        def __getitem__(self, index: int) -> Any:
            return self.x[index], self.y[index]

    x, y = m.zeros(60_000, 784), m.zeros(60_000, dtype=m.int64)
    table = d.TensorDataset(x, y)
    options: dict[str, Any] = {"batch_size": BATCH, "shuffle": True}
    return {
        "TensorDataset": lambda: d.DataLoader(table, **options),
        "half of it, by random_split": lambda: d.DataLoader(d.random_split(table, [0.5, 0.5])[0], **options),
        "a Dataset of one's own": lambda: d.DataLoader(Rows(60_000), **options),
        "the same with a worker": lambda: d.DataLoader(Rows(60_000), num_workers=1, **options),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each library (default: 3)")
    rounds = parser.parse_args().rounds
    ad.set_num_threads(1)
    torch.set_num_threads(1)
    made = {library: loaders(*side) for library, side in SIDES.items()}
    for name in made["torch"]:
        times: dict[str, list[float]] = {library: [] for library in SIDES}
        for _ in range(rounds):
            for library, found in times.items():
                found.append(seconds(made[library][name]()))
        ours, theirs = median(times["autodiff"]), median(times["torch"])
        print(f"{name:28} {ours:7.3f} s, PyTorch {theirs:7.3f} s, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
