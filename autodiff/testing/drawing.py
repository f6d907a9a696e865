"""What the property-based checks draw for an op: shapes, values in the op's domain, params.

A strategy here is a function ``(draw, op) -> Case``. An elementwise op needs none: it gets shapes that broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from autodiff.domain import Domain
from autodiff.op import Op

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Case(NamedTuple):
    """Inputs (float64, bool or integer arrays; None for one that is absent) and params for an op's recorder."""

    inputs: list[Any]
    params: dict[str, Any]


Strategy = Callable[[Draw, Op], Case]

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)


def values(rng: np.random.Generator, near: bool, shape: Shape, domain: Domain) -> Array:
    """Numbers of `domain`, from its middle if `near`."""
    if domain.boolean:
        return np.asarray(rng.random(shape) < 0.5)
    if domain.integer:
        return np.asarray(rng.integers(int(domain.low), int(domain.high) + 1, shape))
    low, high = (max(domain.low, -4.0), min(domain.high, 4.0)) if near else (domain.low, domain.high)
    if low >= high:
        low, high = domain.low, domain.high
    x = np.asarray(rng.uniform(low, high, shape))
    for point in domain.avoid:
        close = np.abs(x - point) < domain.margin
        x = np.where(close, point + np.where(x < point, -1, 1) * domain.margin * (1 + rng.random(shape)), x)
    return np.asarray(np.clip(x, domain.low, domain.high))


def inputs_for(draw: Draw, op: Op, all_shapes: Sequence[Shape]) -> list[Array]:
    """An array of each shape, in the domain of the op's input."""
    domains = op.domain if len(op.domain) == len(all_shapes) else op.domain[:1] * len(all_shapes)
    return inputs_from(draw, domains, all_shapes)


def inputs_from(draw: Draw, domains: Sequence[Domain], all_shapes: Sequence[Shape]) -> list[Array]:
    """An array of each shape in its domain; every fourth time from the whole of it, else from its middle."""
    # One generator for all inputs: two with the same seed would hold the same numbers, and nothing but ties.
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    near = draw(st.sampled_from([True, True, True, False]))
    return [values(rng, near, shape, domain) for shape, domain in zip(all_shapes, domains, strict=True)]


def one_of(draw: Draw, options: Sequence[Any]) -> Any:
    """One of `options`, as many times as each other.

    Five of six of Hypothesis' examples are the one before with one draw copied over another. What an op has branches
    for is so better drawn at once, as one of all combinations, than in several small draws.
    """
    return options[draw(st.integers(0, 2**32 - 1)) % len(options)]


def places(draw: Draw, shape: Shape) -> Array:
    """A mask of some places, or of none."""
    share = one_of(draw, [0, 0.2, 0.5])
    return np.asarray(np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random(shape) < share)


def subsets(ndim: int) -> list[tuple[int, ...]]:
    """The axes that an op may reduce: one or several of them, none of a number."""
    return [axis for count in range(1, ndim + 1) for axis in combinations(range(ndim), count)] or [()]


def axes(draw: Draw, ndim: int) -> tuple[int, ...]:
    chosen: tuple[int, ...] = one_of(draw, subsets(ndim))
    return chosen


def reduced(draw: Draw, shape: Shape) -> dict[str, Any]:
    """Axes to reduce, and whether they are kept."""
    axis, keepdims = one_of(draw, list(product(subsets(len(shape)), (False, True))))
    return {"axis": axis, "keepdims": keepdims}


def one_input(params: Callable[[Draw, Shape], dict[str, Any]], min_dims: int = 0, min_side: int = 1) -> Strategy:
    """A strategy for one input of any shape, with params that depend on the shape."""

    def build(draw: Draw, op: Op) -> Case:
        shape = draw(hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=min_side, max_side=3))
        return Case(inputs_for(draw, op, [shape]), params(draw, shape))

    return build


def reduction(**extra: Any) -> Strategy:
    return one_input(lambda draw, shape: {**reduced(draw, shape), **extra})


def one_axis(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"axis": draw(st.integers(0, len(shape) - 1))}


def with_params(**params: Any) -> Strategy:
    return one_input(lambda draw, shape: params)


def broadcasting_shapes(count: int) -> st.SearchStrategy[tuple[Shape, ...]]:
    """`count` shapes that broadcast, with up to three axes of up to three entries, now and then of none."""
    shaped = hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, min_side=0, max_side=3)
    return shaped.map(lambda drawn: tuple(drawn.input_shapes))


def broadcasting(draw: Draw, op: Op) -> Case:
    return Case(inputs_for(draw, op, draw(broadcasting_shapes(max(op.arity, 1)))), {})
