"""What to write instead of an op at a value where it, or its derivative, is infinite or undefined."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.inspect.calls import Call
from autodiff.tensor import Array, Tensor

# Where the op or its derivative leaves the finite numbers, and a condition under which it does not.
GUARDS = {
    "sqrt": ("sqrt has an infinite slope at 0 and no value below", "x > 0", "sqrt"),
    "rsqrt": ("rsqrt is infinite at 0 and has no value below", "x > 0", "rsqrt"),
    "log": ("log is infinite at 0 and has no value below", "x > 0", "log"),
    "log2": ("log2 is infinite at 0 and has no value below", "x > 0", "log2"),
    "log10": ("log10 is infinite at 0 and has no value below", "x > 0", "log10"),
    "log1p": ("log1p is infinite at -1 and has no value below", "x > -1", "log1p"),
    "reciprocal": ("1/x is infinite at 0", "x != 0", "reciprocal"),
    "asin": ("asin has an infinite slope at -1 and 1 and no value beyond", "x.abs() < 1", "asin"),
    "acos": ("acos has an infinite slope at -1 and 1 and no value beyond", "x.abs() < 1", "acos"),
    "atanh": ("atanh is infinite at -1 and 1 and has no value beyond", "x.abs() < 1", "atanh"),
    "acosh": ("acosh has an infinite slope at 1 and no value below", "x > 1", "acosh"),
    "pow_number": ("a power below 1 has an infinite slope at 0, a negative one no value there", "x > 0", "power"),
}
# A logarithm of these has a form of its own that neither overflows nor meets 0.
LOGARITHMS = {
    "softmax": "log_softmax(x) is log(softmax(x)) without ever meeting 0; cross_entropy takes x itself",
    "sigmoid": "nn.functional.logsigmoid(x) is log(sigmoid(x)) without ever meeting 0; "
    "binary_cross_entropy_with_logits takes x itself",
    "sum": "if this is the sum of exponentials, logsumexp(x) is its logarithm without overflow",
}
SQUARES = ("square", "pow_number", "mul")


def safe_form(call: Call, backward: bool, upstream: Any = None, wrong: Array | None = None) -> str:
    """A sentence or two on what to write instead of `call`; empty where there is nothing to recommend.

    In the backward pass, `upstream` is the gradient that came and `wrong` the one that the rule made of it.
    """
    if call.name in ("sqrt", "pow_number") and backward and _is_norm(call):
        return (
            "This is a norm at zero, where its slope is undefined: ad.linalg.vector_norm(x) has the gradient 0 there; "
            "or put a small number under the root, ((x * x).sum() + 1e-12).sqrt()"
        )
    if call.name == "div":
        return _of_division(call, upstream, wrong)
    before = call.node.parents()[0] if call.name == "log" and call.node is not None else None
    if before is not None and before.name in LOGARITHMS:
        return f"{GUARDS['log'][0]}. {LOGARITHMS[before.name]}"
    if call.name in GUARDS:
        why, condition, name = GUARDS[call.name]
        placeholder = 2 if "> 1" in condition else 0 if "<" in condition else 1
        form = f"mask = {condition}; ad.where(mask, {_written(name, f'ad.where(mask, x, {placeholder})')}, 0)"
        return f"{why}. {_masked(upstream, wrong)}The safe form keeps x away from there before the op: {form}"
    if call.name in ("exp", "exp2", "expm1", "sinh", "cosh"):
        return (
            f"{call.name} overflows: for float32 above 88. Use softmax, log_softmax, logsumexp, softplus or "
            f"logaddexp in place of what is built of it, or clamp what goes in"
        )
    if call.name in ("softmax", "log_softmax") and any(
        isinstance(x, Tensor) and np.isneginf(x.array).any() for x in call.inputs
    ):
        return "A row is -inf throughout, so that nothing is left to choose from: unmask an entry, or drop the row"
    return ""


def _of_division(call: Call, upstream: Any, wrong: Array | None) -> str:
    divisor = call.inputs[1].array if isinstance(call.inputs[1], Tensor) else np.asarray(1)
    if divisor.all():
        return ""
    return (
        f"The divisor is 0. {_masked(upstream, wrong)}The safe form keeps it away from there before the division: "
        f"mask = b != 0; ad.where(mask, a / ad.where(mask, b, 1), 0); or add a small number to it"
    )


def _written(name: str, x: str) -> str:
    return f"{x} ** p" if name == "power" else f"{x}.{name}()"


def _masked(upstream: Any, wrong: Array | None) -> str:
    """The sentence for an op whose result was not chosen, so that its upstream gradient is 0."""
    if wrong is None or getattr(upstream, "shape", None) != wrong.shape:
        return ""
    bad = ~np.isfinite(wrong)
    if not bad.any() or not np.all(upstream[bad] == 0):
        return ""
    return (
        "The upstream gradient is 0 there, as in the branch that where() does not choose, but 0 times infinity or NaN "
        "is NaN: choosing afterwards does not help. "
    )


def _is_norm(call: Call) -> bool:
    """Whether what a root is taken of is a sum of squares."""
    node = call.node.p0 if call.node is not None else None
    if node is None or node.op is None or node.name not in ("sum", "mean"):
        return False
    squares = node.p0
    return squares is not None and squares.name in SQUARES
