"""Time recurrent layers, forward and backward, here and on PyTorch: ``python -m benchmarks.recurrent``.

The libraries take turns in processes of their own, as in `python -m benchmarks`; a ratio below 1 means we are faster.
Each time is the better of one and two threads. "products" is that of the bare matrix products of a layer in
NumPy, below which no layer on NumPy can come.
"""

import argparse
import json
import sys
from importlib import import_module
from statistics import median

import numpy as np

from benchmarks.__main__ import run
from benchmarks.worker import median_seconds
from benchmarks.workloads import Step

# Class, input size, hidden size, steps, batch.
LAYERS = {
    "LSTM 64-128, 32 steps, batch 32": ("LSTM", 64, 128, 32, 32),
    "GRU 64-128, 32 steps, batch 32": ("GRU", 64, 128, 32, 32),
    "RNN 64-128, 32 steps, batch 32": ("RNN", 64, 128, 32, 32),
    "LSTM 8-16, 20 steps, batch 4": ("LSTM", 8, 16, 20, 4),
}


def layer(library: str, kind: str, inputs: int, size: int, steps: int, batch: int) -> Step:
    """The gradients of a layer by its input and parameters."""
    lib, nn = import_module(library), import_module("nn" if library == "autodiff" else "torch.nn")
    lib.manual_seed(0)
    module = getattr(nn, kind)(inputs, size)
    x, g = lib.randn(steps, batch, inputs).requires_grad_(), lib.randn(steps, batch, size)

    def step() -> None:
        module.zero_grad()
        x.grad = None
        module(x)[0].backward(g)

    return step


def products(kind: str, inputs: int, size: int, steps: int, batch: int) -> Step:
    """The matrix products of a layer's two passes, and nothing else."""
    gates, rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * size, steps * batch
    shapes = [(rows, inputs), (gates, inputs), (gates, size), (rows, gates), (rows, size)]
    x, w_ih, w_hh, d, h = (np.ones(shape, np.float32) for shape in shapes)

    def step() -> None:
        x.dot(w_ih.T)
        for _ in range(steps):
            h[:batch].dot(w_hh.T)
            d[:batch].dot(w_hh)
        d.T.dot(h), d.T.dot(x), d.dot(w_ih)

    return step


def measure(library: str) -> dict[str, float]:
    """The median seconds of each layer."""
    found = {}
    for name, sizes in LAYERS.items():
        step = products(*sizes) if library == "products" else layer(library, *sizes)
        median_seconds(step, 1, duration=0.2)
        found[name] = median_seconds(step, 1, duration=0.5)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recurrent", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--measure", metavar="LIBRARY", help="time one library and print JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    libraries = ("autodiff", "products", "torch")
    found: dict[tuple[str, int], list[dict[str, float]]] = {(name, n): [] for name in libraries for n in (1, 2)}
    for _ in range(options.rounds):
        for (library, threads), rounds in found.items():
            python = options.torch_python if library == "torch" else sys.executable
            rounds.append(json.loads(run([python, "-m", "benchmarks.recurrent", "--measure", library], threads)))
    print("| layer | ours, ms | products, ms | theirs, ms | ratio |\n|---|--:|--:|--:|--:|")
    for name in LAYERS:
        ours, bare, theirs = (
            min(median(times[name] for times in found[library, threads]) for threads in (1, 2)) * 1e3
            for library in libraries
        )
        print(f"| {name} | {ours:.2f} | {bare:.2f} | {theirs:.2f} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
