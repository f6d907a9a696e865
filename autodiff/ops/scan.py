"""Running sums, products and extremes along an axis."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.domain import Interval
from autodiff.op import Recorder, implements
from autodiff.ops.blocks import BLOCK
from autodiff.ops.conversion import astype, clone, floating
from autodiff.ops.places import gather
from autodiff.ops.reduction import ValuesIndices, numpy_names
from autodiff.ops.shape import positive_axis
from autodiff.recorders import multilinear, operation
from autodiff.tensor import Array, Tensor, as_array, contiguous_array, wrap
from autodiff.threads import share

# Up to so many steps one by one: 8 µs for 10 of them, where two at a time take 16.
FEW = 16
# From so many rows on a step of all of them is worth a call; a long row is cut into stretches of this length.
MANY, STRETCH = 256, 200
# The steps of so many numbers are taken at once, in 8 MB.
AT_ONCE = 1_000_000


def _accumulated(ufunc: np.ufunc, x: Array, axis: int, backwards: bool = False) -> Array:
    """``ufunc.accumulate``, from the last place to the first if `backwards`."""
    # In double, as in PyTorch: in float16 a sum would stall at 2048 ones. NumPy's own running sum waits for each
    # addition before the next, 3.5 ms for a million, and holds the interpreter's lock meanwhile.
    if x.dtype.char == "f" and x.size > BLOCK and axis == x.ndim - 1:
        y = np.empty(x.shape, x.dtype)
        if x.size // x.shape[-1] >= MANY:
            _by_steps(ufunc, x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]), backwards)
            return y
        if x.ndim == 1 and ufunc is np.add:
            _long_sums(x, y, backwards)
            return y
    order = (*(slice(None),) * axis, slice(None, None, -1 if backwards else 1))
    y = ufunc.accumulate(x[order], axis=axis, dtype=np.float64 if x.dtype.kind == "f" else x.dtype)
    return y[order].astype(x.dtype, copy=False)


def _by_steps(ufunc: np.ufunc, x: Array, out: Array, backwards: bool, before: float | None = None) -> Any:
    """``ufunc.accumulate(x, 1)``, one step of all rows at a time: 1.5 ms for 1000 by 1000 float32 instead of 3.5.

    Given the sum `before` them the rows continue each other: to each is added what precedes it, and the sum returned.
    """
    n = x.shape[1]
    rows = max(MANY, AT_ONCE // n)
    way = slice(None, None, -1 if backwards else 1)
    for start in range(0, len(x), rows)[way]:
        steps = np.empty((n, len(x[start : start + rows])))
        _turn(x[start : start + rows], steps)
        for earlier, step in pairwise(steps[way]):
            ufunc(earlier, step, step)
        if before is not None:
            sums = np.add.accumulate(np.concatenate(([before], steps[way][-1][way])))
            steps += sums[:-1][way].copy()
            before = sums[-1]
        _turn(steps, out[start : start + rows])
    return before


def _turn(x: Array, out: Array) -> None:
    """Write x.T into `out`, so many rows at a time that what is read of them stays in the cache."""
    n, tile = x.shape[1], 128

    def work(i: int) -> None:
        at = slice(i * tile, (i + 1) * tile)
        rows = x[at]
        if rows.strides[0] % 1024 == 0:
            # Rows that begin in the same lines of the cache would push each other out: 3.5 ms for 1024 by 1024, or 2.
            apart = np.empty((len(rows), n + 64 // x.itemsize), x.dtype)[:, :n]
            apart[...] = rows
            rows = apart
        out[:, at] = rows.T

    share(work, -(-len(x) // tile))


def _long_sums(x: Array, out: Array, backwards: bool) -> None:
    """The running sums of a long row: of all its stretches at once, and then of the rest."""
    rest = x.size % STRETCH
    many, few = slice(x.size - rest), slice(x.size - rest, None)
    if backwards:
        many, few = slice(rest, None), slice(rest)
    before = _by_steps(np.add, x[many].reshape(-1, STRETCH), out[many].reshape(-1, STRETCH), backwards, 0.0)
    way = slice(None, None, -1 if backwards else 1)
    out[few][way] = np.add.accumulate(np.concatenate(([before], x[few][way])))[1:]


_cumsum: Recorder = multilinear(
    "cumsum",
    lambda x, axis: _accumulated(np.add, x, axis),
    vjp=lambda g, y, x, axis: np.flip(_cumsum.rule(np.flip(g, axis), axis=axis), axis),
    fast=lambda g, y, x, axis: _accumulated(np.add, g, axis, backwards=True),
    doc="The running sum along an axis.",
)


def _shift_kernel(x: Array, axis: int, by: int, fill: float) -> Array:
    # A million numbers take a pass more than needed, but np.roll takes 6 µs for the first.
    out = np.empty_like(x)
    out.fill(fill)
    before = (slice(None),) * axis
    moved, source = (slice(by, None), slice(-by)) if by > 0 else (slice(by), slice(-by, None))
    out[(*before, moved)] = x[(*before, source)]
    return out


_shift: Recorder = operation(
    "shift",
    _shift_kernel,
    vjp=lambda g, y, x, axis, by, fill: _shift.rule(g, axis=axis, by=-by, fill=0.0),
    doc="The elements moved along an axis, and a number in the places that become free.",
)


def _recurrence_kernel(x: Array, factor: Array) -> Array:
    """Of many steps two made one, in half as many places, and so on: 4 ms for a million numbers."""
    count = len(x)
    out = as_array(x).astype(np.result_type(x, factor))
    if count <= FEW:
        for i in range(1, count):
            out[i] += factor[i] * out[i - 1]
        return out
    even, odd = slice(0, count // 2 * 2, 2), slice(1, None, 2)
    out[odd] = _recurrence_kernel(x[odd] + factor[odd] * x[even], factor[odd] * factor[even])
    out[2::2] += factor[2::2] * out[1 : count - 1 : 2]
    return out


def _recurrence_backwards(x: Any, factor: Any, axis: int) -> Any:
    """What the same steps give from the last place to the first: y[i] = x[i] + factor[i + 1] * y[i + 1]."""
    ahead = _shift.rule(factor, axis=axis, by=-1, fill=0.0)
    return np.flip(_recurrence.rule(np.flip(x, axis), np.flip(ahead, axis), axis=axis), axis)


_recurrence = operation(
    "recurrence",
    lambda x, factor, axis: _recurrence_kernel(x.swapaxes(axis, 0), factor.swapaxes(axis, 0)).swapaxes(axis, 0),
    vjp=(
        lambda g, y, x, factor, axis: _recurrence_backwards(g, factor, axis),
        lambda g, y, x, factor, axis: (
            _shift.rule(y, axis=axis, by=1, fill=0.0) * _recurrence_backwards(g, factor, axis)
        ),
    ),
    saves=("factor", "factor y"),
    domain=(Interval(-4, 4), Interval(-2, 2)),
    doc="The steps y[i] = x[i] + factor[i] * y[i - 1] along an axis.",
)


def _cumprod_rule(g: Any, y: Any, x: Any, axis: int) -> Any:
    # A second derivative divides by x once more, which overflows for subnormal numbers.
    if not np.any(np.abs(x) < np.finfo(x.dtype).tiny):
        return np.flip(_cumsum.rule(np.flip(g * y, axis), axis=axis), axis) / x
    # The product of what stands before a place, and the sum of g times the products of what stands after it.
    return _shift.rule(y, axis=axis, by=1, fill=1.0) * _recurrence_backwards(g, x, axis)


def _cumprod_on_arrays(g: Array, y: Array, x: Array, axis: int) -> Any:
    if np.any(np.abs(x) < np.finfo(x.dtype).tiny):
        return _cumprod_rule(g, y, x, axis)
    out = _accumulated(np.add, g * y, axis, backwards=True)
    return np.divide(out, x, out=out)


_cumprod = operation(
    "cumprod",
    lambda x, axis: _accumulated(np.multiply, x, axis),
    vjp=_cumprod_rule,
    fast=_cumprod_on_arrays,
    saves="x y",
    domain=Interval(-8, 8),
    doc="The running product along an axis.",
)


def _logcumsumexp_rule(g: Any, y: Any, x: Any, axis: int) -> Any:
    before = _shift.rule(y, axis=axis, by=1, fill=-np.inf)
    # The weights exp(x[i] - y[k]), k >= i, in steps: none of the factors is larger than 1. Equal are also infinities.
    factor = np.exp(np.where(before == y, 0.0, before - y))
    return np.exp(x - y) * _recurrence_backwards(g, factor, axis)


_logcumsumexp = operation(
    "logcumsumexp",
    lambda x, axis: _accumulated(np.logaddexp, x, axis),
    vjp=_logcumsumexp_rule,
    saves="x y",
    domain=Interval(-60, 60),
    analytic=False,
    doc="The logarithm of the running sum of exp(x) along an axis, without overflow.",
)


def _countable(name: str, x: Tensor, dtype: Any) -> Tensor:
    """`x` in the dtype that is added up in: int64 for integers and bools, unless `dtype` says otherwise."""
    if dtype is None:
        return astype(x, dtypes.int64) if x.array.dtype.kind in "iub" else x
    x = astype(x, dtype)
    if x.array.dtype.kind == "b":
        raise TypeError(f"{name}: expected dtype to be an integer or floating-point dtype, got bool")
    return x


@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running sum along `dim`; integers and bools add up in int64. `dtype` converts first, TypeError for bool.

    >>> import autodiff as ad
    >>> ad.cumsum(ad.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 3., 6.])
    """
    input = _countable("cumsum", input, dtype)
    axis = positive_axis(dim, input.ndim)
    return _cumsum(input, axis=axis) if input.ndim else clone(input)


