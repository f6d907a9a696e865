"""What is drawn for pooling, padding and resampling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Array, Case, Draw, Shape, Strategy, one_of
from nn.functional.resampling import Table
from nn.testing.drawing import uniform

# Length, kernel, stride, padding, dilation and count: windows side by side, overlapping, apart, with a rest, past ends.
AXES = [(4, 2, 2, 0, 1, 2), (4, 3, 1, 1, 1, 4), (5, 2, 2, 1, 1, 3), (4, 2, 3, 0, 1, 2), (5, 2, 1, 0, 2, 3)]
AXES += [(5, 2, 2, 0, 1, 3), (1, 1, 1, 0, 1, 1), (3, 2, 3, 1, 2, 1)]


def _window(draw: Draw, axes: Sequence[tuple[int, ...]]) -> tuple[Shape, dict[str, Shape]]:
    """The lengths of one or two axes, and the windows on them."""
    drawn = [one_of(draw, axes) for _ in range(draw(st.integers(1, 2)))]
    size, *window = zip(*drawn, strict=True)
    return size, dict(zip(("kernel", "stride", "padding", "dilation", "count"), window, strict=True))


def _lead(draw: Draw) -> Shape:
    return tuple(draw(st.lists(st.integers(1, 2), min_size=1, max_size=2)))


def _apart(draw: Draw, shape: Shape) -> Array:
    """Numbers from -3 to 3, no two of which are so near that a difference would make another one the largest."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = int(np.prod(shape))
    return np.asarray(rng.permutation(np.linspace(-3, 3, count)).reshape(shape))


def _max_pool(draw: Draw, op: Op) -> Case:
    size, window = _window(draw, AXES)
    x = _apart(draw, (*_lead(draw), *size))
    return Case([x], dict(window))


def _sum_pool(draw: Draw, op: Op) -> Case:
    size, window = _window(draw, [axis for axis in AXES if axis[4] == 1])
    del window["dilation"]
    params: dict[str, Any] = dict(window)
    if op.name == "spread_pool":
        size, params["size"] = params.pop("count"), size
    return Case(uniform(draw, ((*_lead(draw), *size), -2, 2)), params)


def _constant_pad(draw: Draw, op: Op) -> Case:
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    widths = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=len(shape)))
    return Case(uniform(draw, (shape, -2, 2)), {"widths": tuple(widths), "value": one_of(draw, [0, 1.5])})


def _resample(draw: Draw, op: Op) -> Case:
    """Of an axis before, behind and between others, by tables with and without terms left out, and by copies."""
    shape, axis = one_of(draw, [((3,), 0), ((2, 4), 1), ((4, 2), 0), ((2, 1, 2), 1)])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    terms, out, copies, share = one_of(draw, [(1, 4, True, 0), (2, 3, False, 0), (3, 2, False, 0.4)])
    index = rng.integers(0, shape[axis], (terms, out))
    # Whole numbers, so that sums of integers are exact; a weight of 0 leaves a term out.
    weights = np.ones((terms, out))
    if not copies:
        weights = rng.choice([-2.0, -1.0, 1.0, 3.0], (terms, out)) * (rng.random((terms, out)) > share)
    return Case(uniform(draw, (shape, -2, 2)), {"axis": axis - len(shape), "table": Table(index, weights, shape[axis])})


CASES: dict[str, Strategy] = {
    "max_pool": _max_pool,
    "sum_pool": _sum_pool,
    "spread_pool": _sum_pool,
    "constant_pad": _constant_pad,
    "resample": _resample,
}
