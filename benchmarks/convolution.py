"""Time convolutions here and on PyTorch: ``python -m benchmarks.convolution [part of a name]``.

Networks: a whole training step and the memory at its peak. Single convolutions: the forward pass, the gradients by
input and by weight, and for comparison the bare matrix products that each of the three consists of, on NumPy. The
libraries take turns in processes of their own, as in `python -m benchmarks`; PyTorch's time is the better of one and
two threads, ours of one and two threads of OpenBLAS.
"""

import argparse
import json
import resource
import sys
from collections.abc import Callable
from importlib import import_module
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.__main__ import run
from benchmarks.worker import MODULES, seconds_per_step
from benchmarks.workloads import Step

MIB = 2**20


def _step(ad: ModuleType, nn: ModuleType, optim: ModuleType, model: Any, *shape: int) -> Step:
    """A training step with Adam on random images of 10 classes."""
    x, t = ad.randn(*shape), ad.randint(0, 10, shape[:1])
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        criterion(model(x), t).backward()
        optimizer.step()

    return step


def mnist(ad: ModuleType, nn: ModuleType, optim: ModuleType) -> Step:
    layers = [nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()]
    return _step(ad, nn, optim, nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 49, 10)), 64, 1, 28, 28)


def large_mnist(ad: ModuleType, nn: ModuleType, optim: ModuleType) -> Step:
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()]
    return _step(ad, nn, optim, nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 196, 10)), 64, 1, 28, 28)


def normalised(ad: ModuleType, nn: ModuleType, optim: ModuleType) -> Step:
    layers = []
    for channels in (3, 32):
        layers += [nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
    return _step(ad, nn, optim, nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 32 * 32, 10)), 32, 3, 32, 32)


# Name: the highest ratio of our time to PyTorch's that we accept, and what makes the step.
NETWORKS: dict[str, tuple[float, Callable[[ModuleType, ModuleType, ModuleType], Step]]] = {
    "MNIST, conv 16 and 32 of stride 2, batch 64": (1.0, mnist),
    "MNIST, conv 16, conv 32 of stride 2, batch 64": (1.0, large_mnist),
    "two convs 3x3x32 with batch-norm on 32x32x32x3": (1.5, normalised),
}
# Name: the shapes of input and weight, stride, padding.
LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int, int]] = {
    "first of MNIST": ((64, 1, 28, 28), (16, 1, 3, 3), 1, 1),
    "second of MNIST": ((64, 16, 14, 14), (32, 16, 3, 3), 1, 1),
    "3x3x32 on 32x32": ((32, 32, 32, 32), (32, 32, 3, 3), 1, 1),
    "3x3x128 on 14x14": ((16, 128, 14, 14), (128, 128, 3, 3), 1, 1),
    "3x3x256 on 4x4": ((64, 256, 4, 4), (256, 256, 3, 3), 1, 1),
    "1x1x64 on 28x28": ((32, 64, 28, 28), (64, 64, 1, 1), 1, 0),
    "3x3x64, stride 2": ((16, 64, 28, 28), (64, 64, 3, 3), 2, 1),
    "depthwise 3x3x64": ((16, 64, 28, 28), (64, 1, 3, 3), 1, 1),
}
PARTS = ("forward", "by input", "by weight")


def time_layer(library: str, name: str) -> dict[str, float]:
    """The seconds of the three parts; of the library "products" of what they multiply."""
    (shape, weight_shape, stride, padding), groups = LAYERS[name], LAYERS[name][0][1] // LAYERS[name][1][1]
    if library == "products":
        return _time_products(shape, weight_shape, stride, padding, groups)
    m = import_module(library)
    functional = import_module("nn.functional" if library == "autodiff" else "torch.nn.functional")
    grad = m.grad if library == "autodiff" else m.autograd.grad
    x, weight = m.randn(*shape).requires_grad_(), m.randn(*weight_shape).requires_grad_()

    def forward() -> Any:
        return functional.conv2d(x, weight, None, stride, padding, 1, groups)

    y = forward()
    g = m.randn(*y.shape)
    steps = (forward, lambda: grad(y, [x], g, retain_graph=True), lambda: grad(y, [weight], g, retain_graph=True))
    return {part: seconds_per_step(step) for part, step in zip(PARTS, steps, strict=True)}


def _time_products(
    shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: int, padding: int, groups: int
) -> dict[str, float]:
    outputs, rows = weight_shape[0] // groups, int(np.prod(weight_shape[1:]))
    windows = ((shape[2] + 2 * padding - weight_shape[2]) // stride + 1) ** 2
    weight, columns, y = (
        np.ones((groups, *size), np.float32) for size in ((outputs, rows), (rows, windows), (outputs, windows))
    )

    def repeated(a: Any, b: Any) -> Step:
        out = np.matmul(a, b)

        def step() -> None:
            for _ in range(shape[0]):
                np.matmul(a, b, out=out)

        return step

    pairs = ((weight, columns), (weight.swapaxes(1, 2), y), (y, columns.swapaxes(1, 2)))
    return {part: seconds_per_step(repeated(*pair)) for part, pair in zip(PARTS, pairs, strict=True)}


def time_network(library: str, name: str) -> dict[str, float]:
    """The seconds of a step, and the MiB by which the process grows from before the first step to its peak."""
    step = NETWORKS[name][1](*map(import_module, MODULES[library]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    step()
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / MIB
    return {"step": seconds_per_step(step), "peak": peak}


def measured(name: str, libraries: tuple[str, ...], rounds: int, torch_python: str) -> dict[str, dict[str, float]]:
    """The median over the rounds of each figure, with one and two threads, and of the two the better."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for library in libraries:
            for threads in (1, 2):
                python = torch_python if library == "torch" else sys.executable
                command = [python, "-m", "benchmarks.convolution", name, "--measure", library]
                found.setdefault((library, threads), []).append(json.loads(run(command, threads)))
    return {
        library: {
            part: min(median(run[part] for run in found[library, threads]) for threads in (1, 2))
            for part in found[library, 1][0]
        }
        for library in libraries
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolution", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="a part of the names of what is timed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--measure", metavar="LIBRARY", help="measure one library and print JSON")
    options = parser.parse_args()
    if options.measure:
        measure = time_network if options.part in NETWORKS else time_layer
        print(json.dumps(measure(options.measure, options.part)))
        return
    print("| training step | ours, ms | theirs, ms | ratio | goal | peak: ours, MiB | theirs |\n|---|" + "--:|" * 6)
    for name, (goal, _) in NETWORKS.items():
        if options.part in name:
            found = measured(name, ("autodiff", "torch"), options.rounds, options.torch_python)
            ours, theirs = found["autodiff"], found["torch"]
            ratio = ours["step"] / theirs["step"]
            print(
                f"| {name} | {ours['step'] * 1e3:.2f} | {theirs['step'] * 1e3:.2f} | {ratio:.2f} | {goal:.1f} | "
                f"{ours['peak']:.1f} | {theirs['peak']:.1f} |",
                flush=True,
            )
    print("\n| convolution | part | ours, ms | products, ms | theirs, ms | ratio |\n|---|---|" + "--:|" * 4)
    for name in LAYERS:
        if options.part in name:
            found = measured(name, ("autodiff", "products", "torch"), options.rounds, options.torch_python)
            for part in PARTS:
                ours, bare, theirs = (found[library][part] for library in ("autodiff", "products", "torch"))
                times = f"{ours * 1e3:.2f} | {bare * 1e3:.2f} | {theirs * 1e3:.2f} | {ours / theirs:.2f}"
                print(f"| {name} | {part} | {times} |", flush=True)


if __name__ == "__main__":
    main()
