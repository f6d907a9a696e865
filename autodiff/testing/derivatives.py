"""Properties of derivatives: what backward computes against what the function itself does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.backward import grad
from autodiff.gradcheck import Comparison, compare_gradients
from autodiff.tensor import Tensor, wrap
from autodiff.testing.broken import require
from autodiff.testing.drawing import Array, Case
from autodiff.testing.subject import Subject, leaves, live, random_like


def _compare(subject: Subject, case: Case, **options: Any) -> Comparison | None:
    """The Jacobian by backward and by differences; None if no input is differentiable."""
    xs = leaves(case.inputs)
    wanted = live(xs)
    if not wanted or not subject.apply(xs, case.params).requires_grad:
        return None

    def function(*moving: Tensor) -> Tensor:
        rest = iter(moving)
        return subject.apply([next(rest) if any(x is w for w in wanted) else x for x in xs], case.params)

    return compare_gradients(function, wanted, **options)


def first_order(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """The full Jacobian: by the complex step, exact to rounding, where the op is analytic; else by differences."""
    if subject.analytic:
        # 1e-10 is some 1e5 roundings: what a rule may lose by cancellation near the ends of a domain.
        found = _compare(subject, case, method="complex", atol=1e-10, rtol=1e-9)
    else:
        # Central differences at 1e-6 lose |f| 1e-16 / 1e-6 to rounding, with |f| up to about 1e3 on these domains.
        found = _compare(subject, case, eps=1e-6, atol=1e-6, rtol=1e-5)
    if found is None:
        return None
    require(found.passed, str(found))
    return found.relative_difference


def at_course_step(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """The course's figure |a-b| / (|a|+|b|) with differences at ε = 1e-7, which rounding keeps from being small.

    It is reported; what fails an op is the sharper `first_order`.
    """
    found = _compare(subject, case, eps=1e-7, atol=np.inf, rtol=1.0)
    return None if found is None else found.relative_difference


def _along(subject: Subject, case: Case, weight: Array, directions: Sequence[Sequence[Any]]) -> tuple[Any, float]:
    """The derivative of weight · f along each of `directions` in turn, and the size of the numbers that it sums up."""
    xs = leaves(case.inputs)
    for i, moving in enumerate(directions[0] if directions else ()):
        if moving is None and xs[i] is not None and xs[i].requires_grad:
            xs[i] = wrap(xs[i].array)
    wanted = live(xs)
    y = subject.apply(xs, case.params)
    if not y.requires_grad:
        return np.zeros(()), 1.0
    total: Any = (y * wrap(weight)).sum()
    size = 1.0
    for along in directions:
        if not total.requires_grad:
            return np.zeros(()), size
        gradients = grad(total, wanted, create_graph=True, materialize_grads=True)
        moving = [u for u, x in zip(along, xs, strict=True) if x is not None and x.requires_grad]
        terms = [g * wrap(u) for g, u in zip(gradients, moving, strict=True)]
        total = sum((term.sum() for term in terms[1:]), start=terms[0].sum())
        size += sum(float(np.abs(g.array).sum()) for g in gradients)
    return total.array, size


def _moved(case: Case, direction: Sequence[Any], step: Any) -> Case:
    inputs = [x if u is None else np.asarray(x + step * u) for x, u in zip(case.inputs, direction, strict=True)]
    return Case(inputs, case.params)


def _directions(case: Case, rng: np.random.Generator, count: int) -> list[list[Any]]:
    """`count` random directions over all inputs at once; None for those that stay, now and then one of several."""
    floats = [i for i, x in enumerate(case.inputs) if x is not None and x.dtype.kind == "f"]
    # A constant's array is met by the recorded pass as it is.
    constant = floats[rng.integers(len(floats))] if len(floats) > 1 and rng.random() < 0.4 else None
    return [
        [random_like(rng, x.shape) if i in floats and i != constant else None for i, x in enumerate(case.inputs)]
        for _ in range(count)
    ]


def _higher_order(subject: Subject, case: Case, rng: np.random.Generator, order: int) -> float | None:
    """The derivative along `order` random directions against the difference of the one along the first of them."""
    *first, last = _directions(case, rng, order)
    if all(u is None for u in last):
        return None
    y = subject.apply(leaves(case.inputs), case.params)
    if not y.requires_grad:
        return None
    weight = random_like(rng, y.shape)
    analytic, size = _along(subject, case, weight, [*first, last])

    def central(h: float) -> float:
        up, down = (float(_along(subject, _moved(case, last, s * h), weight, first)[0]) for s in (1, -1))
        return (up - down) / (2 * h)

    # Steps stay inside the margin of 0.05 around poles; at kinks (not analytic) they must be tiny instead.
    step = 1e-3 if subject.analytic else 1e-6
    numeric = (4 * central(step / 2) - central(step)) / 3
    difference = abs(float(analytic) - numeric)
    # Extrapolation leaves an error in h⁴ f⁽⁶⁾: below 1e-6 of the scale even at the margin; rounding at 1e-6 likewise.
    allowed = 2e-6 * size + 1e-4 * abs(numeric)
    require(
        difference <= allowed,
        f"derivative of order {order} along random directions: analytic {float(analytic):.10g}, "
        f"numeric {numeric:.10g}, difference {difference:.1e}, allowed {allowed:.1e}",
    )
    return difference / size


def second_order(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """uᵀHv for random u, v over all inputs at once, by backward through backward and by extrapolated differences."""
    return _higher_order(subject, case, rng, 2)


def third_order(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """The third derivative along three random directions, for elementwise analytic ops within ±4."""
    if subject.kind != "elementwise" or not subject.analytic:
        return None
    if any(x.dtype.kind == "f" and (np.abs(x) > 4).any() for x in case.inputs):
        return None
    return _higher_order(subject, case, rng, 3)


def adjoint(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """⟨u, Jv⟩ = ⟨Jᵀu, v⟩ for random u, v, where Jv is one complex step: rules as a whole, whatever the shapes."""
    if not subject.analytic:
        return None
    (v,) = _directions(case, rng, 1)
    if all(u is None for u in v):
        return None
    y = subject.apply(leaves(case.inputs), case.params)
    if not y.requires_grad:
        return None
    u = random_like(rng, y.shape)
    right, size = _along(subject, case, u, [v])
    moved = subject.apply([None if x is None else wrap(x) for x in _moved(case, v, 1e-100j).inputs], case.params)
    left = float(np.sum(u * moved.array.imag / 1e-100))
    difference = abs(left - float(right))
    # Some 1e5 roundings of the terms that are summed.
    allowed = 1e-10 * size + 1e-9 * abs(left)
    require(difference <= allowed, f"⟨u, Jv⟩ = {left:.12g} but ⟨Jᵀu, v⟩ = {float(right):.12g}")
    return difference / size


def exact_on_integers(subject: Subject, case: Case, rng: np.random.Generator) -> float | None:
    """For an op linear in each input, g · f(.., v, ..) = v · rule(g) without any rounding on small integers."""
    if subject.kind != "multilinear":
        return None
    # Multiples of 216 are divisible by the count of any mean drawn here.
    inputs = [np.rint(x) * 216 if x is not None and x.dtype.kind == "f" else x for x in case.inputs]
    params = {key: np.rint(4 * v) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
              for key, v in case.params.items()}  # fmt: skip
    xs = leaves(inputs)
    y = subject.apply(xs, params)
    if not y.requires_grad:
        return None
    g = 216 * np.rint(rng.uniform(-4, 4, y.shape))
    wanted = live(xs)
    gradients = grad(y, wanted, wrap(g), materialize_grads=True)
    sums = [float(np.sum(x.array * gradient.array)) for x, gradient in zip(wanted, gradients, strict=True)]
    total = float(np.sum(g * y.array))
    # An op of many inputs of one kind (cat, stack) is linear in all of them together instead.
    exact = all(part == total for part in sums) or sum(sums) == total
    require(exact, f"g · y = {total}, x · rule(g) = {sums}")
    return 0.0
