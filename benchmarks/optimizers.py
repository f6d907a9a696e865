"""Time the step of Adam and of SGD with momentum: ``python -m benchmarks.optimizers``.

Over 30 small parameters, the network (784, 256, 128, 10), and 10M numbers in one parameter, in float32: with NumPy
alone, with numba (the extra ``accel``), and by PyTorch's default implementation, the better of one and two threads. The
libraries take turns in processes of their own, as in `python -m benchmarks`; the times are medians over the rounds.
"""

import argparse
import sys
from importlib import import_module
from importlib.util import find_spec
from statistics import median

from benchmarks.__main__ import run
from benchmarks.worker import seconds_per_step

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "30 small": [(16, 16), (16,)] * 15,
    "MLP": [(256, 784), (256,), (128, 256), (128,), (10, 128), (10,)],
    "10M": [(10_000_000,)],
}
OPTIONS: dict[str, dict[str, float]] = {"Adam": {"lr": 1e-5}, "SGD": {"lr": 1e-5, "momentum": 0.9}}
# The highest ratios that we accept: with NumPy alone, and with numba.
GOALS = {"30 small": (0.3, 0.3), "MLP": (0.6, 0.6), "10M": (1.2, 0.6)}


def seconds(library: str, optimizer: str, shapes: str) -> float:
    """Seconds a step; `library` is numpy, numba or torch."""
    m = import_module("torch" if library == "torch" else "autodiff")
    optimizers = import_module("torch.optim" if library == "torch" else "optim")
    m.manual_seed(0)
    params = [m.randn(*shape).requires_grad_() for shape in SHAPES[shapes]]
    for p in params:
        p.grad = m.randn(*p.shape)
    switch = {} if library == "torch" else {"fused": library == "numba"}
    step = getattr(optimizers, optimizer)(params, **OPTIONS[optimizer], **switch).step
    return seconds_per_step(step)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each library (default: 5)")
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument(
        "--only", nargs=3, metavar=("LIBRARY", "OPTIMIZER", "SHAPES"), help="time one and print seconds"
    )
    arguments = parser.parse_args()
    if arguments.only:
        print(seconds(*arguments.only))
        return
    libraries = ["numpy", *(["numba"] if find_spec("numba") else [])]
    print("| step | library | ours, ms | PyTorch, ms | ratio | goal |\n|---|---|--:|--:|--:|--:|")
    for optimizer in OPTIONS:
        for shapes in SHAPES:
            times: dict[str, list[float]] = {}
            for _ in range(arguments.rounds):
                for library, threads in [*((name, None) for name in libraries), ("torch", 1), ("torch", 2)]:
                    python = arguments.torch_python if library == "torch" else sys.executable
                    command = [python, "-m", "benchmarks.optimizers", "--only", library, optimizer, shapes]
                    times.setdefault(f"{library} {threads}", []).append(float(run(command, threads)))
            theirs = min(median(times["torch 1"]), median(times["torch 2"]))
            for library, goal in zip(libraries, GOALS[shapes], strict=False):
                ours = median(times[f"{library} None"])
                row = f"| {optimizer}, {shapes} | {library} | {ours * 1e3:.3f} | {theirs * 1e3:.3f} "
                print(f"{row}| {ours / theirs:.2f} | {goal:.2f} |", flush=True)


if __name__ == "__main__":
    main()
