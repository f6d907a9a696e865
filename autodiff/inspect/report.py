"""`report`: one file that shows a model at work on one batch, for a browser and without a network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from html import escape
from math import prod
from pathlib import Path
from re import sub
from typing import Any

import numpy as np

from autodiff.files import write
from autodiff.grad_mode import enable_grad
from autodiff.inspect.curves import curves_of
from autodiff.inspect.flame import flame_of
from autodiff.inspect.layers import Layers
from autodiff.inspect.operations import operations_of, shape_text
from autodiff.inspect.profile import profile
from autodiff.inspect.profile_table import duration
from autodiff.inspect.structure import identity, size, structure_of
from autodiff.inspect.watching import watched
from autodiff.random import get_rng_state, set_rng_state
from autodiff.tensor import Tensor

PAGE = Path(__file__).with_name("page")
# Of so many steps the times of the fastest are shown, which other programs have disturbed least.
TIMES = 3
SCRIPTS = ("elements.js", "graph.js", "layers.js", "start.js")


def report(
    model: Any,
    batch: Any,
    loss: Any = None,
    optimizer: Any = None,
    history: Any = None,
    path: str | os.PathLike[str] = "report.html",
) -> Path:
    """Write an HTML file that shows `model` at work on `batch`, and return its path.

    It holds the graph, of which modules are opened by a click, a table of the layers (shapes, parameters, activations,
    gradients, time, bytes saved for the backward pass), histograms of activations, weights and gradients, a flame
    picture, and a search through all of them; nothing is fetched when it is opened.

    `batch` is the input of the model, or a tuple of its inputs. With `loss`, a function of an output and a target, it
    is ``(input, target)``, as loaders give it; without, the gradients are those of the sum of all outputs. With
    `optimizer` the table has what a step changes, and what `lint` finds stands above it. `history` are the numbers of a
    training: lists by name, or one dict an epoch. Copies are run, a few times with the same random numbers, so that
    neither the model, the optimizer nor the random generator changes.

    TypeError for a model without ``named_modules``, for a batch that does not go with `loss`, and for another history.

    >>> import autodiff as ad, nn
    >>> from autodiff.inspect import report
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     report(nn.Linear(2, 1), ad.ones(4, 2), path=f"{folder}/linear.html").name
    'linear.html'
    """
    if not all(hasattr(model, name) for name in ("named_modules", "named_parameters", "register_forward_hook")):
        raise TypeError(f"report expected a module, got {type(model).__name__} {model!r:.40}")
    if loss is not None and not (isinstance(batch, tuple | list) and len(batch) >= 2):
        raise TypeError(
            f"with a loss, report expected a batch (input, target), got {type(batch).__name__}; "
            f"without one write report(model, inputs)"
        )
    curves = curves_of(history)
    random_state = get_rng_state()
    try:
        # Together, so that the copy of the optimizer has the parameters of the copy of the model.
        data, flame = _looked_at(*deepcopy((model, optimizer)), batch, loss, random_state)
    finally:
        set_rng_state(random_state)
    target = Path(path)
    write(target, _page(type(model).__name__, data | {"curves": curves}, flame).encode())
    return target


def _looked_at(model: Any, optimizer: Any, batch: Any, loss: Any, random_state: Any) -> tuple[dict[str, Any], str]:
    """What the page shows of a step, and the flame picture."""
    layers = Layers(model)
    inputs, target = (tuple(batch[:-1]), batch[-1]) if loss is not None else (batch, None)
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)

    def forward(*given: Any) -> tuple[dict[str, Tensor], Tensor]:
        """The outputs of the graph by name, and the number that is differentiated."""
        set_rng_state(random_state)
        for p in model.parameters():
            p.grad = None
        output = model(*given)
        if loss is not None:
            value = loss(output, target)
            return {"loss": value}, value
        outputs = {f"output {i}" if i else "output": y for i, y in enumerate(_tensors(output)) if y.node is not None}
        if not outputs:
            raise TypeError(f"report expected a model whose output requires grad, got {type(output).__name__}")
        first, *others = [y.sum() for y in outputs.values()]
        return outputs, sum(others, first)

    with enable_grad():
        # Inputs that require grad are in the graph, and with them what happens before the first parameter.
        tracked = [
            x.detach().requires_grad_() if isinstance(x, Tensor) and x.is_floating_point() else x for x in inputs
        ]
        with watched(model) as seen, layers.watching():
            outputs, value = forward(*tracked)
        structure = structure_of(
            outputs,
            {identity(p): name for name, p in model.named_parameters()},
            {identity(x): f"input {i}" if i else "input" for i, x in enumerate(tracked) if isinstance(x, Tensor)},
        )
        called = dict.fromkeys(call.path for call in sorted(seen.calls, key=lambda call: call.start))
        graph = operations_of(structure, seen.calls)
        value.backward()
        layers.gradients()
        # A step as it is made, whose inputs mostly have no gradient.
        given = tracked
        if layers.parameters:
            given = [x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs]
        p = _fastest(lambda: forward(*given)[1].backward())
        findings = _step(model, optimizer, layers, lambda: forward(*given)[1])
    rows = layers.rows(called, {row.name.partition(".")[2]: row for row in p.modules if _of(model, row.name)})
    order = {row["name"]: i for i, row in enumerate(rows)}
    for node in graph:
        node["module"] = order.get(node["module"], -1)
    data = {
        "summary": _summary(model, inputs, value if loss is not None else None, p, graph, layers),
        "layers": rows,
        "graph": graph,
        "findings": findings,
    }
    return data, flame_of(p.frames(merge=True))


def _fastest(step: Callable[[], Any]) -> Any:
    """The profile of the fastest of a few steps."""
    profiles = []
    for _ in range(TIMES):
        with profile() as p:
            step()
        profiles.append(p)
    return min(profiles, key=lambda p: p.seconds)


def _of(model: Any, name: str) -> bool:
    return name.partition(".")[0] == type(model).__name__


def _step(model: Any, optimizer: Any, layers: Layers, again: Any) -> list[str]:
    """What `lint` finds, and how far a step of the optimizer changes the layers."""
    if optimizer is None:
        return []
    # Of the whole package, which has imported this file by now.
    from autodiff.inspect import lint

    findings = [str(finding) for finding in lint(model, optimizer)]

    def closure() -> Any:
        value = again()
        value.backward()
        return value

    with layers.changing():
        # Of the class, since a schedule may have put a step of its own on the optimizer that was copied.
        type(optimizer).step(optimizer, closure)
    return findings


def _summary(
    model: Any, inputs: Any, value: Tensor | None, p: profile, graph: list[Any], layers: Layers
) -> list[tuple[str, str]]:
    """Names and values for the top of the page."""
    parameters = [q for _, q in model.named_parameters()]
    shapes = ", ".join(shape_text(x.shape) or "a number" for x in _tensors(inputs))
    passes = sum(event.seconds for event in p.events if event.kind == "pass")
    found = [
        ("model", type(model).__name__),
        ("parameters", f"{sum(prod(q.shape) for q in parameters):,} in {len(parameters)} tensors"),
        ("inputs", shapes),
        ("operations", f"{sum(node['times'] for node in graph if not node['end']):,}"),
        ("forward and backward", f"{duration(p.seconds)}, of which backward {duration(passes)}"),
        ("saved for backward", size(sum(row.saved for row in p.ops))),
    ]
    if (norm := layers.norm()) is not None:
        found.append(("norm of the gradient", f"{norm:.4g}"))
    return found if value is None else [*found, ("loss", f"{value.item():.6g}")]


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return [x for part in parts for x in _tensors(part)]


def _page(title: str, data: Mapping[str, Any], flame: str) -> str:
    text = json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    parts = {
        "title": escape(title),
        # Inside a script element only this begins markup.
        "data": text.replace("<", "\\u003c"),
        "flame": flame,
        "script": "\n".join((PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS),
    }
    page = (PAGE / "page.html").read_text(encoding="utf-8")
    return sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)


def _plain(value: Any) -> Any:
    """The same for JSON, which has no NaN and no infinity: these are words."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if np.isfinite(value) else str(float(value))
    return value
