"""Time per-sample gradients of a network (20, 32, 10) at batch 64: ``python -m benchmarks.per_sample``.

By ``vmap(grad(loss))`` and by a loop over the samples, here and in torch.func on one thread. The libraries take turns
in processes of their own, as in `python -m benchmarks`; the times are medians over the rounds.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from statistics import median
from typing import Any

from benchmarks.__main__ import run
from benchmarks.worker import seconds_per_step

SIZES, BATCH, GOAL = (20, 32, 10), 64, 10.0
LAYERS = {"autodiff": "nn", "torch": "torch.nn"}


def forms(library: str) -> dict[str, Callable[[], Any]]:
    """Functions that compute the gradient of each sample in each way."""
    m, nn = import_module(library), import_module(LAYERS[library])
    func, functional = m.func, nn.functional
    if library == "torch":
        m.set_num_threads(1)
    m.manual_seed(0)
    first, second = nn.Linear(*SIZES[:2]), nn.Linear(*SIZES[1:])
    leaves = [*first.parameters(), *second.parameters()]
    constants = tuple(p.detach() for p in leaves)
    x, y = m.randn(BATCH, SIZES[0]), m.randint(0, SIZES[2], (BATCH,))

    def loss(p: Any, x: Any, y: Any) -> Any:
        hidden = m.tanh(functional.linear(x, p[0], p[1]))
        return functional.cross_entropy(functional.linear(hidden, p[2], p[3]), y)

    per_sample = func.vmap(func.grad(loss), in_dims=(None, 0, 0))
    gradient = func.grad(loss)
    backward = m.grad if library == "autodiff" else m.autograd.grad
    return {
        "vmap of grad": lambda: per_sample(constants, x, y),
        "loop of grad": lambda: [gradient(constants, x[i], y[i]) for i in range(BATCH)],
        "loop of backward passes": lambda: [backward(loss(leaves, x[i], y[i]), leaves) for i in range(BATCH)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.per_sample", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each library (default: 5)")
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--library", choices=LAYERS, help="time one library here and print the milliseconds alone")
    arguments = parser.parse_args()
    if arguments.library:
        print(*(1e3 * seconds_per_step(step) for step in forms(arguments.library).values()))
        return
    found: dict[str, list[list[float]]] = {library: [] for library in LAYERS}
    for _ in range(arguments.rounds):
        for library, times in found.items():
            python = arguments.torch_python if library == "torch" else sys.executable
            times.append([float(t) for t in run([python, "-m", "benchmarks.per_sample", "--library", library]).split()])
    ours, theirs = ([median(times) for times in zip(*found[library], strict=True)] for library in LAYERS)
    print("| per-sample gradients | ours, ms | torch, ms | ratio |\n|---|--:|--:|--:|")
    for name, a, b in zip(("vmap of grad", "loop of grad", "loop of backward passes"), ours, theirs, strict=True):
        print(f"| {name} | {a:.3f} | {b:.3f} | {a / b:.2f} |")
    print(f"\nFaster than our own loops: {ours[1] / ours[0]:.1f} and {ours[2] / ours[0]:.1f} times (goal: {GOAL:g})")


if __name__ == "__main__":
    main()
