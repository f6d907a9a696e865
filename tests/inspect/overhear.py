"""Runs a program while `Lint` looks at every step of every optimizer in it: ``python -m tests.inspect.overhear it``.

The model is the smallest module that is alive and has all parameters of the optimizer; the loss what was last
differentiated. Prints what was found, and after how many steps. `--torch` runs a program written for PyTorch.
"""

import gc
import json
import os
import runpy
import sys
from typing import Any
from weakref import WeakKeyDictionary, ref

import autodiff as ad
import nn
from autodiff.inspect import Lint
from optim.hooks import register_optimizer_step_pre_hook


class Parameters:
    """What stands for a model where a program has none."""

    def __init__(self, optimizer: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.named = [(f"parameter {number}", p) for number, p in enumerate(parameters)]

    def named_parameters(self) -> Any:
        return self.named


def model_of(optimizer: Any) -> Any:
    trained = {p for group in optimizer.param_groups for p in group["params"]}
    modules = [module for module in gc.get_objects() if isinstance(module, nn.Module)]
    sizes = [(len(list(module.parameters())), module) for module in modules if trained <= set(module.parameters())]
    return min(sizes, key=lambda pair: pair[0])[1] if sizes else Parameters(optimizer)


def listen(counts: dict[str, int]) -> None:
    """Let `Lint` hear every step from now on; `counts` gets each finding with the number of the step."""
    watches: WeakKeyDictionary[Any, Lint] = WeakKeyDictionary()
    last: list[Any] = []
    backward: Any = ad.Tensor.backward

    def listening(self: Any, *args: Any, **options: Any) -> None:
        last[:] = [ref(self)]
        backward(self, *args, **options)

    def before_step(optimizer: Any, args: Any, options: Any) -> None:
        # A step with a closure differentiates inside.
        if args or options.get("closure") is not None or not last or last[0]() is None:
            return
        counts["steps"] = counts.get("steps", 0) + 1
        if optimizer not in watches:
            watches[optimizer] = Lint(model_of(optimizer), optimizer)
        for finding in watches[optimizer].check(last[0]()):
            counts[f"{type(optimizer).__name__}: {finding}"] = counts["steps"]

    ad.Tensor.backward = listening  # type: ignore[method-assign]
    register_optimizer_step_pre_hook(before_step)


def main() -> None:
    program, *arguments = sys.argv[1:]
    if program == "--torch":
        from autodiff.as_torch import install

        install()
        program, *arguments = arguments
    counts: dict[str, int] = {}
    listen(counts)
    sys.argv = [program, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    try:
        runpy.run_path(program, run_name="__main__")
    finally:
        print(json.dumps({"overheard": counts}, indent=1))


if __name__ == "__main__":
    main()
