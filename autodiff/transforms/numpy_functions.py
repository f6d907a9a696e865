"""NumPy's functions on `Batched`, a few forms for all of them: the hidden axes stay in front, all others move up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.transforms.batching import (
    FUNCTIONS,
    SHARED,
    Batched,
    BatchingError,
    aligned,
    full,
    lengths_of,
    levels_of,
    rows,
    spread,
)

_function: Any


def batched(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function what NumPy's `functions` do on Batched."""

    def register(ours: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.update(dict.fromkeys(functions, ours))
        return ours

    return register


def _moved(axis: Any, x: Batched, ndim: int | None = None) -> Any:
    """`axis` of a sample, one or several, as an axis of the data."""
    own = x.ndim if ndim is None else ndim
    if not isinstance(axis, int | np.integer):
        return tuple(_moved(i, x, ndim) for i in axis)
    if not -own <= axis < max(own, 1):
        raise np.exceptions.AxisError(int(axis), own)
    return len(x.levels) + (axis % own if own else 0)


def _only(x: Any, *others: Any) -> Batched:
    """`x`, the only Batched among the arguments."""
    if type(x) is not Batched or any(type(other) is Batched for other in others):
        raise BatchingError("what this function takes beside the array differs between samples")
    return x


def _reducing(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduced(a: Any, axis: Any = None, *args: Any, **options: Any) -> Any:
        x = a if not args and not options else _only(a, *args, *options.values())
        axes = tuple(range(len(x.levels), x.data.ndim)) if axis is None else _moved(axis, x)
        return Batched(np.asarray(function(x.data, axes, *args, **options)), x.levels)

    return reduced


for _function in (np.sum, np.mean, np.max, np.min, np.prod, np.any, np.all, np.var, np.std, np.nansum, np.nanmean):
    batched(_function)(_reducing(_function))
batched(np.count_nonzero)(_reducing(np.count_nonzero))


@batched("reduce")
def _reduce(x: Any, *, ufunc: np.ufunc, axis: Any = 0, **options: Any) -> Any:
    # Where the reduced axis has no hidden one in front of it, the ufunc does what it always does.
    return _reducing(ufunc.reduce)(x, axis, **options)


@batched("accumulate")
def _accumulate(x: Any, *, ufunc: np.ufunc, axis: int = 0, **options: Any) -> Any:
    return Batched(ufunc.accumulate(_only(x).data, _moved(axis, x), **options), x.levels)


@batched("reduceat")
def _reduceat(x: Any, indices: Any, *, ufunc: np.ufunc, axis: int = 0, **options: Any) -> Any:
    return Batched(ufunc.reduceat(_only(x, indices).data, indices, _moved(axis, x), **options), x.levels)


@batched("at")
def _at(x: Any, index: Any, value: Any, *, ufunc: np.ufunc) -> None:
    parts = index if isinstance(index, tuple) else (index,)
    if type(x) is not Batched or not set(levels_of([value])) <= set(x.levels):
        raise BatchingError(f"what differs between samples {SHARED}")
    if x.ndim == 1 == len(parts) and isinstance(parts[0], Batched | np.ndarray) and parts[0].dtype.kind in "iu":
        ufunc.at(*rows(x, parts, value))
    else:
        # By the places of the elements in each sample, which may stand in several axes.
        if not x.data.flags.c_contiguous:
            raise BatchingError("writing at places of memory that is not in row-major order")
        places = np.arange(x.size).reshape(x.shape)[index]
        values = np.broadcast_to(value, places.shape).reshape(-1)
        ufunc.at(*rows(x.reshape(-1), [places.reshape(-1)], values))


def _along(function: Callable[..., Any], before: int, default: Any) -> Callable[..., Any]:
    """A function of one axis, which is its argument after the array and `before` others; None flattens."""

    def along(a: Any, *args: Any, **options: Any) -> Any:
        x = _only(a, *args, *options.values())
        axis = options.pop("axis", args[before] if len(args) > before else default)
        if axis is None or not x.ndim:
            x, axis = x.reshape(-1), 0
        return Batched(function(x.data, *args[:before], axis=_moved(axis, x), *args[before + 1 :], **options), x.levels)  # noqa: B026

    return along


for _function, _before, _default in (
    (np.sort, 0, -1), (np.argsort, 0, -1), (np.cumsum, 0, None), (np.cumprod, 0, None), (np.argmax, 0, None),
    (np.argmin, 0, None), (np.partition, 1, -1), (np.argpartition, 1, -1), (np.repeat, 1, None), (np.take, 1, None),
    (np.diff, 1, -1), (np.median, 0, None), (np.trapezoid, 2, -1),
):  # fmt: skip
    batched(_function)(_along(_function, _before, _default))


def _elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    def each(*args: Any, **options: Any) -> Any:
        names = list(options)
        levels, arrays = aligned([*args, *options.values()])
        return Batched(function(*arrays[: len(args)], **dict(zip(names, arrays[len(args) :], strict=True))), levels)

    return each


for _function in (
    np.where, np.clip, np.isclose, np.nan_to_num, np.round, np.real, np.imag, np.isposinf, np.isneginf, np.sinc,
    np.isreal, np.copy, np.angle, np.i0,
):  # fmt: skip
    batched(_function)(_elementwise(_function))


@batched(np.where)
def _where(condition: Any, *values: Any) -> Any:
    if not values:
        raise BatchingError("where a condition holds differs between samples, and so does the result's shape")
    return _elementwise(np.where)(condition, *values)


batched(np.shape)(lambda x: x.shape)
batched(np.ndim)(lambda x: x.ndim)
batched(np.size)(lambda x, axis=None: x.size if axis is None else x.shape[axis])
batched(np.result_type)(
    lambda *values: np.result_type(*(np.zeros(x.shape[:0], x.dtype) if type(x) is Batched else x for x in values))
)
batched(np.iscomplexobj)(lambda x: x.dtype.kind == "c")
batched(np.isrealobj)(lambda x: x.dtype.kind != "c")


@batched(np.may_share_memory, np.shares_memory)
def _shared(a: Any, b: Any, max_work: Any = None) -> bool:
    x, y = (z.data if type(z) is Batched else z for z in (a, b))
    return np.may_share_memory(x, y)


batched(np.ravel)(lambda a, order="C": a.reshape(-1))
batched(np.reshape)(lambda a, shape, order="C": a.reshape(shape))
batched(np.transpose)(lambda a, axes=None: a.transpose(*(() if axes is None else axes)))
batched(np.squeeze)(
    lambda a, axis=None: a.reshape(
        [
            n
            for i, n in enumerate(a.shape)
            if (n != 1 if axis is None else len(a.levels) + i not in np.ravel(_moved(axis, a)))
        ]
    )
)


@batched(np.swapaxes)
def _swapaxes(a: Batched, axis1: int, axis2: int) -> Batched:
    return Batched(a.data.swapaxes(_moved(axis1, a), _moved(axis2, a)), a.levels)


@batched(np.moveaxis)
def _moveaxis(a: Batched, source: Any, destination: Any) -> Batched:
    return Batched(np.moveaxis(a.data, _moved(source, a), _moved(destination, a)), a.levels)


@batched(np.expand_dims)
def _expand_dims(a: Batched, axis: Any) -> Batched:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    return Batched(np.expand_dims(a.data, _moved(axes, a, a.ndim + len(axes))), a.levels)


@batched(np.broadcast_to)
def _broadcast_to(array: Batched, shape: Any) -> Batched:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    data = spread(array, array.levels, max(len(shape), array.ndim))
    return Batched(np.broadcast_to(data, data.shape[: len(array.levels)] + shape), array.levels)


def _flipped(function: Callable[..., Any]) -> Callable[..., Any]:
    def flipped(a: Batched, *args: Any, axis: Any = None) -> Batched:
        before = 1 if function is np.roll else 0
        axis = args[before] if len(args) > before else axis
        if axis is None and function is np.roll:
            return flipped(a.reshape(-1), args[0], axis=0).reshape(a.shape)
        axes = tuple(range(a.ndim)) if axis is None else axis
        return Batched(function(a.data, *args[:before], axis=_moved(axes, a)), a.levels)

    return flipped


batched(np.flip)(_flipped(np.flip))
batched(np.roll)(_flipped(np.roll))


@batched(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if type(dst) is not Batched or where is not True:
        raise BatchingError(f"what differs between samples {SHARED}")
    dst[...] = src


@batched(np.tile)
def _tile(a: Batched, reps: Any) -> Batched:
    reps = (reps,) if isinstance(reps, int) else tuple(reps)
    data = spread(a, a.levels, max(len(reps), a.ndim))
    return Batched(np.tile(data, (1,) * (data.ndim - len(reps)) + reps), a.levels)


@batched(np.diagonal)
def _diagonal(a: Batched, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Batched:
    out = a.data.diagonal(offset, _moved(axis1, a), _moved(axis2, a))
    return Batched(out, a.levels)


@batched(np.trace)
def _trace(a: Batched, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Batched:
    return Batched(a.data.trace(offset, _moved(axis1, a), _moved(axis2, a), dtype), a.levels)


@batched(np.lib.stride_tricks.sliding_window_view)
def _windows(x: Batched, window_shape: int, axis: int) -> Batched:
    return Batched(np.lib.stride_tricks.sliding_window_view(x.data, window_shape, _moved(axis, x)), x.levels)


def _like(function: Callable[..., Any]) -> Callable[..., Any]:
    def like(a: Batched, *args: Any, dtype: Any = None, shape: Any = None, **options: Any) -> Batched:
        before = 1 if function is np.full_like else 0
        args, dtype = args[:before], args[before] if len(args) > before else dtype
        own = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        hidden = a.data.shape[: len(a.levels)]
        return Batched(function(a.data, *args, order="C", dtype=dtype, shape=hidden + own), a.levels)

    return like


for _function in (np.zeros_like, np.ones_like, np.empty_like, np.full_like):
    batched(_function)(_like(_function))


def _joined(arrays: Sequence[Any], levels: Any, axis: int) -> Batched:
    lengths = lengths_of(arrays)
    hidden = tuple(lengths[level] for level in levels)
    parts = [
        np.broadcast_to(spread(x, levels, x.ndim) if type(x) is Batched else x, hidden + np.shape(x)) for x in arrays
    ]
    return Batched(np.concatenate(parts, axis=len(levels) + axis), levels)


@batched(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Batched:
    if axis is None:
        return _joined([np.ravel(x) for x in arrays], levels_of(arrays), 0)
    return _joined(arrays, levels_of(arrays), axis % arrays[0].ndim)


@batched(np.stack)
def _stack(arrays: Sequence[Any], axis: int = 0) -> Batched:
    axis %= arrays[0].ndim + 1
    return _joined([np.expand_dims(x, axis) for x in arrays], levels_of(arrays), axis)


@batched(np.take)
def _take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: Any = "raise") -> Any:
    if out is not None:
        raise BatchingError("np.take with out= has no form inside vmap")
    x: Any = a if axis is not None else np.reshape(a, -1)
    axis = 0 if axis is None else axis % max(x.ndim, 1)
    if type(indices) is not Batched:
        return Batched(np.take(x.data, indices, _moved(axis, x), mode=mode), x.levels)
    x = x if type(x) is Batched else Batched(x, ())
    return x[(slice(None),) * axis + (indices,)]


@batched(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Batched:
    if axis is None:
        arr, axis = np.reshape(arr, -1), 0
    levels, (data, places) = full([arr, indices])
    return Batched(np.take_along_axis(data, places, len(levels) + axis % max(arr.ndim, 1)), levels)
