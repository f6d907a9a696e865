"""The peak memory of a training step on a deep network, here and on PyTorch: `python -m benchmarks.memory`.

Fifty times Linear(256, 256) and ReLU on a batch of 1024: one backward pass, plain and with the layers checkpointed in
seven parts. Every measurement is a process of its own and the libraries take turns. Counted is what a step adds to
the memory that the process held before it, in MB: once by the system's own record of the peak, `ru_maxrss`, once by
reading the resident memory every half millisecond meanwhile. A step on a small batch goes before, so that what is
set up once does not count.
"""

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from threading import Event, Thread
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
WIDTH, LAYERS, BATCH, PARTS = 256, 50, 1024, 7
VARIANTS = ("plain", "checkpoint")
MB = 1e6


def checkpoint_of(library: str) -> Callable[..., Any] | None:
    module: ModuleType = import_module("torch.utils.checkpoint" if library == "torch" else library)
    return getattr(module, "checkpoint", None)


def resident() -> float:
    """The memory that the process holds now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / MB


@contextmanager
def sampled_peak() -> Iterator[list[float]]:
    """A list of what `resident` returned while the block ran."""
    samples: list[float] = []
    done = Event()

    def sample() -> None:
        while not done.wait(0.0005):
            samples.append(resident())

    thread = Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def measure(library: str, variant: str) -> tuple[float, float]:
    """The peak of one step above what was held before it, as recorded by the system and as sampled, in MB."""
    ad, nn = import_module(library), import_module("torch.nn" if library == "torch" else "nn")
    ad.manual_seed(0)
    layers = [module for _ in range(LAYERS) for module in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    size = -(-len(layers) // PARTS)
    parts = [nn.Sequential(*layers[start : start + size]) for start in range(0, len(layers), size)]
    checkpoint = checkpoint_of(library)

    def step(x: Any) -> None:
        for part in parts:
            x = checkpoint(part, x, use_reentrant=False) if variant == "checkpoint" and checkpoint else part(x)
        (x * x).mean().backward()

    step(ad.randn(8, WIDTH))
    for part in parts:
        part.zero_grad()
    x = ad.randn(BATCH, WIDTH)
    before = resident()
    with sampled_peak() as samples:
        step(x)
    recorded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
    return recorded - before, max(samples) - before


def run(python: str, library: str, variant: str) -> list[float]:
    command = [python, "-m", "benchmarks.memory", "--measure", library, variant]
    # One thread: the buffers of a second are no property of the library.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    output = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [float(word) for word in output.split()]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each library (default: 5)")
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--measure", nargs=2, metavar=("LIBRARY", "VARIANT"), help="measure once, in this process")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    if arguments.measure:
        print(*measure(*arguments.measure))
        return
    print("| step | peak | ours, MB | theirs, MB | ratio |\n|---|---|--:|--:|--:|")
    for variant in VARIANTS:
        if variant == "checkpoint" and checkpoint_of("autodiff") is None:
            continue
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            ours.append(run(sys.executable, "autodiff", variant))
            theirs.append(run(arguments.torch_python, "torch", variant))
        for i, how in enumerate(("ru_maxrss", "sampled")):
            a, b = median(peaks[i] for peaks in ours), median(peaks[i] for peaks in theirs)
            print(f"| {variant} | {how} | {a:.1f} | {b:.1f} | {a / b:.2f} |", flush=True)


if __name__ == "__main__":
    main()
