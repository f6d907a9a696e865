"""Time the workloads on this project and on PyTorch, and print the ratios as a Markdown table.

Every measurement is a process of its own and the libraries take turns, so a machine that grows slower meanwhile does
so for all. A time is the median over the rounds; PyTorch's is the better of one and two threads.

The machine must be idle otherwise: beside one other busy process on two cores, OpenBLAS's threads wait so long for
each other that a training step took 145 ms instead of 3.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).parent.parent
IMPORT_TIME, IMPORT_GOAL = "import autodiff / import numpy", 1.7


def run(command: list[str], threads: int | None = None) -> str:
    named = {key: str(threads) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if threads}
    environment = os.environ | named
    return subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def time_workload(name: str, rounds: int, torch_python: str) -> tuple[float, float]:
    """Return our seconds a step and PyTorch's."""
    ours, one_thread, two_threads = [], [], []
    for _ in range(rounds):
        ours.append(float(run([sys.executable, "-m", "benchmarks.worker", "autodiff", name])))
        for times, threads in ((one_thread, 1), (two_threads, 2)):
            times.append(float(run([torch_python, "-m", "benchmarks.worker", "torch", name], threads)))
    return median(ours), min(median(one_thread), median(two_threads))


def time_import(rounds: int) -> tuple[float, float]:
    """Return the seconds of a process that imports autodiff and of one that imports NumPy, their bytecode cached."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for module in ("autodiff", "numpy"):
        run([sys.executable, "-c", f"import {module}"])
    times: dict[str, list[float]] = {"autodiff": [], "numpy": []}
    for _ in range(rounds):
        for module, seconds in times.items():
            start = perf_counter()
            run([sys.executable, "-c", f"import {module}"])
            seconds.append(perf_counter() - start)
    return median(times["autodiff"]), median(times["numpy"])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="a part of the names of the workloads to run")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each library (default: 7)")
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    print(f"{os.cpu_count()} cores, load average at the start {os.getloadavg()[0]:.1f}\n")
    print("| workload | ours, ms | theirs, ms | ratio | goal |\n|---|--:|--:|--:|--:|")
    for name in [*WORKLOADS, IMPORT_TIME]:
        if arguments.only not in name:
            continue
        if name == IMPORT_TIME:
            goal, (ours, theirs) = IMPORT_GOAL, time_import(arguments.rounds)
        else:
            goal, (ours, theirs) = WORKLOADS[name].goal, time_workload(name, arguments.rounds, arguments.torch_python)
        print(f"| {name} | {ours * 1e3:.3f} | {theirs * 1e3:.3f} | {ours / theirs:.2f} | {goal:.2f} |", flush=True)


if __name__ == "__main__":
    main()
