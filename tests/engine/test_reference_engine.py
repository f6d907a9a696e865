"""Random programs, differentiated by the engine and by the shortest engine there is: recursion over a tree of tapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad

Array = np.ndarray[Any, Any]


@dataclass(eq=False)
class Naive:
    """A value with the local Jacobian, a full matrix, to each parent. Everything is a vector of length N."""

    value: Array
    parents: list[tuple[Naive, Array]] = field(default_factory=list)

    def gradient(self, by: Naive, seed: Array) -> Array:
        """Sum over all paths, each walked separately: exponential, and too simple to be wrong."""
        total = seed.copy() if self is by else np.zeros_like(seed)
        for parent, jacobian in self.parents:
            total += parent.gradient(by, seed @ jacobian)
        return total


N = 3
MATRIX = np.random.default_rng(7).uniform(-1, 1, (N, N))
FLIP = np.eye(N)[::-1]
LOWER = np.tril(np.ones((N, N)))


def unary(f: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Callable[[Naive], Naive]:
    return lambda a: Naive(f(a.value), [(a, np.diag(slope(a.value)))])


def linear(matrix: Array) -> Callable[[Naive], Naive]:
    return lambda a: Naive(matrix @ a.value, [(a, matrix)])


def binary(f: Any, left: Any, right: Any) -> Callable[[Naive, Naive], Naive]:
    return lambda a, b: Naive(
        f(a.value, b.value), [(a, np.diag(left(a.value, b.value))), (b, np.diag(right(a.value, b.value)))]
    )


ones = np.ones_like


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


# For each op: how many inputs, what the engine does, what the naive one does.
PROGRAMS: list[tuple[int, Callable[..., Any], Callable[..., Naive]]] = [
    (1, lambda a: a.tanh(), unary(np.tanh, lambda x: 1 - np.tanh(x) ** 2)),
    (1, lambda a: a.sin(), unary(np.sin, np.cos)),
    (1, lambda a: a.sigmoid(), unary(sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)))),
    (1, lambda a: -a, unary(np.negative, lambda x: -ones(x))),
    (1, lambda a: a * 0.5 + 1, unary(lambda x: x * 0.5 + 1, lambda x: 0.5 * ones(x))),
    (1, lambda a: (a * a + 1).log(), unary(lambda x: np.log(x * x + 1), lambda x: 2 * x / (x * x + 1))),
    (1, lambda a: a.flip(0), linear(FLIP)),
    (1, lambda a: a.cumsum(0), linear(LOWER)),
    (1, lambda a: ad.tensor(MATRIX) @ a, linear(MATRIX)),
    (1, lambda a: a[[2, 0, 0]], linear(np.eye(N)[[2, 0, 0]])),
    (1, lambda a: a.sum().expand(N), linear(np.ones((N, N)))),
    (1, lambda a: a.reshape(N, 1).squeeze(1), linear(np.eye(N))),
    (1, lambda a: ad.stack([a, a]).mean(0), linear(np.eye(N))),
    (1, lambda a: a.detach() + 0 * a, unary(lambda x: x, np.zeros_like)),
    (2, lambda a, b: a + b, binary(np.add, lambda x, y: ones(x), lambda x, y: ones(x))),
    (2, lambda a, b: a - b, binary(np.subtract, lambda x, y: ones(x), lambda x, y: -ones(x))),
    (2, lambda a, b: a * b, binary(np.multiply, lambda x, y: y, lambda x, y: x)),
    (
        2,
        lambda a, b: a / (b * b + 1),
        binary(lambda x, y: x / (y * y + 1), lambda x, y: 1 / (y * y + 1), lambda x, y: -2 * x * y / (y * y + 1) ** 2),
    ),
    (
        2,
        lambda a, b: ad.cat([a[:1], b[1:]]),
        binary(lambda x, y: np.r_[x[:1], y[1:]], lambda x, y: np.r_[1.0, 0, 0], lambda x, y: np.r_[0.0, 1, 1]),
    ),
    (
        2,
        lambda a, b: ad.where(ad.tensor([True, False, True]), a, b),
        binary(
            lambda x, y: np.where([True, False, True], x, y),
            lambda x, y: np.r_[1.0, 0, 1],
            lambda x, y: np.r_[0.0, 1, 0],
        ),
    ),
]


@st.composite
def programs(draw: st.DrawFn) -> tuple[int, list[tuple[int, list[int]]]]:
    """A number of leaves and steps (op, which earlier values), so that values are shared, repeated and left unused."""
    leaves = draw(st.integers(1, 3))
    steps = []
    for i in range(draw(st.integers(1, 9))):
        op = draw(st.integers(0, len(PROGRAMS) - 1))
        steps.append((op, [draw(st.integers(0, leaves + i - 1)) for _ in range(PROGRAMS[op][0])]))
    return leaves, steps


@settings(max_examples=400)
@given(programs(), st.integers(0, 2**32 - 1), st.data())
def test_first_derivatives_of_random_programs(
    program: tuple[int, list[tuple[int, list[int]]]], seed: int, data: st.DataObject
) -> None:
    leaves, steps = program
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-1, 1, N) for _ in range(leaves)]
    needs = [data.draw(st.booleans()) for _ in range(leaves)]
    ours: list[Any] = [ad.tensor(a, requires_grad=need) for a, need in zip(arrays, needs, strict=True)]
    naive = [Naive(a) for a in arrays]
    for op, places in steps:
        _, engine, reference = PROGRAMS[op]
        ours.append(engine(*(ours[i] for i in places)))
        naive.append(reference(*(naive[i] for i in places)))
        np.testing.assert_allclose(ours[-1].detach().numpy(), naive[-1].value, rtol=1e-9, atol=1e-9)
    outputs = [i for i in sorted({len(ours) - 1, data.draw(st.integers(0, len(ours) - 1))}) if ours[i].requires_grad]
    if not outputs:
        return
    seeds = [rng.uniform(-1, 1, N) for _ in outputs]
    targets = [i for i in range(len(ours)) if ours[i].requires_grad]

    def expected(target: int) -> Array:
        return sum(naive[o].gradient(naive[target], s) for o, s in zip(outputs, seeds, strict=True))

    # Every value, leaf or not, by `grad`, once recorded and once not; then the leaves by `backward`.
    found = [
        ad.grad(
            [ours[o] for o in outputs],
            [ours[t] for t in targets],
            [ad.tensor(s) for s in seeds],
            retain_graph=True,
            create_graph=recorded,
            materialize_grads=True,
        )
        for recorded in (False, True)
    ]
    for t, raw, recorded in zip(targets, *found, strict=True):
        # Path sums of some 500 terms: 1e-10 leaves room for their rounding.
        np.testing.assert_allclose(raw.array, expected(t), rtol=1e-9, atol=1e-10)
        np.testing.assert_array_equal(raw.array, recorded.array)
    ad.backward([ours[o] for o in outputs], [ad.tensor(s) for s in seeds])
    for i in range(leaves):
        if ours[i].grad is not None:
            np.testing.assert_allclose(ours[i].grad.array, expected(i), rtol=1e-9, atol=1e-10)
        else:
            assert not needs[i] or not np.any(expected(i)) or outputs == [i]


@settings(max_examples=60)
@given(programs(), st.integers(0, 2**32 - 1))
def test_second_derivatives_of_random_programs(program: tuple[int, list[tuple[int, list[int]]]], seed: int) -> None:
    """Hessian times vector by double backward against differences of the naive gradient."""
    leaves, steps = program
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-1, 1, N) for _ in range(leaves)]
    weight, direction = rng.uniform(-1, 1, (2, N))

    def naive_slope(moved: float) -> Array:
        values = [Naive(a + moved * direction) for a in arrays]
        roots = values[:leaves]
        for op, places in steps:
            values.append(PROGRAMS[op][2](*(values[i] for i in places)))
        return np.concatenate([values[-1].gradient(root, weight) for root in roots])

    xs = [ad.tensor(a, requires_grad=True) for a in arrays]
    values: list[Any] = list(xs)
    for op, places in steps:
        values.append(PROGRAMS[op][1](*(values[i] for i in places)))
    first = ad.grad((values[-1] * ad.tensor(weight)).sum(), xs, create_graph=True, materialize_grads=True)
    slope = sum(((g * ad.tensor(direction)).sum() for g in first), start=ad.zeros((), dtype=ad.float64))
    if not slope.requires_grad:
        return
    second = np.concatenate([h.array for h in ad.grad(slope, xs, materialize_grads=True)])
    step = 1e-4
    # H is symmetric: the derivative of the slope along the direction is H times the direction, but for detach().
    if any(op == 13 for op, _ in steps):
        return
    numeric = (naive_slope(step) - naive_slope(-step)) / (2 * step)
    # The error of central differences, h² f'''' / 6, with derivatives that grow with the depth of the program.
    np.testing.assert_allclose(second, numeric, rtol=1e-3, atol=1e-5 * (1 + np.abs(numeric).max()))
