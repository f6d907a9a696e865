"""Plants faults into healthy programs, each at every place where it can be, and compares what `Lint` says with them.

`python -m tests.inspect.faults` prints the table of `docs/lint.md`.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import autodiff as ad
import nn
import nn.functional as F
import optim
from autodiff.inspect import Lint
from autodiff.inspect.places import module_of
from tests.inspect.held_out import HELD_OUT
from tests.inspect.held_out_later import HELD_OUT_LATER
from tests.inspect.programs import DEVELOPED_ON, Program

STEPS, BATCH = 5, 16
Said = dict[str, set[str]]


@dataclass
class Case:
    """One run of a program with a fault: where it is, what lint should say, and how the program is changed for it."""

    place: str
    expected: Said
    # What else may be said, as it follows from the fault.
    follows: Said = field(default_factory=dict)
    change: Callable[[nn.Module], Any] = lambda model: None
    parameters: Callable[[nn.Module], Any] = lambda model: model.parameters()
    loss: Callable[[Program, nn.Module, int], ad.Tensor] = lambda program, model, step: program.loss(model, BATCH)
    after_optimizer: Callable[[nn.Module], Any] = lambda model: None
    before_check: Callable[[nn.Module, optim.Optimizer], Any] = lambda model, optimizer: None
    zero_grad: Callable[[nn.Module, optim.Optimizer], Any] = lambda model, optimizer: optimizer.zero_grad()
    step: Callable[[optim.Optimizer], Any] = lambda optimizer: optimizer.step()
    keep: Callable[[dict[str, Any], ad.Tensor], Any] = lambda kept, loss: None
    state: dict[str, Any] = field(default_factory=dict)
    retain_graph: bool = False
    # Whether to stop once the fault is found, as it spoils the steps that follow.
    stop: bool = False


def said(program: Program, case: Case, steps: int = STEPS) -> Said:
    """What lint says of the program with the fault: kinds of findings and their places."""
    ad.manual_seed(0)
    model = program.build()
    case.change(model)
    optimizer = program.optimizer(case.parameters(model))
    case.after_optimizer(model)
    kept: dict[str, Any] = {"total": 0.0, "losses": []}
    state = case.state  # noqa: F841 - lint shall name it
    found: Said = {}
    with Lint(model, optimizer) as watch:
        for step in range(steps):
            case.zero_grad(model, optimizer)
            loss = case.loss(program, model, step)
            loss.backward(retain_graph=case.retain_graph)
            case.before_check(model, optimizer)
            for finding in watch.check(loss):
                found.setdefault(finding.kind, set()).update(finding.places)
            if case.stop and set(case.expected) <= set(found):
                break
            case.keep(kept, loss)
            case.step(optimizer)
    return found


def judged(case: Case, found: Said) -> tuple[bool, bool, Said]:
    """Whether the fault was found, whether at the right place, and what was said beside it."""
    named = all(kind in found for kind in case.expected)
    there = named and all(found[kind] == places for kind, places in case.expected.items())
    beside = {
        kind: places - case.follows.get(kind, set())
        for kind, places in found.items()
        if kind not in case.expected and places - case.follows.get(kind, set())
    }
    return named, there, beside


def names_of(model: nn.Module, axes: int = 0) -> list[str]:
    return [name for name, p in model.named_parameters() if p.ndim >= axes]


def names_beside(model: nn.Module, name: str) -> list[str]:
    """The other parameters of the same module."""
    module = name.rpartition(".")[0]
    return [other for other in names_of(model) if other != name and other.rpartition(".")[0] == module]


def layers_of(model: nn.Module, *kinds: type) -> list[str]:
    """The paths of the modules with parameters of their own, or of the given kinds."""
    return [
        path for path, module in model.named_modules()
        if (isinstance(module, kinds) if kinds else path and list(module.parameters(recurse=False)))
    ]  # fmt: skip


def layers_alone(model: nn.Module) -> list[str]:
    """The layers with parameters that no other layer has, too."""
    owners: dict[Any, set[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        owners.setdefault(p, set()).add(module_of(name))
    return [path for path in layers_of(model) if all({path} == all_ for all_ in owners.values() if path in all_)]


def parameter(model: nn.Module, name: str) -> Any:
    return dict(model.named_parameters())[name]


def below(model: nn.Module, path: str) -> set[str]:
    return {name for name in names_of(model) if name.startswith(f"{path}.")}


def replace(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def missing_from_optimizer(program: Program, model: nn.Module) -> Iterator[Case]:
    for name in names_of(model):
        yield Case(
            name, {"not in the optimizer": {name}},
            parameters=lambda m, name=name: [p for other, p in m.named_parameters() if other != name],
        )  # fmt: skip


def frozen(program: Program, model: nn.Module) -> Iterator[Case]:
    for name in names_of(model):
        if len(names_beside(model, name)) == 0:
            # A whole module may be frozen on purpose.
            continue
        yield Case(name, {"frozen": {name}}, change=lambda m, name=name: parameter(m, name).requires_grad_(False))


def replaced_after(program: Program, model: nn.Module) -> Iterator[Case]:
    """A layer is replaced by a copy after the optimizer was made."""
    order = names_of(model)
    for path in layers_alone(model):
        own = below(model, path)
        old = {f"parameter {order.index(n)} of group 0, shape {parameter(model, n).shape}" for n in own}

        def swap(m: nn.Module, path: str = path) -> None:
            replace(m, path, deepcopy(m.get_submodule(path)))

        yield Case(path, {"not in the model": old, "not in the optimizer": own}, after_optimizer=swap)


def unused(program: Program, model: nn.Module) -> Iterator[Case]:
    """Every module gets a layer that its forward does not use."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Sequential | nn.ModuleList):
            continue
        spare = f"{path}.spare" if path else "spare"
        yield Case(
            spare, {"no gradient": {f"{spare}.weight", f"{spare}.bias"}},
            change=lambda m, path=path: m.get_submodule(path).register_module("spare", nn.Linear(2, 2)),
        )  # fmt: skip