@numpy_names
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running product along `dim`, differentiable at zeros; dtypes as for `cumsum`.

    >>> import autodiff as ad
    >>> ad.cumprod(ad.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 2., 6.])
    """
    input = _countable("cumprod", input, dtype)
    axis = positive_axis(dim, input.ndim)
    return _cumprod(input, axis=axis) if input.ndim else clone(input)


@numpy_names
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithm of the running sum of exp(x) along `dim`, without overflow. RuntimeError for integers.

    >>> import autodiff as ad
    >>> ad.logcumsumexp(ad.tensor([100.0, 100.0]), dim=0)
    tensor([100.0000, 100.6931])
    """
    input = floating("logcumsumexp", input)
    axis = positive_axis(dim, input.ndim)
    return _logcumsumexp(input, axis=axis) if input.ndim else clone(input)


@numpy_names
def cummax(input: Tensor, dim: int) -> ValuesIndices:
    """The running maximum along `dim`, and where it stood: of equal ones the last. A NaN stays the maximum.

    >>> import autodiff as ad
    >>> values, indices = ad.cummax(ad.tensor([1.0, 3.0, 2.0, 3.0]), dim=0); indices
    tensor([0, 1, 1, 3])
    """
    return _running_extreme(input, dim, np.maximum)


@numpy_names
def cummin(input: Tensor, dim: int) -> ValuesIndices:
    """The running minimum along `dim`, and where it stood: of equal ones the last. A NaN stays the minimum.

    >>> import autodiff as ad
    >>> values, indices = ad.cummin(ad.tensor([3.0, 1.0, 2.0, 1.0]), dim=0); values
    tensor([3., 1., 1., 1.])
    """
    return _running_extreme(input, dim, np.minimum)


