"""What there is to draw: the structure of a recorded graph, or of a model that is run for it, and its modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

from autodiff.backpropagation import rules_recorded
from autodiff.grad_mode import enable_grad
from autodiff.inspect.module_calls import calls_again, calls_by_names, rules_behind
from autodiff.inspect.structure import Structure, identity, structure_of
from autodiff.inspect.tree import Group, tree_of
from autodiff.inspect.watching import Watched, watched
from autodiff.random import get_rng_state, set_rng_state
from autodiff.tensor import Tensor


@dataclass(frozen=True)
class Recorded:
    """A graph with all its boxes, the tree of the modules in which they stand, its outputs by name, and, if a model ran
    for it, what was seen meanwhile."""

    structure: Structure
    tree: Group
    outputs: dict[str, Tensor]
    seen: Watched


def record(what: Any, *inputs: Any, params: Any = None, timed: bool = False) -> Recorded:
    """What `draw` draws of its arguments; `timed` measures how long each operation takes, if a model is run."""
    if inputs and not callable(what):
        raise TypeError(
            f"draw got {len(inputs)} more values after a {type(what).__name__}, but only a module or function is run "
            f"on inputs; to name the parameters write draw(loss, params=model)"
        )
    names: dict[Any, str] = {}
    arguments: dict[Any, str] = {}
    seen, result = Watched(), what
    if callable(what):
        names, arguments, seen, result = _run(what, inputs, params, timed)
    outputs = _outputs(result)
    structure = structure_of(outputs, names | _names(params), arguments)
    made = rules_behind(structure, rules_recorded)
    for key, (name, *_) in made.items():
        box = structure.boxes[key]
        structure.boxes[key] = replace(box, note=box.note or f"gradient of {name}")
    calls = seen.calls or calls_by_names(structure, params, made)
    calls = [*calls, *calls_again(structure, calls, made)]
    return Recorded(structure, tree_of(structure, calls), outputs, seen)


def _outputs(result: Any) -> dict[str, Tensor]:
    """What the picture ends in, by name."""
    outputs = dict(_tensors(result, "" if isinstance(result, Mapping) else "output"))
    if not outputs:
        raise TypeError(
            f"draw expected a tensor, a list or dict of tensors, or a module that returns these; "
            f"got {type(result).__name__} {result!r:.60}"
        )
    if all(y.node is None for y in outputs.values()):
        raise ValueError(
            f"there is no graph to draw: nothing was recorded for {', '.join(outputs)}. Operations are recorded when "
            f"an input requires grad, as the parameters of a module do and ad.tensor(..., requires_grad=True), and "
            f"recording is on: not under ad.no_grad() or ad.inference_mode(), and not after .detach()"
        )
    return outputs


def _run(
    function: Any, inputs: tuple[Any, ...], params: Any, timed: bool
) -> tuple[dict[Any, str], dict[Any, str], Watched, Any]:
    """The names of a copy's parameters, those of its inputs, what was seen while it ran, and what it returned."""
    random_state = get_rng_state()
    try:
        function = deepcopy(function)
        # An input that requires grad is in the graph, and with it what happens before the first parameter.
        tracked = [_tracked(x) for x in inputs]
        arguments = signature(getattr(function, "forward", function)).bind(*tracked).arguments
        with enable_grad(), watched(function, params, timed=timed) as seen:
            result = function(*tracked)
    except Exception as error:
        error.add_note(
            f"(while draw ran a copy of the {type(function).__name__} on its inputs, draw(model, x); "
            f"to run it yourself: draw(model(x), params=model))"
        )
        raise
    finally:
        set_rng_state(random_state)
    names = _names(function if hasattr(function, "named_parameters") else None)
    return names, {identity(x): name for name, x in _tensors(arguments)}, seen, result


def _tracked(x: Any) -> Any:
    """A float tensor as a leaf of its own that requires grad; anything else as it is."""
    return x.detach().requires_grad_() if isinstance(x, Tensor) and x.is_floating_point() else x


def _names(params: Any) -> dict[Any, str]:
    """Names by identity, of a module or a dict; where a tensor has two names, the first."""
    if hasattr(params, "named_parameters"):
        named = [*params.named_parameters(), *getattr(params, "named_buffers", tuple)()]
    elif isinstance(params, Mapping):
        named = list(params.items())
    else:
        named = [] if params is None else [("params", params)]
    for name, x in named:
        if not isinstance(x, Tensor):
            raise TypeError(
                f"draw expected params to be a module or a dict of tensors by name, such as params={{'w': w}}; "
                f"got {type(x).__name__} for {name}"
            )
    return {identity(x): str(name) for name, x in reversed(named)}


def _tensors(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested lists, tuples and dicts, with the path to each: ``("state[0]", x)``."""
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _tensors(item, f"{path}[{i}]")
