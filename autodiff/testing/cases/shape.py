"""Ops that move elements."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Shape, Strategy, axes, inputs_for, one_axis, one_input, shapes

matrices = hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=3)


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


def _repeats(draw: Draw, shape: Shape) -> dict[str, Any]:
    count = len(shape) + draw(st.integers(0, 2))
    return {"repeats": tuple(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))}


def _runs(draw: Draw, length: int) -> Any:
    if draw(st.booleans()):
        return draw(st.integers(0, 3))
    return np.array(draw(st.lists(st.integers(0, 3), min_size=length, max_size=length)), np.int64)


def _repeat_interleave(draw: Draw, shape: Shape) -> dict[str, Any]:
    axis = draw(st.integers(0, len(shape) - 1))
    return {"axis": axis, "repeats": _runs(draw, shape[axis])}


def _sum_runs(draw: Draw, op: Op) -> Case:
    shape = list(draw(shapes.filter(len)))
    axis = one_axis(draw, tuple(shape))["axis"]
    length = shape[axis]
    repeats = _runs(draw, length)
    shape[axis] = int(np.sum(np.broadcast_to(repeats, length)))
    return Case(inputs_for(draw, op, [tuple(shape)]), {"axis": axis, "repeats": repeats, "length": length})


def _roll(draw: Draw, shape: Shape) -> dict[str, Any]:
    rolled = axes(draw, len(shape))
    return {"axis": rolled, "shifts": tuple(draw(st.integers(-4, 4)) for _ in rolled)}


def _window(draw: Draw, length: int) -> tuple[int, int]:
    return draw(st.integers(0, length)), draw(st.integers(1, 3))


def _unfold(draw: Draw, shape: Shape) -> dict[str, Any]:
    axis = draw(st.integers(0, len(shape) - 1))
    size, step = _window(draw, shape[axis])
    return {"axis": axis, "size": size, "step": step}


def _sum_windows(draw: Draw, op: Op) -> Case:
    shape = draw(shapes.filter(len))
    axis = one_axis(draw, shape)["axis"]
    length = draw(st.integers(1, 6))
    size, step = _window(draw, length)
    windows = (*shape[:axis], (length - size) // step + 1, *shape[axis + 1 :], size)
    whole = (*shape[:axis], length, *shape[axis + 1 :])
    return Case(inputs_for(draw, op, [windows]), {"axis": axis, "step": step, "shape": whole})


def _layout(draw: Draw, elements: int) -> tuple[Shape, Shape, int]:
    """Lengths, strides and an offset that stay within so many elements."""
    offset = draw(st.integers(0, elements - 1))
    left = elements - 1 - offset
    size, stride = [], []
    for _ in range(draw(st.integers(0, 3))):
        stride.append(draw(st.integers(0, 4)))
        size.append(draw(st.integers(1, 1 + min(3, left // stride[-1] if stride[-1] else 3))))
        left -= (size[-1] - 1) * stride[-1]
    return tuple(size), tuple(stride), offset


def _as_strided(draw: Draw, shape: Shape) -> dict[str, Any]:
    size, stride, offset = _layout(draw, math.prod(shape))
    return {"size": size, "stride": stride, "offset": offset}


def _sum_strided(draw: Draw, op: Op) -> Case:
    shape = draw(shapes)
    size, stride, offset = _layout(draw, math.prod(shape))
    return Case(inputs_for(draw, op, [size]), {"stride": stride, "offset": offset, "shape": shape})


def _diagonal(draw: Draw, shape: Shape) -> dict[str, Any]:
    axis1, axis2 = draw(st.permutations(range(len(shape))))[:2]
    return {"axis1": axis1, "axis2": axis2, "offset": draw(st.integers(-2, 2))}


def _diag_embed(draw: Draw, op: Op) -> Case:
    whole = draw(shapes.filter(lambda shape: len(shape) > 1))
    params = _diagonal(draw, whole)
    diagonals = np.empty(whole).diagonal(**params).shape
    return Case(inputs_for(draw, op, [diagonals]), {**params, "shape": whole})


CASES: dict[str, Strategy] = {
    "sum_to": _narrower,
    "broadcast_to": _narrower,
    "reshape": one_input(_reshape),
    "permute": one_input(lambda draw, shape: {"axes": tuple(draw(st.permutations(range(len(shape)))))}),
    "flip": one_input(lambda draw, shape: {"axis": axes(draw, len(shape))}),
    "roll": one_input(_roll, min_side=0),
    "repeat": one_input(_repeats, min_side=0),
    "repeat_interleave": one_input(_repeat_interleave, min_dims=1, min_side=0),
    "sum_runs": _sum_runs,
    "unfold": one_input(_unfold, min_dims=1),
    "sum_windows": _sum_windows,
    "as_strided": one_input(_as_strided),
    "sum_strided": _sum_strided,
    "diagonal": one_input(_diagonal, min_dims=2, min_side=0),
    "diag_embed": _diag_embed,
    "trace": lambda draw, op: Case(inputs_for(draw, op, [draw(matrices)]), {}),
    "tril": one_input(lambda draw, shape: {"k": draw(st.integers(-2, 2))}, min_dims=2),
    "triu": one_input(lambda draw, shape: {"k": draw(st.integers(-2, 2))}, min_dims=2),
}
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "adjoint": ("ad.adjoint(x)", "ad.adjoint(s)"),
    "as_strided": (
        "ad.as_strided(x, (2, 3), (1, 2))",
        "x.t().as_strided((2, 2, 2), (1, 0, 3), 2)",
        "ad.as_strided(s, (4,), (4,))",
    ),
    "atleast_1d": ("ad.atleast_1d(v.sum(), x)", "ad.atleast_1d([v])"),
    "atleast_2d": ("ad.atleast_2d(v)", "ad.atleast_2d(v.sum(), x)"),
    "atleast_3d": ("ad.atleast_3d(v)", "ad.atleast_3d(x, s)"),
    "broadcast_tensors": ("ad.broadcast_tensors(x, v)[1]",),
    "cartesian_prod": ("ad.cartesian_prod(v, v)", "ad.cartesian_prod(v)"),
    "clone": ("ad.clone(x)",),
    "combinations": ("ad.combinations(v)", "ad.combinations(v, 3, True)"),
    "contiguous": ("x.t().contiguous()",),
    "cpu": ("x.cpu()",),
    "diag": ("ad.diag(x, 1)", "ad.diag(v, -1)"),
    "diag_embed": ("ad.diag_embed(x, 1)", "ad.diag_embed(x, -1, 0, 2)"),
    "diagflat": ("ad.diagflat(x)", "ad.diagflat(v, 1)"),
    "diagonal": ("ad.diagonal(x, -1)", "ad.diagonal(s, 1, -1, 0)"),
    "double": ("x.double()",),
    "expand": ("v.expand(2, -1)",),
    "expand_as": ("v.expand_as(x)",),
    "flatten": ("ad.flatten(s, 1)", "ad.flatten(s)"),
    "flip": ("ad.flip(x, (0,))", "ad.flip(s, (0, -1))"),
    "fliplr": ("ad.fliplr(x)",),
    "flipud": ("ad.flipud(v)",),
    "meshgrid": ("ad.meshgrid(v, v, indexing='xy')", "ad.meshgrid([v, v.sum(), v])"),
    "moveaxis": ("ad.moveaxis(s, 0, -1)",),
    "movedim": ("ad.movedim(s, (0, 1), (1, 0))",),
    "permute": ("ad.permute(s, (2, 0, 1))",),
    "ravel": ("ad.ravel(x)",),
    "repeat": ("x.repeat(2, 1, 2)",),
    "repeat_interleave": (
        "ad.repeat_interleave(x, 2)",
        "ad.repeat_interleave(x, ad.tensor([0, 2, 1]), -1)",
        "ad.repeat_interleave(x, ad.tensor(2), 0)",
    ),
    "reshape": ("ad.reshape(s, (-1, 2))",),
    "reshape_as": ("x.reshape_as(ad.zeros(9))",),
    "roll": ("ad.roll(x, 1)", "ad.roll(x, (1, 5), (0, 1))", "ad.roll(x, (1, -2), (0, 0))"),
    "rot90": ("ad.rot90(x)", "ad.rot90(x, 2)", "ad.rot90(s, -1, (2, 0))", "ad.rot90(x, 4)"),
    "squeeze": ("x[None].squeeze(0)", "v[None, :, None].squeeze()"),
    "swapaxes": ("ad.swapaxes(x, 0, 1)",),
    "swapdims": ("ad.swapdims(s, 0, -1)",),
    "t": ("ad.t(x)",),
    "tile": ("ad.tile(x, (2,))", "ad.tile(v, (2, 2))"),
    "trace": ("ad.trace(x)",),
    "transpose": ("ad.transpose(s, 0, 2)",),
    "tril": ("ad.tril(s, 1)",),
    "triu": ("ad.triu(x, 1)",),
    "type": ("x.type('torch.DoubleTensor')",),
    "type_as": ("x.type_as(s)",),
    "unflatten": ("ad.unflatten(x, 1, (3, -1))",),
    "unfold": ("x.unfold(1, 2, 1)", "v.sum().unfold(0, 1, 1)"),
    "unsqueeze": ("ad.unsqueeze(x, -1)",),
    "view": ("x.view(9)",),
    "view_as": ("x.view_as(ad.zeros(9))",),
}
# float and half carry gradients, but too few digits for differences to see; they are the op `to`, which is checked.
NOT_DIFFERENTIABLE = {
    "bool", "broadcast_shapes", "byte", "char", "data_ptr", "float", "half", "int", "is_complex", "is_floating_point",
    "is_signed", "is_tensor", "long", "new_empty", "new_full", "new_ones", "new_tensor", "new_zeros", "numel",
    "result_type", "short", "storage_offset",
}  # fmt: skip