def detached(program: Program, model: nn.Module) -> Iterator[Case]:
    """The output of each layer is detached: it and what only leads to it get no gradient."""
    for path in layers_of(model):

        def cut(m: nn.Module, path: str = path) -> None:
            m.get_submodule(path).register_forward_hook(lambda module, inputs, y: cut_off(y))

        ad.manual_seed(0)
        trial = program.build()
        cut(trial)
        loss = program.loss(trial, BATCH)
        if not loss.requires_grad:
            # Nothing is left: backward() itself says so.
            continue
        loss.backward()
        without = {name for name, p in trial.named_parameters() if p.grad is None}
        if without:
            yield Case(path, {"no gradient": without}, change=cut)


def cut_off(y: Any) -> Any:
    if isinstance(y, tuple):
        return tuple(map(cut_off, y))
    return y.detach() if isinstance(y, ad.Tensor) else y


def in_plain_list(program: Program, model: nn.Module) -> Iterator[Case]:
    """Each layer stands in a list that nothing registers."""
    for path in layers_alone(model):
        own = {n.removeprefix(f"{path}.") for n in below(model, path)}

        def hide(m: nn.Module, path: str = path) -> None:
            with warnings.catch_warnings(action="ignore"):
                replace(m, path, InList(m.get_submodule(path)))

        yield Case(path, {"unregistered": {f"{path}.layers[0].{n}" for n in own}}, change=hide)


class InList(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layers = [layer]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["layers"][0], name) if "layers" in self.__dict__ else super().__getattr__(name)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.layers[0](*inputs, **options)


def no_zero_grad(program: Program, model: nn.Module) -> Iterator[Case]:
    yield Case("all", {"stale gradients": set(names_of(model))}, zero_grad=lambda m, o: None)
    for name in names_of(model):

        def all_but(m: nn.Module, o: Any, name: str = name) -> None:
            for other, p in m.named_parameters():
                if other != name:
                    p.grad = None

        yield Case(name, {"stale gradients": {name}}, zero_grad=all_but)


def zero_grad_between(program: Program, model: nn.Module) -> Iterator[Case]:
    """zero_grad() stands between backward() and step()."""
    yield Case("all", {"no backward": set(names_of(model))}, before_check=lambda m, o: o.zero_grad())


def no_step(program: Program, model: nn.Module) -> Iterator[Case]:
    yield Case("all", {"no step": {"the optimizer"}}, step=lambda o: None)


def not_finite(program: Program, model: nn.Module) -> Iterator[Case]:
    for bad in (float("inf"), float("nan")):
        for name in names_of(model):

            def spoil(m: nn.Module, o: Any, name: str = name, bad: float = bad) -> None:
                parameter(m, name).grad.array.flat[-1] = bad

            yield Case(name, {"gradient not finite": {name}}, before_check=spoil, step=lambda o: o.zero_grad(),
                       follows={"no step": {"the optimizer"}})  # fmt: skip


def rates(program: Program, model: nn.Module, factor: float, kind: str) -> Iterator[Case]:
    """Each weight in a group of its own, with another learning rate."""
    usual = program.optimizer([nn.Parameter(ad.zeros(1))]).param_groups[0]["lr"]
    for name in names_of(model, 2):

        def groups(m: nn.Module, name: str = name) -> list[dict[str, Any]]:
            others = [p for other, p in m.named_parameters() if other != name]
            return [{"params": others}, {"params": [parameter(m, name)], "lr": usual * factor}]

        # What starts at 0 is changed by the smallest step.
        lost = kind == "no update" and not parameter(model, name).any()
        expected = {"small update" if lost else kind: {"group 1" if factor == 0 else name}}
        # A step that is far too large may leave all units of its layer dead.
        follows = {"no update": {name}} if factor < 1 else {"dead units": {module_of(name)}}
        yield Case(name, expected, follows, parameters=groups, stop=factor > 1)


