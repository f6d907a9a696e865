"""Time one workload in this process: `python -m benchmarks.worker autodiff|torch WORKLOAD` prints seconds a step."""

import sys
from importlib import import_module
from statistics import median
from time import perf_counter

from benchmarks.workloads import WORKLOADS, Step

MODULES = {"autodiff": ("autodiff", "nn", "optim"), "torch": ("torch", "torch.nn", "torch.optim")}


def seconds_for(step: Step, repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        step()
    return perf_counter() - start


def median_seconds(step: Step, repeats: int, duration: float) -> float:
    """Return the median seconds a step, over runs of `repeats` steps that fill `duration` seconds."""
    end = perf_counter() + duration
    runs = []
    while perf_counter() < end:
        runs.append(seconds_for(step, repeats))
    return median(runs) / repeats


def seconds_per_step(step: Step) -> float:
    """Time runs of at least 10 ms, so that what comes up only now and then, such as garbage collection, counts too."""
    repeats = 1
    while seconds_for(step, repeats) < 0.01:
        repeats *= 2
    median_seconds(step, repeats, duration=0.3)  # warms up caches, threads and the adaptive interpreter
    return median_seconds(step, repeats, duration=0.5)


if __name__ == "__main__":
    library, workload = sys.argv[1:]
    print(seconds_per_step(WORKLOADS[workload].build(*map(import_module, MODULES[library]))))
