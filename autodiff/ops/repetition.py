"""Elements repeated into new memory: whole tensors side by side, or each entry along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.op import OpError, Recorder, implements
from autodiff.ops.shape import positive_axis, reshape, sizes
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, empty_beside, wrap

Shape = tuple[int, ...]

# Runs of up to so many entries are written and summed entry by entry, all runs at a time: of 1,000,000 runs of 2 the
# sums take 0.7 ms, by np.add.reduce 13, and the copies take 0.7, by np.repeat 1.8.
_FEW = 4


def _entry(runs: Array, i: int, axis: int) -> Array:
    """The view of entry `i` of every run, the runs lying along `axis`."""
    view: Array = runs[(slice(None),) * axis + (i, ...)]
    return view


def _interleaved(shape: Shape, repeats: Shape) -> Shape:
    """The shape with an axis for the copies before each axis."""
    padded = (1,) * (len(repeats) - len(shape)) + shape
    return tuple(n for pair in zip(repeats, padded, strict=True) for n in pair)


def _repeat_kernel(x: Array, repeats: Shape) -> Array:
    # Written once through a broadcast; np.tile copies once an axis.
    out = np.empty_like(x, shape=_interleaved(x.shape, repeats), order="C")
    out[...] = x.reshape(_interleaved(x.shape, (1,) * len(repeats)))
    return out.reshape([out.shape[i] * out.shape[i + 1] for i in range(0, out.ndim, 2)])


_repeat = multilinear(
    "repeat",
    _repeat_kernel,
    vjp=lambda g, y, x, repeats: np.sum(
        np.reshape(g, _interleaved(x.shape, repeats)), axis=tuple(range(0, 2 * len(repeats), 2))
    ),
    doc="Copies of the whole tensor side by side, so many along each axis.",
)


def _sum_runs_kernel(g: Array, repeats: int | Array, axis: int, length: int) -> Any:
    front, back = g.shape[:axis], g.shape[axis + 1 :]
    if isinstance(repeats, int):
        runs = g.reshape(*front, length, repeats, *back)
        if not 0 < repeats <= _FEW:
            return np.add.reduce(runs, axis + 1)
        total = _entry(runs, 0, axis + 1).copy()
        for i in range(1, repeats):
            total += _entry(runs, i, axis + 1)
        return total
    # reduceat cannot sum nothing: entries that were left out keep their zero.
    out = np.zeros((*front, length, *back), g.dtype)
    there = repeats > 0
    if there.any():
        out[(slice(None),) * axis + (there,)] = np.add.reduceat(g, (np.cumsum(repeats) - repeats)[there], axis)
    return out


def _repeat_interleave_kernel(x: Array, repeats: int | Array, axis: int) -> Array:
    if not isinstance(repeats, int) or not 0 < repeats <= _FEW:
        return np.repeat(x, repeats, axis)
    runs = empty_beside(x, (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]))
    for i in range(repeats):
        _entry(runs, i, axis + 1)[...] = x
    return runs.reshape(*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :])


_repeat_interleave: Recorder = multilinear(
    "repeat_interleave",
    _repeat_interleave_kernel,
    vjp=lambda g, y, x, repeats, axis: sum_runs.rule(g, repeats=repeats, axis=axis, length=x.shape[axis]),
    doc="Each entry along an axis so many times in a row.",
)
sum_runs: Recorder = multilinear(
    "sum_runs",
    _sum_runs_kernel,
    vjp=lambda g, y, x, repeats, axis, length: _repeat_interleave.rule(g, repeats=repeats, axis=axis),
    doc="The sums of runs along an axis: the adjoint of `repeat_interleave`.",
)


def repeat(input: Tensor, *counts: Any, repeats: Sequence[int] | None = None) -> Tensor:
    """Copies side by side, so many along each axis; numbers in front of those of the tensor's axes add axes.

    OpError for fewer numbers than axes, or negative ones.

    >>> import autodiff as ad
    >>> ad.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    wanted = sizes(counts, repeats)
    if len(wanted) < input.ndim or any(n < 0 for n in wanted):
        raise OpError(
            f"repeat: expected at least {input.ndim} numbers, none negative, for shape {input.shape}, got {wanted}; "
            f"tile() adds ones in front"
        )
    return _repeat(input, repeats=wanted)