def zero_rate(program: Program, model: nn.Module) -> Iterator[Case]:
    yield from rates(program, model, 0.0, "learning rate 0")


def large_rate(program: Program, model: nn.Module) -> Iterator[Case]:
    yield from rates(program, model, 1e4, "large update")


def small_rate(program: Program, model: nn.Module) -> Iterator[Case]:
    yield from rates(program, model, 1e-5, "small update")


def lost_rate(program: Program, model: nn.Module) -> Iterator[Case]:
    yield from rates(program, model, 1e-20, "no update")


def dead_layers(program: Program, model: nn.Module, share: float) -> Iterator[Case]:
    for path in program.relus:
        if share < 1 and len(parameter(model, f"{path}.bias")) <= 14:
            continue

        def kill(m: nn.Module, path: str = path) -> None:
            bias = m.get_submodule(path).bias
            bias.data[: math.ceil(share * len(bias))] = -1e4

        yield Case(path, {"dead units": {path}}, change=kill)


def all_dead(program: Program, model: nn.Module) -> Iterator[Case]:
    yield from dead_layers(program, model, 1.0)


def most_dead(program: Program, model: nn.Module) -> Iterator[Case]:
    yield from dead_layers(program, model, 0.9)


def eval_mode(program: Program, model: nn.Module) -> Iterator[Case]:
    """Each module with a mode alone, then all of the model."""
    norms, drops = layers_of(model, nn.BatchNorm1d, nn.BatchNorm2d), layers_of(model, nn.Dropout)
    drops += [path for path in layers_of(model, nn.LSTM, nn.GRU) if model.get_submodule(path).dropout]
    drops += layers_of(model, nn.MultiheadAttention)
    kinds = {"batch norm in eval mode": norms, "dropout in eval mode": drops}
    for kind, paths in kinds.items():
        for path in paths:
            inner = {p for p in drops if p == path or p.startswith(f"{path}.")} if path in drops else {path}
            yield Case(path, {kind: inner}, change=lambda m, path=path: m.get_submodule(path).eval())
    if norms or drops:
        yield Case("all", {k: set(paths) for k, paths in kinds.items() if paths}, change=lambda m: m.eval())


def one_sample(program: Program, model: nn.Module) -> Iterator[Case]:
    norms = layers_of(model, nn.BatchNorm2d)
    if norms:
        yield Case("all", {"batch norm of one sample": set(norms)}, loss=lambda p, m, step: p.loss(m, 1))


def frozen_averages(program: Program, model: nn.Module) -> Iterator[Case]:
    for path in layers_of(model, nn.BatchNorm1d, nn.BatchNorm2d):
        yield Case(
            path, {"batch norm with frozen averages": {path}},
            change=lambda m, path=path: setattr(m.get_submodule(path), "momentum", 0.0),
        )  # fmt: skip


def softmax_twice(program: Program, model: nn.Module) -> Iterator[Case]:
    """Before every loss that takes scores or logarithms, what it should not get."""
    for number, kind in enumerate(losses_of(program)):
        for fault, before in WRONG_INPUTS[kind].items():

            def loss(p: Program, m: nn.Module, step: int, number: int = number, before: Any = before) -> Any:
                with changed_input(number, before):
                    return p.loss(m, BATCH)

            head = program.heads[number]
            follows = {"dead units": {head}} if "relu" in fault else {}
            yield Case(f"{kind} {number}: {fault}", {fault: {f"behind {head}"}}, follows, loss=loss)


LOSSES = ("cross_entropy", "binary_cross_entropy_with_logits", "nll_loss")
WRONG_INPUTS: dict[str, dict[str, Callable[[ad.Tensor], ad.Tensor]]] = {
    "cross_entropy": {
        "softmax before loss": lambda x: x.softmax(1),
        "sigmoid before loss": lambda x: x.sigmoid(),
        "relu before loss": lambda x: x.relu(),
    },
    "binary_cross_entropy_with_logits": {
        "sigmoid before loss": lambda x: x.sigmoid(),
        "relu before loss": lambda x: x.relu(),
    },
    "nll_loss": {
        "nll_loss of probabilities": lambda x: x.exp().log().softmax(1),
        "nll_loss of scores": lambda x: (x.transpose(1, -1) @ ad.eye(x.shape[1])).transpose(1, -1),
        "log of softmax": lambda x: x.softmax(1).log(),
    },
}  # fmt: skip


