"""What the property-based checks draw for each op: shapes, values in the op's domain, params.

An elementwise op needs nothing here: it gets shapes that broadcast. Any other op has a strategy of its own in `CASES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from autodiff.domain import Domain
from autodiff.op import Op

Shape = tuple[int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Case(NamedTuple):
    """Inputs (float64, or bool for masks) and params with which to call an op's recorder."""

    inputs: list[np.ndarray]
    params: dict[str, Any]


shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)
# Zero-size arrays have no derivatives to compare, but the rules must get through them.
shapes_with_empty = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def values(rng: np.random.Generator, near: bool, shape: Shape, domain: Domain) -> np.ndarray:
    """Numbers of `domain`, from its middle if `near`."""
    if domain.boolean:
        return np.asarray(rng.random(shape) < 0.5)
    if domain.integer:
        return rng.integers(int(domain.low), int(domain.high) + 1, shape)
    low, high = (max(domain.low, -4.0), min(domain.high, 4.0)) if near else (domain.low, domain.high)
    if low >= high:
        low, high = domain.low, domain.high
    x = np.asarray(rng.uniform(low, high, shape))
    for point in domain.avoid:
        close = np.abs(x - point) < domain.margin
        x = np.where(close, point + np.where(x < point, -1, 1) * domain.margin * (1 + rng.random(shape)), x)
    return np.asarray(np.clip(x, domain.low, domain.high))


def inputs_for(draw: Draw, op: Op, all_shapes: Sequence[Shape]) -> list[np.ndarray]:
    domains = op.domain if len(op.domain) == len(all_shapes) else op.domain[:1] * len(all_shapes)
    # One generator for all inputs: two with the same seed would hold the same numbers, and nothing but ties.
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    near = draw(st.sampled_from([True, True, True, False]))
    return [values(rng, near, shape, domain) for shape, domain in zip(all_shapes, domains, strict=True)]


def axes(draw: Draw, ndim: int) -> tuple[int, ...]:
    return tuple(sorted(draw(st.sets(st.integers(0, ndim - 1), min_size=1)))) if ndim else ()


def _one(params: Callable[[Draw, Shape], dict[str, Any]], min_dims: int = 0, min_side: int = 1) -> Any:
    """A strategy for one input of any shape, with params that depend on the shape."""

    def build(draw: Draw, op: Op) -> Case:
        shape = draw(hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=min_side, max_side=3))
        return Case(inputs_for(draw, op, [shape]), params(draw, shape))

    return build


def _reduction(**extra: Any) -> Any:
    return _one(lambda draw, shape: {"axis": axes(draw, len(shape)), "keepdims": draw(st.booleans()), **extra})


def _one_axis(draw: Draw, shape: Shape) -> dict[str, Any]:
    return {"axis": draw(st.integers(0, len(shape) - 1))}


def _elementwise_params(**params: Any) -> Any:
    return _one(lambda draw, shape: params)


