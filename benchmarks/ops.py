"""Time every op, forward and backward, here and on PyTorch: ``python -m benchmarks.ops [part of a name]``.

The libraries take turns in processes of their own, as in `python -m benchmarks`; a ratio below 1 means we are faster.
PyTorch has one thread at 100 numbers, where more only cost it time; at 1,000,000 its time is the better of one and two.
"""

import argparse
import json
import sys
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.__main__ import run
from benchmarks.op_calls import CALLS, inputs

GOALS = {100: 1.0, 1_000_000: 2.0}


def seconds(code: Any, known: dict[str, Any], duration: float) -> float:
    """The median seconds of one evaluation with its backward pass."""
    tensor = type(known["x"])
    ones: Any = None

    def once() -> None:
        nonlocal ones
        y = eval(code, known)
        if isinstance(y, tensor) and y.requires_grad:
            if ones is None:
                ones = known["m"].ones_like(y).detach()
            y.backward(ones)
            for name in "xypabsh":
                known[name].grad = None

    start = perf_counter()
    once()
    times, end = [], perf_counter() + min(duration, 20 * (perf_counter() - start) + 0.02)
    while perf_counter() < end or len(times) < 3:
        start = perf_counter()
        once()
        times.append(perf_counter() - start)
    return median(times)


def measure(library: str, n: int, part: str) -> dict[str, float]:
    m = import_module(library)
    known = inputs(m, n)
    return {name: seconds(compile(call, name, "eval"), known, 0.1) for name, call in CALLS.items() if part in name}


def _times(name: str, found: dict[tuple[str, int], list[dict[str, float]]]) -> tuple[float, float]:
    """Our median and PyTorch's, the better of its medians with one and two threads."""
    medians = {key: median(r[name] for r in rounds) for key, rounds in found.items()}
    theirs = min(value for (library, _), value in medians.items() if library == "torch")
    return next(value for (library, _), value in medians.items() if library == "autodiff"), theirs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ops", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="a part of the names of the ops to time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--measure", nargs=2, metavar=("LIBRARY", "SIZE"), help="time one library and print JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], int(options.measure[1]), options.part)))
        return
    slower: list[str] = []
    columns = []
    for n in GOALS:
        runs = [("autodiff", 2), ("torch", 1), ("torch", 2)] if n > 1000 else [("autodiff", 1), ("torch", 1)]
        found: dict[tuple[str, int], list[dict[str, float]]] = {key: [] for key in runs}
        for round_ in range(options.rounds):
            for library, threads in runs:
                print(f"\r{n} numbers, round {round_ + 1} of {options.rounds}: {library:<10}", end="", file=sys.stderr)
                python = sys.executable if library == "autodiff" else options.torch_python
                command = [python, "-m", "benchmarks.ops", options.part, "--measure", library, str(n)]
                found[library, threads].append(json.loads(run(command, threads)))
        columns.append({name: _times(name, found) for name in found[runs[0]][0]})
    print("\r" + " " * 60, file=sys.stderr)
    print(
        "| op | 100: ours, µs | theirs | ratio | 1,000,000: ours, ms | theirs | ratio |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for name in columns[0]:
        (a, b), (c, d) = (column[name] for column in columns)
        print(f"| {name} | {a * 1e6:.1f} | {b * 1e6:.1f} | {a / b:.2f} | {c * 1e3:.2f} | {d * 1e3:.2f} | {c / d:.2f} |")
        slower += [name] if a / b > GOALS[100] or c / d > GOALS[1_000_000] else []
    print(
        f"\n{len(columns[0]) - len(slower)} of {len(columns[0])} reach both goals; not: {', '.join(slower) or 'none'}"
    )


if __name__ == "__main__":
    main()
