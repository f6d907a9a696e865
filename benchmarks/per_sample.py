"""Time gradients of each sample, and of each model of an ensemble: ``python -m benchmarks.per_sample``.

By ``vmap(grad(loss))`` and by a loop, here and in torch.func on one thread. The libraries take turns in processes of
their own, as in `python -m benchmarks`; the times are medians over the rounds.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from statistics import median
from typing import Any

from benchmarks.__main__ import run
from benchmarks.worker import seconds_per_step

GOAL = 10.0
LAYERS = {"autodiff": "nn", "torch": "torch.nn"}
Step = Callable[[], Any]


def network(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 10))


def convolutional(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(784, 10),
    )  # fmt: skip


def transformer(nn: Any) -> Any:
    return nn.Sequential(
        nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True), nn.Flatten(), nn.Linear(512, 10)
    )


def recurrent(nn: Any) -> Any:
    return nn.LSTM(16, 10, batch_first=True)


# The model, and the shape of a batch of samples for it.
MODELS = {
    "network (20, 32, 10), 64 samples": (network, (64, 20)),
    "convolutional network, 32 samples of 28 by 28": (convolutional, (32, 1, 28, 28)),
    "transformer layer of 32, 32 samples of 16": (transformer, (32, 16, 32)),
    "LSTM 16-10, 32 samples of 12": (recurrent, (32, 12, 16)),
}
ENSEMBLE = "ensemble of 8 convolutional networks, batch 8"


def prepared(library: str) -> tuple[Any, Any, Any]:
    """The library, its layers, and the loss of a model with some parameters."""
    m, nn = import_module(library), import_module(LAYERS[library])
    if library == "torch":
        m.set_num_threads(1)
        # Of layers that have no form in its vmap it says so.
        warnings.simplefilter("ignore")
    m.manual_seed(0)

    def loss(model: Any, p: Any, x: Any, y: Any) -> Any:
        scores = m.func.functional_call(model, p, (x,))
        return nn.functional.cross_entropy(scores[0][:, -1] if isinstance(scores, tuple) else scores, y)

    return m, nn, loss


def of_samples(library: str, name: str) -> list[Step]:
    """Functions that compute the gradients of each sample, all at once and in loops of both kinds."""
    m, nn, loss = prepared(library)
    build, shape = MODELS[name]
    model, x, y = build(nn), m.randn(*shape), m.randint(0, 10, (shape[0], 1))
    leaves = dict(model.named_parameters())
    constants = {key: p.detach() for key, p in leaves.items()}

    def gradient(p: Any, x: Any, y: Any) -> Any:
        return m.func.grad(lambda p: loss(model, p, x.unsqueeze(0), y))(p)

    per_sample = m.func.vmap(gradient, in_dims=(None, 0, 0))
    backward, wanted, count = m.autograd.grad, list(leaves.values()), range(len(x))
    return [
        lambda: per_sample(constants, x, y),
        lambda: [gradient(constants, x[i], y[i]) for i in count],
        lambda: [backward(loss(model, leaves, x[i : i + 1], y[i]), wanted) for i in count],
    ]


def of_an_ensemble(library: str) -> list[Step]:
    """The same for the gradients of each model."""
    m, nn, loss = prepared(library)
    models = [convolutional(nn) for _ in range(8)]
    x, y = m.randn(8, 1, 28, 28), m.randint(0, 10, (8,))
    stacked = {key: p.detach() for key, p in m.func.stack_module_state(models)[0].items()}
    leaves = [dict(model.named_parameters()) for model in models]
    constants = [{key: p.detach() for key, p in each.items()} for each in leaves]

    def gradient(p: Any) -> Any:
        return m.func.grad(lambda p: loss(models[0], p, x, y))(p)

    per_model, backward = m.func.vmap(gradient), m.autograd.grad
    return [
        lambda: per_model(stacked),
        lambda: [gradient(each) for each in constants],
        lambda: [backward(loss(models[0], each, x, y), list(each.values())) for each in leaves],
    ]


def measure(library: str) -> dict[str, list[float]]:
    """The milliseconds of each way, by model."""
    found = {}
    for name in [*MODELS, ENSEMBLE]:
        steps = of_an_ensemble(library) if name == ENSEMBLE else of_samples(library, name)
        found[name] = [1e3 * seconds_per_step(step) for step in steps]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.per_sample", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each library (default: 5)")
    parser.add_argument("--torch-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--library", choices=LAYERS, help="time one library here and print JSON")
    arguments = parser.parse_args()
    if arguments.library:
        print(json.dumps(measure(arguments.library)))
        return
    found: dict[str, list[dict[str, list[float]]]] = {library: [] for library in LAYERS}
    for _ in range(arguments.rounds):
        for library, times in found.items():
            python = arguments.torch_python if library == "torch" else sys.executable
            times.append(json.loads(run([python, "-m", "benchmarks.per_sample", "--library", library])))
    print("| gradients of each | vmap of grad, ms | torch, ms | ratio | faster than our loops of grad, of backward |")
    print("|---|--:|--:|--:|--:|")
    for name in [*MODELS, ENSEMBLE]:
        ours, theirs = (
            [median(each) for each in zip(*(times[name] for times in found[library]), strict=True)]
            for library in LAYERS
        )
        loops = " and ".join(f"{loop / ours[0]:.1f}" for loop in ours[1:])
        print(f"| {name} | {ours[0]:.3f} | {theirs[0]:.3f} | {ours[0] / theirs[0]:.2f} | {loops} |")
    print(f"\nThe goal is {GOAL:g} times a loop, for a network whose ops are small.")


if __name__ == "__main__":
    main()
