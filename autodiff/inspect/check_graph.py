"""Whether each op's rule is right where a program uses it: derivatives by differences at the recorded inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.backward import grad
from autodiff.grad_mode import enable_grad, no_grad
from autodiff.inspect.calls import UNKNOWN, Call, calls_behind
from autodiff.inspect.finding import Finding, Report
from autodiff.tensor import Array, Tensor, wrap

# A rule is wrong if one of these attempts says so and none that it is right: steps, as parts of the cube root of the
# rounding; how far the inputs are moved first, as parts of their size; the least unit of a step. A kink lies between
# two steps, or exactly at an input, by chance only; inputs may be so small that a step of unit 1 passes many kinks.
ATTEMPTS = ((1.0, 0.0, 1.0), (1e-2, 1e-3, 1.0), (1e-2, 1e-3, 0.0))
# An attempt tells nothing if rounding could be more than this part of the derivative.
READABLE = 0.01


def check_graph(loss: Tensor | Callable[[], Tensor], *, tolerance: float = 1e-4) -> Report:
    """The ops in the graph of a loss whose rule is wrong at the inputs that they had; false if there are none.

    For one's own ops and Functions inside a real model: each recorded call is computed again in float64, and what its
    rule says along a random direction, for each input, is compared with central differences; they must agree to
    `tolerance` of their size. Give a function that computes the loss: of a loss alone only those calls can be checked
    whose operands its graph kept, and the report counts the others. A function must be deterministic. A derivative that
    is wrong on purpose, as of a straight-through estimator, is reported too. TypeError for anything else.

    >>> import autodiff as ad
    >>> class Cube(ad.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return 2 * ctx.saved_tensors[0] ** 2 * g
    >>> x = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> found = ad.check_graph(lambda: Cube.apply(x.exp()).sum())
    >>> [finding.op for finding in found.findings]
    ['Cube']
    """
    draw = np.random.default_rng(0)
    findings: list[Finding] = []
    unchecked: dict[str, str] = {}
    count = 0

    def see(call: Call) -> None:
        nonlocal count
        if call.node is None:
            return
        count += 1
        why, problems = _checked(call, draw, tolerance)
        if why:
            unchecked[call.name] = why
        findings.extend(Finding(kind, text, call.name, count - 1, call.line) for kind, text in problems)

    with np.errstate(all="ignore"):
        calls_behind(loss, see, "check_graph")
    note = "; ".join(f"{name} was not checked: {why}" for name, why in sorted(unchecked.items()))
    verdict = "rules that disagree with differences" if findings else "every rule that was checked is right"
    return Report(f"{count} calls: {verdict}", findings, note)


def _checked(call: Call, draw: np.random.Generator, tolerance: float) -> tuple[str, list[tuple[str, str]]]:
    """Why a call cannot be checked, or nothing; and what is wrong with its rule."""
    if call.again is None or any(x is UNKNOWN for x in call.inputs):
        return "the graph kept no operands of it; give a function that computes the loss", []
    if any(isinstance(x, Tensor) and type(x.array) is not np.ndarray for x in call.inputs):
        return "it runs inside vmap", []
    moving = [i for i, x in enumerate(call.inputs) if isinstance(x, Tensor) and x.requires_grad]
    try:
        first, second = (_values(call, _in_double(call.inputs)) for _ in range(2))
    except Exception as error:
        return f"it does not run in float64: {error}", []
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True)):
        return "it is not deterministic", []
    problems: dict[int, str] = {}
    for step, distance, least in ATTEMPTS:
        inputs = _in_double(call.inputs)
        for i in moving:
            x = inputs[i].array
            x += distance * _size(x) * draw.standard_normal(x.shape)
        try:
            said = _compared(call, inputs, moving, step, least, draw, tolerance)
        except Exception as error:
            return "", [("a rule that fails", f"the backward of {call.name}: {error}")]
        problems = {**problems, **{i: text for i, text in said.items() if text}}
        moving = [i for i in moving if said.get(i, "unread")]
    unread = any(i not in problems for i in moving)
    why = "differences do not resolve its derivative here, which is tiny or not finite" if unread else ""
    return why, [("a wrong derivative", problems[i]) for i in moving if i in problems]


def _compared(
    call: Call,
    inputs: list[Any],
    moving: Sequence[int],
    step: float,
    least: float,
    draw: np.random.Generator,
    tolerance: float,
) -> dict[int, str]:
    """For each input of which differences tell something: how the rule disagrees with them, or nothing."""
    leaves = {i: inputs[i].requires_grad_() for i in moving}
    with enable_grad():
        # As in a graph, where what a call reads is mostly no leaf, and may be written to.
        read = [x.clone() if i in leaves and call.name != "clone" else x for i, x in enumerate(inputs)]
        outputs = _outputs(call, read)
    weights = [draw.standard_normal(y.shape) for y in outputs]
    recorded = [(y, wrap(w.astype(y.dtype))) for y, w in zip(outputs, weights, strict=True) if y.requires_grad]
    ys, gs = [y for y, _ in recorded], [g for _, g in recorded]
    gradients = grad(ys, list(leaves.values()), gs, materialize_grads=True) if moving else ()
    eps = max((float(np.finfo(y.dtype).eps) for y in outputs), default=1.0)
    h = step * eps ** (1 / 3)
    allowed = max(tolerance, 10 * eps ** (2 / 3))
    said = {}
    for i, g in zip(moving, gradients, strict=True):
        x = inputs[i].array
        direction = draw.standard_normal(x.shape) * max(least, _size(x))
        up, down = (_values(call, [*inputs[:i], wrap(x + s * direction), *inputs[i + 1 :]]) for s in (h, -h))
        parts = [w * (a - b) / (2 * h) for w, a, b in zip(weights, up, down, strict=True)]
        numeric, analytic = sum(float(part.sum()) for part in parts), float((g.array * direction).sum())
        size = max(_length(g.array * direction), sum(map(_length, parts)))
        noise = 100 * eps / h * sum(_length(w * a) for w, a in zip(weights, up, strict=True))
        if abs(numeric - analytic) <= allowed * size + min(noise, READABLE * size):
            said[i] = ""
        elif np.isfinite(numeric) and not noise > READABLE * size:
            said[i] = (
                f"input {i} of {call.name}: along a random direction the rule gives {analytic:.6g}, differences "
                f"{numeric:.6g}"
            )
    return said


def _size(x: Array) -> float:
    return float(np.abs(x).mean()) if x.size else 0.0


def _length(array: Array) -> float:
    return float(np.sqrt(np.sum(np.square(array))))


def _in_double(inputs: Sequence[Any]) -> list[Any]:
    """The inputs of a call, floating-point ones as new tensors of float64."""
    return [
        wrap(x.array.astype(np.float64 if x.array.dtype.kind == "f" else x.array.dtype)) if isinstance(x, Tensor) else x
        for x in inputs
    ]


def _outputs(call: Call, inputs: Sequence[Any]) -> list[Tensor]:
    result = call.again(*inputs, **call.params)  # type: ignore[misc]
    outputs = result if isinstance(result, tuple) else (result,)
    return [y for y in outputs if isinstance(y, Tensor) and y.array.dtype.kind == "f"]


def _values(call: Call, inputs: Sequence[Any]) -> list[Array]:
    with no_grad():
        copies = [wrap(x.array.copy()) if isinstance(x, Tensor) else x for x in inputs]
        return [y.array.astype(np.float64) for y in _outputs(call, copies)]
