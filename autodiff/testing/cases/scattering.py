"""Places that an index tensor names along an axis: the ops that gather from them and scatter to them."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Array, Case, Draw, Shape, Strategy, inputs_for, one_of, places, shapes


def _whole(draw: Draw) -> tuple[Shape, int]:
    shape = draw(shapes)
    return shape, draw(st.integers(0, max(len(shape) - 1, 0)))


def _element_index(draw: Draw, shape: Shape, axis: int) -> Array:
    """An index no longer than `shape` except along `axis`; it may name a place twice."""
    lengths = tuple(draw(st.integers(0 if d == axis else 1, 4 if d == axis else n)) for d, n in enumerate(shape))
    size = shape[axis] if shape else 1
    index: Array = draw(hnp.arrays(np.int64, lengths, elements=st.integers(0, size - 1)))
    return index


def _distinct_index(draw: Draw, shape: Shape, axis: int) -> Array:
    """One that names no place twice."""
    lengths = tuple(draw(st.integers(0 if d == axis else 1, n)) for d, n in enumerate(shape))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if not shape:
        return np.zeros((), np.int64)
    order = np.argsort(rng.random(shape), axis=axis)
    return np.asarray(order[tuple(slice(n) for n in lengths)])


def _gather(draw: Draw, op: Op) -> Case:
    shape, axis = _whole(draw)
    (x,) = inputs_for(draw, op, [shape])
    return Case([x, _element_index(draw, shape, axis)], {"axis": axis})


def _scatter(draw: Draw, op: Op) -> Case:
    shape, axis = _whole(draw)
    index = _distinct_index(draw, shape, axis)
    x, source = inputs_for(draw, op, [shape, draw(st.sampled_from([index.shape, ()]))])
    return Case([x, index, source], {"axis": axis})


def _scatter_add(draw: Draw, op: Op) -> Case:
    shape, axis = _whole(draw)
    index = _element_index(draw, shape, axis)
    x, source = inputs_for(draw, op, [shape, index.shape])
    return Case([draw(st.sampled_from([x, None])), index, source], {"axis": axis, "shape": shape})


def _scatter_reduce(draw: Draw, op: Op) -> Case:
    shape, axis = _whole(draw)
    index = _element_index(draw, shape, axis)
    x, source = inputs_for(draw, op, [shape, index.shape])
    reduce = one_of(draw, ["prod", "amax", "amin"])
    if reduce == "prod":
        # A product has a derivative where factors are 0, one or several.
        x, source = (np.where(places(draw, part.shape), 0.0, part) for part in (x, source))
    return Case([x, index, source], {"axis": axis, "reduce": reduce})


def _slice_index(draw: Draw, size: int, shape: st.SearchStrategy[Shape]) -> Array:
    index: Array = draw(hnp.arrays(np.int64, shape, elements=st.integers(-size, size - 1)))
    return index


def _index_select(draw: Draw, op: Op) -> Case:
    shape, axis = _whole(draw)
    shape = shape or (3,)
    index = _slice_index(draw, shape[axis], hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4))
    return Case([*inputs_for(draw, op, [shape]), index], {"axis": axis})


def _index_add(draw: Draw, op: Op) -> Case:
    shape, axis = _whole(draw)
    shape = shape or (3,)
    index = _slice_index(draw, shape[axis], hnp.array_shapes(min_dims=1, max_dims=1, min_side=0, max_side=4))
    x, source = inputs_for(draw, op, [shape, (*shape[:axis], index.size, *shape[axis + 1 :])])
    return Case([draw(st.sampled_from([x, None])), index, source], {"axis": axis, "shape": shape})


CASES: dict[str, Strategy] = {
    "gather": _gather,
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "scatter_reduce": _scatter_reduce,
    "index_select": _index_select,
    "index_add": _index_add,
}
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "gather": (
        "ad.gather(x, 0, ad.tensor([[2, 0, 2]]))",
        "ad.gather(s, -1, ad.tensor([[[0, 1, 1, 2]], [[2, 2, 0, 0]]]))",
    ),
    "take": ("ad.take(x, i)", "ad.take(s, ad.tensor([[0, -1], [-1, 4]]))"),
    "take_along_dim": ("ad.take_along_dim(x, i)", "ad.take_along_dim(x, ad.tensor([[0, -1, 0, 2]]), 1)"),
    "index_select": ("ad.index_select(x, 1, i)", "ad.index_select(v, 0, ad.tensor([0, 0, 2]))"),
    "scatter": (
        "ad.scatter(x, 0, ad.tensor([[2, 0, 1]]), x * 2)",
        "ad.scatter(x, 1, ad.tensor([[2], [0]]), 5.0)",
        'ad.scatter(x, 1, ad.tensor([[2, 2], [0, 1]]), x * 2, reduce="add")',
        'ad.scatter(x, 1, ad.tensor([[2, 2], [0, 1]]), value=3.0, reduce="multiply")',
    ),
    "scatter_add": ("ad.scatter_add(x, 0, ad.tensor([[2, 0, 1], [2, 1, 1]]), x * 2)",),
    "scatter_reduce": tuple(
        f"ad.scatter_reduce(x, 1, ad.tensor([[2, 2], [0, 1]]), x * 2, {reduce!r}, include_self={own})"
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    ),
    "index_add": ("ad.index_add(x, 1, i, x[:, :2])", "ad.index_add(v, 0, ad.tensor([1, 1]), v[:2], alpha=0.5)"),
    "index_copy": ("ad.index_copy(x, 1, i, x[:, :2])", "ad.index_copy(v, -1, ad.tensor(1), v[0])"),
    "index_fill": ("ad.index_fill(x, 1, i, 2.0)", "ad.index_fill(x, 0, ad.tensor([-1]), v[0])"),
    "index_put": (
        "ad.index_put(x, (i, i), v[:2])",
        "ad.index_put(x, (ad.tensor([0, 0]), ad.tensor([1, 1])), v[:2], accumulate=True)",
        "ad.index_put(x, (mask,), v[0])",
    ),
    "index_reduce": tuple(
        f"ad.index_reduce(x, 1, ad.tensor([2, 2]), x[:, :2] * 2, {reduce!r}, include_self={own})"
        for reduce in ("prod", "mean", "amax", "amin")
        for own in (True, False)
    ),
    "put": ("ad.put(x, i, v[:2])", "ad.put(x, ad.tensor([-1, -1]), v[:2], True)"),
    "select_scatter": ("ad.select_scatter(x, v, 0, 1)", "ad.select_scatter(s, x[:2], -1, -1)"),
    "slice_scatter": ("ad.slice_scatter(x, x[:2] * 2, 0, 1, 3)", "ad.slice_scatter(x, x[:, :2] * 2, 1, step=2)"),
    "diagonal_scatter": (
        "ad.diagonal_scatter(x, v)",
        "ad.diagonal_scatter(x, v[:2], -1)",
        "ad.diagonal_scatter(s, x[:, :2] * 2, 0, 0, 2)",
    ),
}
