"""Where the rounding of a loss comes from: each op of its graph computed again in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autodiff.grad_mode import no_grad
from autodiff.graph import Node
from autodiff.inspect.backward_again import backward_again
from autodiff.inspect.calls import UNKNOWN, Call, calls_behind
from autodiff.inspect.finding import Finding, Report
from autodiff.tensor import Array, Tensor, wrap

# Ops in the ranking.
SHOWN = 10


class _Rounding(NamedTuple):
    number: int
    call: Call
    # float64 minus float32 of the output, for the same inputs.
    error: Array


def precision(loss: Tensor | Callable[[], Tensor]) -> Report:
    """The ops of a graph, ranked by the rounding error that they add to the loss.

    Each call is computed again in float64 on the inputs that it had; the difference to what it gave, times the gradient
    of the loss by its output, is what it adds, to first order. The sum over all ops, in the first sentence, is what the
    loss would change by if the whole graph ran in float64. Give a function that computes the loss: of a loss alone
    those calls are left out whose operands its graph did not keep. TypeError for anything else.

    >>> import autodiff as ad
    >>> x = ad.full((100,), 0.1, requires_grad=True)
    >>> found = ad.precision(lambda: ((x + 4096.0) - 4096.0).sum())
    >>> found.findings[0].op
    'add'
    """
    roundings: dict[Node, _Rounding] = {}
    added: dict[Node, float] = {}
    count = missing = 0

    def see(call: Call) -> None:
        nonlocal count, missing
        if call.node is not None:
            error = _rounding(call)
            if error is None:
                missing += 1
            else:
                roundings[call.node] = _Rounding(count, call, error)
            count += 1

    def watch(node: Node, g: Any, parent: Node, gx: Any) -> None:
        if node in roundings and node not in added:
            added[node] = float(np.sum(np.asarray(g, np.float64) * roundings[node].error))

    with np.errstate(all="ignore"):
        result = calls_behind(loss, see, "precision")
        backward_again(result, watch)
    ranked = sorted((node for node in added if added[node]), key=lambda node: -abs(added[node]))
    findings = [_finding(added[node], roundings[node]) for node in ranked[:SHOWN]]
    total, value = sum(added.values()), float(result.array.sum())
    summary = f"loss {value:.9g} in {result.dtype}; in float64 it would change by {total:+.3g}"
    why = (
        "its graph kept no operands: give a function" if isinstance(loss, Tensor) else "several outputs, or inside vmap"
    )
    note = f"{missing} of {count} calls could not be computed again ({why})" if missing else ""
    return Report(summary, findings, note)


def _rounding(call: Call) -> Array | None:
    y = call.output
    if call.again is None or not isinstance(y, Tensor) or any(x is UNKNOWN for x in call.inputs):
        return None
    if type(y.array) is not np.ndarray:
        return None
    wide = [wrap(x.array.astype(_wider(x.array.dtype))) if isinstance(x, Tensor) else x for x in call.inputs]
    try:
        with no_grad():
            exact = call.again(*wide, **call.params)
    except Exception:
        return None
    return np.asarray(exact.array, np.float64) - y.array if exact.shape == y.shape else None


def _wider(dtype: Any) -> Any:
    return np.float64 if dtype.kind == "f" else dtype


def _finding(added: float, rounding: _Rounding) -> Finding:
    call, error = rounding.call, rounding.error
    size = float(np.abs(call.output.array).max()) if error.size else 0.0
    worst = float(np.abs(error).max()) if error.size else 0.0
    text = f"{call.name} rounds by up to {worst:.2g} where its largest value is {size:.3g}"
    return Finding(f"{added:+.2g} of the loss", text, call.name, rounding.number, call.line)
