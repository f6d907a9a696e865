"""Time layers, forward and backward, here and on PyTorch: ``python -m benchmarks.layers [part of a name]``.

The libraries take turns in processes of their own, as in `python -m benchmarks`; a ratio below 1 means we are faster.
PyTorch's time is the better of one and two threads.
"""

import argparse
import json
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import NamedTuple

from benchmarks.__main__ import run
from benchmarks.workloads import Step

Make = Callable[[ModuleType, ModuleType], Step]


class Layer(NamedTuple):
    """The highest ratio of our time to PyTorch's that we accept, and what makes the function that is timed."""

    goal: float
    make: Make


def layer(build: Callable[[ModuleType], Callable], *shape: int) -> Make:
    """One layer, its gradients by input and parameters, on float32 numbers of a shape."""

    def make(ad: ModuleType, nn: ModuleType) -> Step:
        ad.manual_seed(0)
        module, x = build(nn), ad.randn(*shape).requires_grad_()
        g = ad.randn(*module(x).shape)

        def step() -> None:
            module.zero_grad()
            x.grad = None
            module(x).backward(g)

        return step

    return make


def encoder(feedforward: int, dropout: float) -> Make:
    """Two layers of a transformer encoder, 64 wide with 4 heads, on 16 sequences of 64 places."""
    return layer(
        lambda nn: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(64, 4, feedforward, dropout, batch_first=True), 2, enable_nested_tensor=False
        ),
        16, 64, 64,
    )  # fmt: skip


def attention(*shape: int) -> Make:
    """Attention of queries, keys and values of a shape, and its gradients by all three."""

    def make(ad: ModuleType, nn: ModuleType) -> Step:
        ad.manual_seed(0)
        inputs = [ad.randn(*shape).requires_grad_() for _ in range(3)]
        g = ad.randn(*shape)

        def step() -> None:
            for x in inputs:
                x.grad = None
            nn.functional.scaled_dot_product_attention(*inputs).backward(g)

        return step

    return make


def cross_entropy(rows: int, classes: int) -> Make:
    """The mean loss of scores, and its gradient by them."""

    def make(ad: ModuleType, nn: ModuleType) -> Step:
        ad.manual_seed(0)
        x, labels = ad.randn(rows, classes).requires_grad_(), ad.randint(0, classes, (rows,))

        def step() -> None:
            x.grad = None
            nn.functional.cross_entropy(x, labels).backward()

        return step

    return make


def regularised_mlp(*sizes: int, batch: int, optimizer_name: str) -> Make:
    """A training step of a network with batch normalisation and dropout behind each hidden layer."""

    def make(ad: ModuleType, nn: ModuleType) -> Step:
        ad.manual_seed(0)
        layers = []
        for inputs, outputs in pairwise(sizes[:-1]):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.2)]
        model = nn.Sequential(*layers, nn.Linear(*sizes[-2:]))
        criterion = nn.CrossEntropyLoss()
        optimizer = getattr(import_module("optim" if ad.__name__ == "autodiff" else "torch.optim"), optimizer_name)(
            model.parameters(), lr=1e-3
        )
        x, labels = ad.randn(batch, sizes[0]), ad.randint(0, sizes[-1], (batch,))

        def step() -> None:
            optimizer.zero_grad()
            criterion(model(x), labels).backward()
            optimizer.step()

        return step

    return make


LAYERS = {
    "TransformerEncoder 2 x 64, feedforward 128": Layer(1.0, encoder(128, 0.0)),
    "TransformerEncoder 2 x 64, feedforward 256": Layer(1.0, encoder(256, 0.0)),
    "TransformerEncoder 2 x 64, feedforward 128, dropout 0.1": Layer(1.2, encoder(128, 0.1)),
    "attention (16, 4, 256, 64)": Layer(1.2, attention(16, 4, 256, 64)),
    "attention (16, 4, 64, 16)": Layer(1.2, attention(16, 4, 64, 16)),
    **{
        f"MLP 64-128-64-10 with BatchNorm1d and Dropout, {name}, batch 32": Layer(
            0.45, regularised_mlp(64, 128, 64, 10, batch=32, optimizer_name=name)
        )
        for name in ("SGD", "Adam")
    },
    "Softmax (1024, 1024)": Layer(1.2, layer(lambda nn: nn.Softmax(-1), 1024, 1024)),
    "LogSoftmax (1024, 1024)": Layer(1.2, layer(lambda nn: nn.LogSoftmax(-1), 1024, 1024)),
    "cross-entropy (1024, 1024)": Layer(1.2, cross_entropy(1024, 1024)),
    "LayerNorm (1024, 1024)": Layer(1.2, layer(lambda nn: nn.LayerNorm(1024), 1024, 1024)),
    "LayerNorm (32, 64)": Layer(1.0, layer(lambda nn: nn.LayerNorm(64), 32, 64)),
    "RMSNorm (1024, 1024)": Layer(1.2, layer(lambda nn: nn.RMSNorm(1024), 1024, 1024)),
    "BatchNorm1d (1024, 1024)": Layer(2.0, layer(lambda nn: nn.BatchNorm1d(1024), 1024, 1024)),
    "BatchNorm2d (16, 64, 32, 32)": Layer(2.0, layer(lambda nn: nn.BatchNorm2d(64), 16, 64, 32, 32)),
    "GroupNorm (16, 64, 32, 32)": Layer(2.0, layer(lambda nn: nn.GroupNorm(8, 64), 16, 64, 32, 32)),
    "InstanceNorm2d (16, 64, 32, 32)": Layer(2.0, layer(lambda nn: nn.InstanceNorm2d(64), 16, 64, 32, 32)),
    **{
        f"{name} (1024, 1024)": Layer(2.0, layer(lambda nn, name=name: getattr(nn, name)(), 1024, 1024))
        for name in ("ReLU", "LeakyReLU", "Hardswish", "ELU", "GELU", "SiLU", "Mish", "Softplus", "Dropout")
    },
}


def measure(library: str, part: str) -> dict[str, float]:
    """The median seconds of each layer."""
    nn = import_module("nn" if library == "autodiff" else "torch.nn")
    found = {}
    for name, (_, make) in LAYERS.items():
        if part in name:
            step, times = make(import_module(library), nn), []
            end = perf_counter() + 0.3
            while perf_counter() < end or len(times) < 10:
                start = perf_counter()
                step()
                times.append(perf_counter() - start)
            found[name] = median(times[len(times) // 4 :])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="a part of the names of the layers to time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--measure", metavar="LIBRARY", help="time one library and print JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.part)))
        return
    found: dict[tuple[str, int], list[dict[str, float]]] = {
        ("autodiff", 1): [], ("autodiff", 2): [], ("torch", 1): [], ("torch", 2): [],
    }  # fmt: skip
    for _ in range(options.rounds):
        for (library, threads), rounds in found.items():
            python = sys.executable if library == "autodiff" else options.torch_python
            command = [python, "-m", "benchmarks.layers", options.part, "--measure", library]
            rounds.append(json.loads(run(command, threads)))
    print("| layer | ours, ms | theirs, ms | ratio | goal |\n|---|--:|--:|--:|--:|")
    for name in found["torch", 1][0]:
        ours, theirs = (
            min(median(times[name] for times in found[library, threads]) for threads in (1, 2))
            for library in ("autodiff", "torch")
        )
        print(f"| {name} | {ours * 1e3:.3f} | {theirs * 1e3:.3f} | {ours / theirs:.2f} | {LAYERS[name].goal:.2f} |")


if __name__ == "__main__":
    main()
