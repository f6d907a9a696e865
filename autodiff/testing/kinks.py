"""What is expected where a function has no derivative: at kinks, ties and the edges of its domain.

Each entry is a call and the gradients of its inputs for a cotangent of ones: PyTorch's conventions, pinned.
"""

from __future__ import annotations

import math
from functools import lru_cache
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


def at(*inputs: Any, gives: tuple[Any, ...], **params: Any) -> Kink:
    """A kink: what the gradients are at these inputs, and with these params."""
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
    "abs": [at([-2.0, -0.0, 0.0, 2.0], gives=([-1.0, 0.0, 0.0, 1.0],))],
    "relu": [at([-2.0, 0.0, 2.0], gives=([0.0, 0.0, 1.0],))],
    "leaky_relu": [at([-2.0, 0.0, 2.0], gives=([0.1, 0.1, 1.0],), negative_slope=0.1)],
    "clamp": [at([-2.0, -1.0, 0.0, 1.0, 2.0], gives=([0.0, 1.0, 1.0, 1.0, 0.0],), low=-1.0, high=1.0)],
    "maximum": [at([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], gives=([0.0, 0.5, 1.0], [1.0, 0.5, 0.0]))],
    "minimum": [at([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], gives=([1.0, 0.5, 0.0], [0.0, 0.5, 1.0]))],
    "amax": [at(TIES, gives=([[0.0, 0.5, 0.5], [1 / 3] * 3],), axis=(1,), keepdims=False)],
    "amin": [at(TIES, gives=([[1.0, 0.0, 0.0], [1 / 3] * 3],), axis=(1,), keepdims=False)],
    "sqrt": [at([0.0, 4.0], gives=([INF, 0.25],))],
    "sign": [at([-1.0, 0.0, 1.0], gives=([0.0, 0.0, 0.0],))],
    "floor": [at([-1.0, 0.0, 1.5], gives=([0.0, 0.0, 0.0],))],
    "copysign": [at([0.0, -0.0, 2.0], [1.0, -1.0, -1.0], gives=([0.0, 0.0, -1.0], [0.0, 0.0, 0.0]))],
    "hypot": [at([0.0, 3.0], [0.0, 4.0], gives=([NAN, 0.6], [NAN, 0.8]))],
    "nan_to_num": [at([NAN, INF, -INF, 1.0], gives=([0.0, 0.0, 0.0, 1.0],), nan=0.0, posinf=None, neginf=None)],
    "pow": [
        at(
            [0.0, 0.0, 0.0, 0.0, 2.0, -2.0],
            [0.0, 1.0, 2.0, -1.0, 0.0, 2.0],
            gives=([0.0, 1.0, 0.0, -INF, 0.0, -4.0], [0.0, 0.0, 0.0, -INF, math.log(2), NAN]),
        )
    ],
    "pow_number": [at([0.0, 2.0], gives=([0.0, 4.0],), exponent=2), at([0.0], gives=([0.0],), exponent=0)],
    "xlogy": [
        at(
            [0.0, 0.0, 0.0, 2.0, 0.0],
            [0.0, -1.0, 2.0, 0.0, NAN],
            gives=([0.0, 0.0, math.log(2), -INF, NAN], [NAN, 0.0, 0.0, INF, NAN]),
        )
    ],
    "xlog1py": [
        at(
            [0.0, 0.0, 0.0, 2.0, 0.0],
            [-1.0, -2.0, 1.0, -1.0, NAN],
            gives=([0.0, 0.0, math.log(2), -INF, NAN], [NAN, 0.0, 0.0, INF, NAN]),
        )
    ],
    "entr": [at([0.0, 1.0], gives=([INF, -1.0],))],
    "i1": [at([0.0], gives=([0.5],))],
    "i0e": [at([0.0], gives=([0.0],))],
    "i1e": [at([0.0], gives=([0.5],))],
    "bessel_j1": [at([0.0], gives=([0.5],))],
    "std": [
        at(
            [[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]],
            gives=([[0.0, 0.0, 0.0], [-0.5, 0.0, 0.5]],),
            axis=(1,),
            keepdims=False,
            correction=1,
        )
    ],
    "median": [at([1.0, 2.0, 2.0], gives=([0.0, 0.5, 0.5],)), at([1.0, NAN, NAN], gives=([0.0, 0.5, 0.5],))],
    "nanmedian": [at([1.0, 2.0, 2.0, NAN], gives=([0.0, 0.5, 0.5, 0.0],)), at([NAN, NAN], gives=([0.5, 0.5],))],
    "vector_norm": [at(LENGTHS, gives=(rows,), ord=p, axis=(1,), keepdims=False) for p, rows in NORMS.items()],
    "logsumexp": [at([-INF, 0.0], gives=([0.0, 1.0],), axis=(0,), keepdims=False)],
    "logcumsumexp": [
        at([-INF, 1.0], gives=([NAN, 1.0],), axis=0),
        at([1.0, INF, 2.0], gives=([1.0, NAN, 0.0],), axis=0),
    ],
    "logaddexp": [at([-INF, 2.0], [1.0, 2.0], gives=([0.0, 0.5], [1.0, 0.5]))],
    "where": [at([True, False], [INF, 1.0], [2.0, INF], gives=(None, [1.0, 0.0], [0.0, 1.0]))],
    # Where the rank is less than full: the gradient if it does not change.
    "pinv": [
        at([[2.0, 0.0], [0.0, 0.0]], gives=([[-0.25, 0.25], [0.25, 0.0]],), atol=None, rtol=None, hermitian=False)
    ],
}


def kinks(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """The gradients at the kinks and ties of the table are the declared ones; the drawn call does not matter."""
    if subject.name not in KINKS:
        return None
    _check_all(subject)
    return 0.0


@lru_cache(maxsize=1)
def _check_all(subject: Subject) -> None:
    """Once for all calls that are drawn for a subject."""
    for kink in KINKS[subject.name]:
        # Of long arrays a kernel takes blocks, and other forms of its steps.
        for repeats in (1, 5000) if subject.kind == "elementwise" else (1,):
            _check(subject, kink, repeats)


def _check(subject: Subject, kink: Kink, repeats: int) -> None:
    xs = leaves([np.asarray(x) if repeats == 1 else np.tile(x, repeats) for x in kink.inputs])
    y = subject.apply(xs, kink.params)
    # A fast form of a rule on arrays and the rule that the recorded pass follows.
    for recorded in (False, True):
        options = {"create_graph": recorded, "retain_graph": True, "materialize_grads": True}
        gradients = iter(grad(y, live(xs), wrap(np.ones(y.shape)), **options))
        for i, (x, expected) in enumerate(zip(xs, kink.gradients, strict=True)):
            if x.requires_grad:
                found = next(gradients).array
                wanted = expected if repeats == 1 else np.tile(expected, repeats)
                same = np.allclose(found, wanted, rtol=1e-12, atol=0.0, equal_nan=True)
                shown = found[: len(expected)].tolist() if repeats > 1 else found.tolist()
                message = f"at {kink.inputs[i]} the gradient of input {i} is {shown}, expected {expected}"
                require(same, message if repeats == 1 else f"{message}, each {repeats} times")