def tile(input: Tensor, *counts: Any, dims: Sequence[int] | None = None) -> Tensor:
    """As `repeat`, but axes for which no number is left are not repeated.

    >>> import autodiff as ad
    >>> ad.tile(ad.tensor([[1, 2]]), (2,))
    tensor([[1, 2, 1, 2]])
    """
    wanted = sizes(counts, dims)
    return repeat(input, (1,) * (input.ndim - len(wanted)) + wanted)


def repeat_interleave(
    input: Tensor | None = None, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each entry along `dim` `repeats` times in a row; of the flattened tensor without `dim`.

    `repeats` is an int, or an int64 or int32 tensor with one number, or one for each entry. Called with that tensor
    alone: the index that does it. OpError for a number of `repeats` that does not fit, negative ones, or a result
    that is not `output_size` long.

    >>> import autodiff as ad
    >>> ad.repeat_interleave(ad.tensor([7, 8]), 2), ad.repeat_interleave(ad.tensor([0, 3, 1]))
    (tensor([7, 7, 8, 8]), tensor([1, 1, 1, 2]))
    """
    if input is None or repeats is None:
        return _index_of_runs(repeats if input is None else input, output_size)
    if dim is None:
        input, dim = reshape(input, -1), 0
    axis = positive_axis(dim, input.ndim)
    if not input.ndim:
        raise IndexError("repeat_interleave: a 0-d tensor has no dimension to repeat along; leave dim out")
    counts = _counts(repeats)
    if not isinstance(counts, int) and counts.size == 1:
        counts = int(counts.item())
    if not isinstance(counts, int) and counts.shape != (input.shape[axis],):
        raise OpError(
            f"repeat_interleave: expected one number of repeats, or {input.shape[axis]} for dim {dim} of shape "
            f"{input.shape}, got shape {counts.shape}"
        )
    _check_length(counts * input.shape[axis] if isinstance(counts, int) else int(counts.sum()), output_size)
    return _repeat_interleave(input, repeats=counts, axis=axis)


def _counts(repeats: Any) -> int | Array:
    """The numbers of repeats, checked; a copy of an array, which the graph keeps."""
    if isinstance(repeats, int) and not isinstance(repeats, bool):
        counts: int | Array = repeats
    elif isinstance(repeats, Tensor) and repeats.dtype in (np.dtype("int64"), np.dtype("int32")):
        counts = repeats.array.copy()
    else:
        raise TypeError(
            f"repeat_interleave: expected repeats as an int or an int64 or int32 tensor, got "
            f"{getattr(repeats, 'dtype', type(repeats).__name__)}; convert it with .long()"
        )
    if np.any(np.less(counts, 0)):
        raise OpError(f"repeat_interleave: expected repeats of at least 0, got {repeats}")
    return counts


def _check_length(length: int, expected: int | None) -> None:
    if expected is not None and expected != length:
        raise OpError(f"repeat_interleave: the repeats make {length} entries, but output_size is {expected}")


def _index_of_runs(repeats: Any, output_size: int | None) -> Tensor:
    counts = _counts(repeats)
    if isinstance(counts, int) or counts.ndim != 1:
        raise OpError(
            f"repeat_interleave: expected a vector of repeats, got {repeats!r:.60}; or give input and repeats"
        )
    _check_length(int(counts.sum()), output_size)
    return wrap(np.repeat(np.arange(len(counts), dtype=counts.dtype), counts))


@implements(np.tile)
def _np_tile(A: Tensor, reps: Any) -> Tensor:
    return tile(A, sizes((reps,)))


@implements(np.repeat)
def _np_repeat(a: Tensor, repeats: Any, axis: int | None = None) -> Tensor:
    return repeat_interleave(a, repeats if isinstance(repeats, int | Tensor) else wrap(np.asarray(repeats)), axis)
