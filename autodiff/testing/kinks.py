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

INF, NAN = math.inf, math.nan


class Kink(NamedTuple):
    """Inputs, the expected gradient of each, and params."""

    inputs: tuple[Any, ...]
    gradients: tuple[Any, ...]
    params: dict[str, Any]


def _at(*inputs: Any, gives: tuple[Any, ...], **params: Any) -> Kink:
    return Kink(inputs, gives, params)


TIES = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]
LENGTHS = [[0.0, 0.0, 0.0], [2.0, -2.0, 1.0], [0.0, 3.0, 4.0]]
NORMS: dict[float, Any] = {
    0: [[0.0] * 3] * 3,
    1: [[0.0, 0.0, 0.0], [1.0, -1.0, 1.0], [0.0, 1.0, 1.0]],
    2: [[0.0, 0.0, 0.0], [2 / 3, -2 / 3, 1 / 3], [0.0, 0.6, 0.8]],
    3: [
        [0.0, 0.0, 0.0],
        [4 / 17 ** (2 / 3), -4 / 17 ** (2 / 3), 1 / 17 ** (2 / 3)],
        [0.0, 9 / 91 ** (2 / 3), 16 / 91 ** (2 / 3)],
    ],
    0.5: [
        [0.0, 0.0, 0.0],
        [2 + 0.5**0.5, -2 - 0.5**0.5, 1 + 8**0.5],
        [0.0, 1 + 2 / 3**0.5, 1 + 3**0.5 / 2],
    ],
    -1: [[0.0, 0.0, 0.0], [1 / 16, -1 / 16, 1 / 4], [0.0, 0.0, 0.0]],
    INF: [[0.0, 0.0, 0.0], [0.5, -0.5, 0.0], [0.0, 0.0, 1.0]],
    -INF: [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
}
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
    "copysign": [_at([0.0, -0.0, 2.0], [1.0, -1.0, -1.0], gives=([0.0, 0.0, -1.0], [0.0, 0.0, 0.0]))],
    "hypot": [_at([0.0, 3.0], [0.0, 4.0], gives=([NAN, 0.6], [NAN, 0.8]))],
    "nan_to_num": [_at([NAN, INF, -INF, 1.0], gives=([0.0, 0.0, 0.0, 1.0],), nan=0.0, posinf=None, neginf=None)],
    "pow": [
        _at(
            [0.0, 0.0, 0.0, 0.0, 2.0, -2.0],
            [0.0, 1.0, 2.0, -1.0, 0.0, 2.0],
            gives=([0.0, 1.0, 0.0, -INF, 0.0, -4.0], [0.0, 0.0, 0.0, -INF, math.log(2), NAN]),
        )
    ],
    "pow_number": [_at([0.0, 2.0], gives=([0.0, 4.0],), exponent=2), _at([0.0], gives=([0.0],), exponent=0)],
    "xlogy": [
        _at(
            [0.0, 0.0, 0.0, 2.0, 0.0],
            [0.0, -1.0, 2.0, 0.0, NAN],
            gives=([0.0, 0.0, math.log(2), -INF, NAN], [NAN, 0.0, 0.0, INF, NAN]),
        )
    ],
    "xlog1py": [
        _at(
            [0.0, 0.0, 0.0, 2.0, 0.0],
            [-1.0, -2.0, 1.0, -1.0, NAN],
            gives=([0.0, 0.0, math.log(2), -INF, NAN], [NAN, 0.0, 0.0, INF, NAN]),
        )
    ],
    "entr": [_at([0.0, 1.0], gives=([INF, -1.0],))],
    "i1": [_at([0.0], gives=([0.5],))],
    "i0e": [_at([0.0], gives=([0.0],))],
    "i1e": [_at([0.0], gives=([0.5],))],
    "bessel_j1": [_at([0.0], gives=([0.5],))],
    "std": [
        _at(
            [[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]],
            gives=([[0.0, 0.0, 0.0], [-0.5, 0.0, 0.5]],),
            axis=(1,),
            keepdims=False,
            correction=1,
        )
    ],
    "median": [_at([1.0, 2.0, 2.0], gives=([0.0, 0.5, 0.5],)), _at([1.0, NAN, NAN], gives=([0.0, 0.5, 0.5],))],
    "nanmedian": [_at([1.0, 2.0, 2.0, NAN], gives=([0.0, 0.5, 0.5, 0.0],)), _at([NAN, NAN], gives=([0.5, 0.5],))],
    "vector_norm": [_at(LENGTHS, gives=(rows,), ord=p, axis=(1,), keepdims=False) for p, rows in NORMS.items()],
    "logsumexp": [_at([-INF, 0.0], gives=([0.0, 1.0],), axis=(0,), keepdims=False)],
    "logcumsumexp": [
        _at([-INF, 1.0], gives=([NAN, 1.0],), axis=0),
        _at([1.0, INF, 2.0], gives=([1.0, NAN, 0.0],), axis=0),
    ],
    "logaddexp": [_at([-INF, 2.0], [1.0, 2.0], gives=([0.0, 0.5], [1.0, 0.5]))],
    "where": [_at([True, False], [INF, 1.0], [2.0, INF], gives=(None, [1.0, 0.0], [0.0, 1.0]))],
    # Where the rank is less than full: the gradient if it does not change.
    "pinv": [
        _at([[2.0, 0.0], [0.0, 0.0]], gives=([[-0.25, 0.25], [0.25, 0.0]],), atol=None, rtol=None, hermitian=False)
    ],
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
                    message = (
                        f"at {x.array.tolist()} the gradient of input {i} is {found.tolist()}, expected {expected}"
                    )
                    require(same, message)
    return 0.0 if subject.name in KINKS else None
