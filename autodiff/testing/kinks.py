"""What is expected where a function has no derivative: at kinks, ties and the edges of its domain.

Each entry is a call and the gradients of its inputs for a cotangent of ones: PyTorch's conventions, pinned.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from autodiff.backward import grad
from autodiff.tensor import wrap
from autodiff.testing.broken import require
from autodiff.testing.drawing import Case
from autodiff.testing.subject import Subject, leaves, live

INF = math.inf


class Kink(NamedTuple):
    """Inputs, the expected gradient of each, and params."""

    inputs: tuple[Any, ...]
    gradients: tuple[Any, ...]
    params: dict[str, Any]


def _at(*inputs: Any, gives: tuple[Any, ...], **params: Any) -> Kink:
    return Kink(inputs, gives, params)


TIES = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]
KINKS: dict[str, list[Kink]] = {
    "abs": [_at([-2.0, -0.0, 0.0, 2.0], gives=([-1.0, 0.0, 0.0, 1.0],))],
    "relu": [_at([-2.0, 0.0, 2.0], gives=([0.0, 0.0, 1.0],))],
    "leaky_relu": [_at([-2.0, 0.0, 2.0], gives=([0.1, 0.1, 1.0],), negative_slope=0.1)],
    "clamp": [_at([-2.0, -1.0, 0.0, 1.0, 2.0], gives=([0.0, 1.0, 1.0, 1.0, 0.0],), low=-1.0, high=1.0)],
    "maximum": [_at([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], gives=([0.0, 0.5, 1.0], [1.0, 0.5, 0.0]))],
    "minimum": [_at([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], gives=([1.0, 0.5, 0.0], [0.0, 0.5, 1.0]))],
    "amax": [_at(TIES, gives=([[0.0, 0.5, 0.5], [1 / 3] * 3],), axis=(1,), keepdims=False)],
    "amin": [_at(TIES, gives=([[1.0, 0.0, 0.0], [1 / 3] * 3],), axis=(1,), keepdims=False)],
    "sqrt": [_at([0.0, 4.0], gives=([INF, 0.25],))],
    "sign": [_at([-1.0, 0.0, 1.0], gives=([0.0, 0.0, 0.0],))],
    "floor": [_at([-1.0, 0.0, 1.5], gives=([0.0, 0.0, 0.0],))],
    "pow_number": [_at([0.0, 2.0], gives=([0.0, 4.0],), exponent=2), _at([0.0], gives=([0.0],), exponent=0)],
    "logsumexp": [_at([-INF, 0.0], gives=([0.0, 1.0],), axis=(0,), keepdims=False)],
    "logaddexp": [_at([-INF, 2.0], [1.0, 2.0], gives=([0.0, 0.5], [1.0, 0.5]))],
    "where": [_at([True, False], [INF, 1.0], [2.0, INF], gives=(None, [1.0, 0.0], [0.0, 1.0]))],
}


def kinks(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """The gradients at the kinks and ties of the table are the declared ones; the drawn call does not matter."""
    for kink in KINKS.get(subject.name, ()):
        xs = leaves([np.asarray(x) for x in kink.inputs])
        y = subject.apply(xs, kink.params)
        # A fast form of a rule on arrays and the rule that the recorded pass follows.
        for recorded in (False, True):
            options = {"create_graph": recorded, "retain_graph": True, "materialize_grads": True}
            gradients = iter(grad(y, live(xs), wrap(np.ones(y.shape)), **options))
            for i, (x, expected) in enumerate(zip(xs, kink.gradients, strict=True)):
                if x.requires_grad:
                    found = next(gradients).array
                    same = np.allclose(found, expected, rtol=1e-12, atol=0.0, equal_nan=True)
                    message = f"at {x.array.tolist()} the gradient of input {i} is {found.tolist()}, expected {expected}"
                    require(same, message)
    return 0.0 if subject.name in KINKS else None