def _running_extreme(x: Tensor, dim: int, extreme: np.ufunc) -> ValuesIndices:
    axis = positive_axis(dim, x.ndim)
    if not x.ndim:
        return ValuesIndices(clone(x), wrap(np.zeros((), np.int64)))
    rows = x.array.swapaxes(axis, -1)
    values = _pairwise(extreme, rows.T).T
    at = _latest((rows == values) | (rows != rows))
    indices = wrap(contiguous_array(at.swapaxes(axis, -1)))
    if x.node is None:
        return ValuesIndices(wrap(contiguous_array(values.swapaxes(axis, -1))), indices)
    return ValuesIndices(gather(x, indices, axis=axis), indices)


def _pairwise(combine: np.ufunc, x: Array) -> Array:
    """``combine.accumulate(x)``, of pairs first: the maximum takes 1.3 ms for a million float32 instead of 3.5."""
    if len(x) < 512:
        return as_array(combine.accumulate(x))
    out = np.empty_like(x)
    out[0] = x[0]
    pairs = len(x) // 2 * 2
    out[1::2] = _pairwise(combine, combine(x[0:pairs:2], x[1:pairs:2]))
    combine(x[2::2], out[1 : len(x) - 1 : 2], out=out[2::2])
    return out


def _latest(holds: Array) -> Array:
    """For each place of the last axis, the last one up to it where `holds` is true, as it is at the first."""
    if type(holds) is not np.ndarray:
        return np.maximum.accumulate(np.where(holds, np.arange(holds.shape[-1]), 0), -1)
    (starts,) = holds.reshape(-1).nonzero()
    ends = np.empty_like(starts)
    ends[:-1] = starts[1:]
    ends[-1:] = holds.size
    found = starts.repeat(ends - starts).reshape(holds.shape)
    if holds.ndim > 1 and holds.size:
        found -= np.arange(0, holds.size, holds.shape[-1]).reshape(*holds.shape[:-1], 1)
    return found


def _flattening(scan: Any) -> Any:
    """NumPy's form of `scan`: over the flattened tensor without an axis."""

    def from_numpy(x: Tensor, axis: int | None = None, dtype: Any = None) -> Tensor:
        flat: Tensor = scan(x.reshape(-1), 0, dtype=dtype) if axis is None else scan(x, axis, dtype=dtype)
        return flat

    return from_numpy


implements(np.cumsum)(_flattening(cumsum))
implements(np.cumprod)(_flattening(cumprod))