def _reshape(draw: Draw, shape: Shape) -> dict[str, Any]:
    n = math.prod(shape)
    options = [(n,), (1, n), (-1, 1), *[(d, n // d) for d in range(1, n + 1) if n % d == 0]]
    return {"shape": draw(st.sampled_from(options))}


def _narrower(draw: Draw, op: Op) -> Case:
    """A shape, and one that broadcasts to it."""
    shape = draw(shapes)
    small = [1 if draw(st.booleans()) else n for n in shape][draw(st.integers(0, len(shape))) :]
    whole, part = (shape, tuple(small))
    source, target = (part, whole) if op.name == "broadcast_to" else (whole, part)
    return Case(inputs_for(draw, op, [source]), {"shape": target})


def _index(draw: Draw, shape: Shape) -> Any:
    """Slices and integers; a mask; or integer arrays, which may name a place twice."""
    kind = draw(st.sampled_from(["basic", "mask", "arrays", "mixed"]))
    if kind == "basic" or not shape:
        return draw(hnp.basic_indices(shape, allow_newaxis=True))
    if kind == "mask":
        return draw(hnp.arrays(bool, shape))
    first = draw(hnp.arrays(np.int64, st.integers(1, 4), elements=st.integers(-shape[0], shape[0] - 1)))
    if kind == "mixed":
        return (first, slice(None, None, 2), None)[: 1 + min(len(shape) - 1, 1)]
    if len(shape) == 1:
        return first
    return first, draw(hnp.arrays(np.int64, first.shape, elements=st.integers(0, shape[1] - 1)))


def _getitem(draw: Draw, op: Op) -> Case:
    shape = draw(shapes)
    return Case(inputs_for(draw, op, [shape]), {"index": _index(draw, shape)})


def _unget(draw: Draw, op: Op) -> Case:
    shape = draw(shapes)
    index = _index(draw, shape)
    return Case(inputs_for(draw, op, [np.shape(np.zeros(shape)[index])]), {"index": index, "shape": shape})


def _cat(draw: Draw, op: Op) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
    axis = draw(st.integers(0, len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    parts = [(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]
    return Case(inputs_for(draw, op, parts), {"axis": axis})


def _stack(draw: Draw, op: Op) -> Case:
    shape = draw(shapes)
    count = draw(st.integers(1, 3))
    return Case(inputs_for(draw, op, [shape] * count), {"axis": draw(st.integers(0, len(shape)))})


def _matmul(draw: Draw, op: Op) -> Case:
    drawn = draw(hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, max_side=3))
    return Case(inputs_for(draw, op, drawn.input_shapes), {})


EQUATIONS = [
    (("ij", "jk"), "ik"), (("ij", "jk"), "ki"), (("bij", "bjk"), "bik"), (("i", "i"), ""), (("i", "j"), "ij"),
    (("ij", "j", "jk"), "ik"), (("ijk", "k"), "ij"), (("ij",), "ji"), (("ij", "ij"), "i"),
]  # fmt: skip


def _einsum(draw: Draw, op: Op) -> Case:
    terms, result = draw(st.sampled_from(EQUATIONS))
    lengths = {letter: draw(st.integers(1, 3)) for letter in sorted(set("".join(terms)))}
    parts = [tuple(lengths[letter] for letter in term) for term in terms]
    return Case(inputs_for(draw, op, parts), {"terms": terms, "result": result})


def _broadcasting(draw: Draw, op: Op) -> Case:
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=max(op.arity, 1), max_dims=3, max_side=3))
    return Case(inputs_for(draw, op, drawn.input_shapes), {})


def _spread(draw: Draw, op: Op) -> Case:
    """Variances of at least three entries, so that n - correction stays positive."""
    shape = (*draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)), draw(st.integers(3, 4)))
    chosen = tuple(sorted({*axes(draw, len(shape)), len(shape) - 1}))
    correction = draw(st.sampled_from([0, 1, 2]))
    params = {"axis": chosen, "keepdims": draw(st.booleans()), "correction": correction}
    return Case(inputs_for(draw, op, [shape]), params)


CASES: dict[str, Callable[[Draw, Op], Case]] = {
    "pow_number": _one(lambda draw, shape: {"exponent": draw(st.sampled_from([-2, -1, 0, 1, 2, 3]))}),
    "clamp": _elementwise_params(low=-1.0, high=1.0),
    "leaky_relu": _elementwise_params(negative_slope=0.1),
    "to": _elementwise_params(dtype=np.dtype(np.float64)),
    "sum": _reduction(),
    "mean": _reduction(),
    "amax": _reduction(),
    "amin": _reduction(),
    "logsumexp": _reduction(),
    "var": _spread,
    "std": _spread,
    "cumsum": _one(_one_axis, min_dims=1),
    "softmax": _one(_one_axis, min_dims=1),
    "log_softmax": _one(_one_axis, min_dims=1),
    "clone": _elementwise_params(),
    "sum_to": _narrower,
    "broadcast_to": _narrower,
    "reshape": _one(_reshape),
    "permute": _one(lambda draw, shape: {"axes": tuple(draw(st.permutations(range(len(shape)))))}),
    "flip": _one(lambda draw, shape: {"axis": axes(draw, len(shape))}),
    "tril": _one(lambda draw, shape: {"k": draw(st.integers(-2, 2))}, min_dims=2),
    "triu": _one(lambda draw, shape: {"k": draw(st.integers(-2, 2))}, min_dims=2),
    "getitem": _getitem,
    "unget": _unget,
    "cat": _cat,
    "stack": _stack,
    "matmul": _matmul,
    "einsum": _einsum,
    "where": _broadcasting,
}


def has_cases(op: Op) -> bool:
    """Whether the checks can draw inputs for this op."""
    return op.name in CASES or op.kind == "elementwise"


def case(draw: Draw, op: Op) -> Case:
    """A random call of `op`."""
    return CASES.get(op.name, _broadcasting)(draw, op)
