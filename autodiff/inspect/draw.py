"""`draw`: a picture of the graph that leads to a tensor, or of a module that is run for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from autodiff.grad_mode import enable_grad
from autodiff.inspect import folding
from autodiff.inspect.calls import calls_by_names, with_rules
from autodiff.inspect.digraph import Drawing, drawing_of
from autodiff.inspect.folding import Fold
from autodiff.inspect.overlay import Overlay, measured, painted
from autodiff.inspect.structure import identity, structure_of
from autodiff.inspect.tree import tree_of
from autodiff.inspect.watching import Watched, watched
from autodiff.random import get_rng_state, set_rng_state
from autodiff.tensor import Tensor


def draw(
    what: Any,
    *inputs: Any,
    params: Any = None,
    depth: float | None = None,
    fold: Fold = None,
    overlay: Overlay | None = None,
) -> Drawing:
    """A picture of the recorded graph: parameters and operations by name, shapes on the arrows, the output below.

    `what` is a tensor, a list or dict of tensors, or a module (or function) that is run on `inputs`. `params` names
    the tensors in the picture: a module, or a dict of tensors by name, in which intermediate results may appear too.
    A module's own parameters and inputs are named by themselves. A copy of it is run, so that neither its running
    averages nor the default random generator move.

    Calls of modules are frames inside each other: those of the model that is run or that is given as `params`; for a
    tensor, what the names of the parameters tell. What follows each other and is alike is drawn once, as ``Block ×12``.
    A picture that would have more than 60 boxes, or be too wide or high to be read, has modules folded into boxes,
    then steps of loops, then parts of long rows; it says below how to open them:

    - ``depth=2`` opens two levels of what stands inside each other, and folds the rest; ``depth=0`` opens nothing.
    - ``fold=lambda part: part.kind == "Linear"`` is asked about each part, which has `path`, `kind` (the class of a
      module) and `times`; True folds it, False opens it (or draws each of its copies), None leaves it to `depth`.
    - ``fold=False`` draws everything.

    `overlay` colours the boxes and gives each a number, with a legend: "gradients" the norms of the gradients of a loss
    (or of outputs with more numbers, each times a random one), where vanishing and exploding ones are seen;
    "activations" the root mean square of the values, as far as the graph still knows them, and how many are zero;
    "time" that of the forward pass, from one recorded operation to the next, while a model is run; "memory" what is
    saved for the backward pass; or a dict of numbers by tensor. Blocks that are alike are then drawn one by one, as
    long as the picture can be read.

    A recorded backward pass (``create_graph=True``) inside a function that is run has frames of its own, with notes of
    which operation each part is the gradient.

    Returns a `graphviz.Digraph`: notebooks show it, `autodiff.inspect.save(graph, "graph.svg")` writes it to a file.
    TypeError for anything else to draw, ValueError if nothing was recorded.

    >>> import autodiff as ad
    >>> from autodiff.inspect import draw
    >>> w = ad.ones(2, 3, requires_grad=True)
    >>> loss = (w * 2).sum()
    >>> graph = draw(loss, params={"w": w})
    >>> "label=w" in graph.source, "label=sum" in graph.source
    (True, True)
    """
    if inputs and not callable(what):
        raise TypeError(
            f"draw got {len(inputs)} more values after a {type(what).__name__}, but only a module or function is run "
            f"on inputs; to name the parameters write draw(loss, params=model)"
        )
    made = _run(what, inputs, params, timed=overlay == "time") if callable(what) else _Made(what)
    outputs = _outputs(made.result)
    structure = structure_of(outputs, made.names | _names(params), made.inputs)
    calls = made.seen.calls or calls_by_names(structure, params)
    calls = with_rules(structure, calls, made.seen.rules)
    picture = folding.fold(structure, tree_of(structure, calls), depth, fold, each=overlay is not None)
    if overlay is not None:
        picture = painted(picture, *measured(overlay, structure, outputs, made.seen))
    return drawing_of(picture)


@dataclass
class _Made:
    """What is drawn, and what is known of it: names of parameters and inputs, and what was seen while it was made."""

    result: Any
    names: dict[Any, str] = field(default_factory=dict)
    inputs: dict[Any, str] = field(default_factory=dict)
    seen: Watched = field(default_factory=Watched)


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


def _run(function: Any, inputs: tuple[Any, ...], params: Any, timed: bool) -> _Made:
    """What a copy of `function` returns, with the names of its parameters and inputs."""
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
    return _Made(result, names, {identity(x): name for name, x in _tensors(arguments)}, seen)


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