@contextmanager
def changed_input(number: int, before: Callable[[Any], Any], seen: list[str] | None = None) -> Iterator[None]:
    """The functional losses, which the modules call too, with `before` applied to what the call `number` gets."""
    count = [0]
    originals = {name: getattr(F, name) for name in LOSSES}

    def wrapped(name: str) -> Any:
        def call(x: Any, *rest: Any, **options: Any) -> Any:
            here, count[0] = count[0], count[0] + 1
            if seen is not None:
                seen.append(name)
            return originals[name](before(x) if here == number else x, *rest, **options)

        return call

    for name in LOSSES:
        setattr(F, name, wrapped(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(F, name, original)


def losses_of(program: Program) -> list[str]:
    """The losses with scores or logarithms that one batch goes through."""
    seen: list[str] = []
    with changed_input(-1, lambda x: x, seen):
        program.loss(program.build(), BATCH)
    return seen


def kept_losses(program: Program, model: nn.Module) -> Iterator[Case]:
    def append(kept: dict[str, Any], loss: ad.Tensor) -> None:
        kept["losses"].append(loss)

    def add(kept: dict[str, Any], loss: ad.Tensor) -> None:
        kept["total"] = kept["total"] + loss

    def average(kept: dict[str, Any], loss: ad.Tensor) -> None:
        kept["total"] = 0.9 * kept["total"] + 0.1 * loss

    for name, keep in {"append": append, "add": add, "average": average}.items():
        place = "['losses'][...]" if name == "append" else "['total']"
        yield Case(name, {"kept graphs": {f"kept{place} in said(), faults.py"}}, keep=keep)


def carried_state(program: Program, model: nn.Module) -> Iterator[Case]:
    """A running average of each parameter goes from step to step, with its graph, and into every loss.

    Only what reads no values can be carried past a step without an error: the step overwrites the parameters.
    """
    for name in names_of(model):
        state: dict[str, Any] = {"average": 0.0}

        def loss(p: Program, m: nn.Module, step: int, name: str = name, state: dict[str, Any] = state) -> ad.Tensor:
            state["average"] = 0.9 * state["average"] + 0.1 * parameter(m, name).mean()
            return p.loss(m, BATCH) + 1e-3 * state["average"]

        place = "state['average'] in said(), faults.py"
        yield Case(name, {"growing graph": {place}}, loss=loss, state=state, retain_graph=True)


FAULTS: dict[str, Callable[[Program, nn.Module], Iterator[Case]]] = {
    "parameter missing from the optimizer": missing_from_optimizer,
    "frozen parameter in the optimizer": frozen,
    "layer replaced after the optimizer was made": replaced_after,
    "layer that forward does not use": unused,
    "output of a layer detached": detached,
    "layer in a plain list": in_plain_list,
    "zero_grad forgotten": no_zero_grad,
    "zero_grad between backward and step": zero_grad_between,
    "step forgotten": no_step,
    "gradient inf or NaN": not_finite,
    "learning rate 0": zero_rate,
    "learning rate 10,000 times too large": large_rate,
    "learning rate 100,000 times too small": small_rate,
    "learning rate so small that rounding swallows the step": lost_rate,
    "all units dead": all_dead,
    "nine in ten units dead, of layers with more than 14": most_dead,
    "eval mode in training": eval_mode,
    "batch norm of batches of one": one_sample,
    "batch norm with momentum 0": frozen_averages,
    "wrong input of a loss": softmax_twice,
    "losses kept from step to step": kept_losses,
    "graph that reaches into the steps before": carried_state,
}


def main(programs: list[Program]) -> None:
    """Print the table, and on the standard error what was not as it should be."""
    print("| fault | planted | found | right place | said beside |\n|---|---|---|---|---|")
    for fault, cases in FAULTS.items():
        counts = [0, 0, 0, 0]
        for program in programs:
            ad.manual_seed(0)
            for case in cases(program, program.build()):
                result = said(program, case)
                named, there, beside = judged(case, result)
                counts = [a + b for a, b in zip(counts, (1, named, there, bool(beside)), strict=True)]
                if not there or beside:
                    print("   ", program.name, case.place, "expected", case.expected, "said", result, file=sys.stderr)
        print(f"| {fault} | {' | '.join(map(str, counts))} |", flush=True)
    print("healthy:", {p.name: said(p, Case("", {}), 30) for p in programs}, file=sys.stderr)


if __name__ == "__main__":
    for title, programs in {
        "developed on": DEVELOPED_ON, "held out": HELD_OUT, "held out later": HELD_OUT_LATER
    }.items():  # fmt: skip
        print(f"\n{title}: {', '.join(program.name for program in programs)}\n")
        main(programs)
