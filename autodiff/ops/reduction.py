"""Sums, means and products, and what all reductions share: `dim` is one axis, several, or None for all of them.

`keepdim` keeps the reduced axes with length 1. NumPy's ``axis`` and ``keepdims`` are accepted for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from autodiff import dtypes
from autodiff.domain import Interval
from autodiff.op import describe, implements
from autodiff.ops.arithmetic import div
from autodiff.ops.conversion import astype, floating
from autodiff.ops.shape import _ones, broadcast, positive_axis
from autodiff.recorders import multilinear, operation
from autodiff.tensor import Array, Tensor, as_array, wrap

P = ParamSpec("P")
R = TypeVar("R")
Dim = int | Sequence[int] | None
# From this size on sums and products go their fast ways: down columns in blocks of so many rows, which are laid side by
# side to about so many numbers; along rows in blocks of so many numbers.
LARGE, BLOCK, LONG_ROW, ROW = 4096, 128, 512, 1024
# Any: NumPy's types have no keepdims that is not known in advance.
add_reduce: Any = np.add.reduce
multiply_reduce: Any = np.multiply.reduce
maximum_reduce: Any = np.maximum.reduce
minimum_reduce: Any = np.minimum.reduce
or_reduce: Any = np.logical_or.reduce
and_reduce: Any = np.logical_and.reduce


class ValuesIndices(NamedTuple):
    """The values that a reduction or sort chose, and where they stood."""

    values: Tensor
    indices: Tensor


def axes_of(x: Any, dim: Dim) -> tuple[int, ...]:
    """The axes named by `dim`, counted from the front and without repetition; all of them for None or ()."""
    ndim = x.ndim
    if type(dim) is int and 0 <= dim < ndim:
        return (dim,)
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    axes = (positive_axis(dim, ndim),) if isinstance(dim, int) else tuple(positive_axis(d, ndim) for d in dim)
    if len(axes) > 1 and len(set(axes)) != len(axes):
        raise RuntimeError(f"dim names an axis twice: {dim} for a tensor of shape {tuple(x.shape)}")
    return axes if ndim else ()


def numpy_names(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` be called with NumPy's ``axis`` and ``keepdims`` for ``dim`` and ``keepdim``, on Tensors only."""

    @wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        if args and not isinstance(args[0], Tensor):
            raise TypeError(
                f"{function.__name__}: expected a Tensor, got {describe(args[0])}; make one with ad.tensor(...)"
            )
        if kwargs:
            if "axis" in kwargs:
                kwargs["dim"] = kwargs.pop("axis")
            if "keepdims" in kwargs:
                kwargs["keepdim"] = kwargs.pop("keepdims")
        return function(*args, **kwargs)

    return renamed


def restore(g: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """`g` with the reduced axes back, of length 1."""
    if keepdims or g.ndim == 0:
        return g
    if isinstance(g, np.ndarray):
        # np.expand_dims takes 2.5 µs, this a third of that.
        return g[tuple([None if i in axis else slice(None) for i in range(g.ndim + len(axis))])]
    return np.expand_dims(g, axis)


def count(x: Any, axis: tuple[int, ...]) -> int:
    return math.prod(x.shape[i] for i in axis)


def wide(x: Array) -> Array:
    """`x`, or in float32 if it is float16, in which a running sum of ones stops at 2048."""
    return x.astype(np.float32) if x.dtype.char == "e" else x


def _row_sums(x: Array) -> Any:
    """The sums of the rows of a matrix, by blocks: one running sum of a million float32 loses three digits."""
    rows, n = x.shape
    if n < 2 * ROW:
        # As a product with ones it takes a third of the time of NumPy's own sum.
        return x @ _ones(n, x.dtype)
    whole = n // ROW * ROW
    out = _row_sums(x[:, :whole].reshape(rows, -1, ROW) @ _ones(ROW, x.dtype))
    return out + _row_sums(x[:, whole:]) if whole < n else out


def _block_sums(x: Array) -> Any:
    """The sums over the middle of three axes, by blocks."""
    outer, n, inner = x.shape
    if inner == 1:
        return _row_sums(x.reshape(outer, n))
    if n < 2 * BLOCK:
        return add_reduce(x, 1)
    # Few columns: several rows are laid side by side, since NumPy adds long rows 30 times as fast as short ones.
    fold = max(1, min(LONG_ROW // inner, n // BLOCK))
    blocks = n // (BLOCK * fold)
    whole = blocks * BLOCK * fold
    sums = add_reduce(x[:, :whole].reshape(outer, blocks, BLOCK, fold * inner), 2)
    out = _block_sums(sums.reshape(outer, blocks * fold, inner))
    return out + _block_sums(x[:, whole:]) if whole < n else out


def total(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The sum over some axes in the dtype of `x`."""
    # NumPy would widen int32 and bool, which come here only if they were asked for.
    if x.size < LARGE or x.dtype.char not in "fd" or not axis or not x.flags.c_contiguous:
        return add_reduce(x, axis, x.dtype, None, keepdims)
    first, end = min(axis), max(axis) + 1
    n = count(x, axis)
    if end - first != len(axis) or n < 2:
        return add_reduce(x, axis, x.dtype, None, keepdims)
    shape = tuple(1 if i in axis else k for i, k in enumerate(x.shape) if keepdims or i not in axis)
    return _block_sums(x.reshape(math.prod(x.shape[:first]), n, -1)).reshape(shape)


def _sum_kernel(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    return total(x, axis, keepdims) if x.dtype.char != "e" else total(wide(x), axis, keepdims).astype(x.dtype)


def _mean_kernel(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    mean = total(wide(x), axis, keepdims) / count(x, axis)
    return mean.astype(x.dtype) if x.dtype.char == "e" else mean


def _nansum_kernel(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    out = _sum_kernel(x, axis, keepdims)
    # A NaN shows in the sum; most tensors have none.
    return _sum_kernel(np.where(np.isnan(x), 0.0, x), axis, keepdims) if np.isnan(out).any() else out


def _sum_on_arrays(g: Any, y: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The rule, in the shape of `x` at once: leaving that to the engine takes 5 µs more."""
    return broadcast.rule(restore(g, axis, keepdims), shape=x.shape)


_sum = multilinear(
    "sum",
    _sum_kernel,
    vjp=lambda g, y, x, axis, keepdims: restore(g, axis, keepdims),
    fast=_sum_on_arrays,
    doc="The sum over some axes.",
)
_mean = multilinear(
    "mean",
    _mean_kernel,
    vjp=lambda g, y, x, axis, keepdims: restore(g, axis, keepdims) / count(x, axis),
    fast=lambda g, y, x, axis, keepdims: _sum_on_arrays(g / count(x, axis), y, x, axis, keepdims),
    doc="The mean over some axes.",
)
_nansum = operation(
    "nansum",
    _nansum_kernel,
    vjp=lambda g, y, x, axis, keepdims: restore(g, axis, keepdims) * (x == x),
    saves="x",
    doc="The sum over some axes of what is not NaN.",
)


def _product(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The product over some axes; large ones by halves, since NumPy's own multiplies one number at a time."""
    if x.size < LARGE or x.ndim - 1 not in axis:
        product = multiply_reduce(wide(x), axis, None if x.dtype.char == "e" else x.dtype, None, keepdims)
        return product.astype(x.dtype) if x.dtype.char == "e" else product
    rows = _rows(wide(x), axis)
    while rows.shape[-1] > 32:
        half, odd = divmod(rows.shape[-1], 2)
        last = rows[..., -1]
        rows = rows[..., :half] * rows[..., half : 2 * half]
        if odd:
            rows[..., 0] *= last
    product = multiply_reduce(rows, -1, rows.dtype).astype(x.dtype, copy=False)
    return np.expand_dims(product, axis) if keepdims else product


def _rows(x: Any, axis: tuple[int, ...]) -> Any:
    """The reduced axes moved to the end and merged into one."""
    kept = [i for i in range(x.ndim) if i not in axis]
    return np.reshape(np.transpose(x, (*kept, *axis)), (*[x.shape[i] for i in kept], count(x, axis)))


def _products_of_others(x: Any) -> Any:
    """For each entry of the last axis the product of the others: right at zeros, and differentiable again.

    Halves are multiplied with each other; an entry's others are its partner and the others of their product.
    """
    half = x.shape[-1] // 2
    if not half:
        return np.ones(x.shape, x.dtype)
    left, right, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    products = left * right
    others = _products_of_others(np.concatenate([products, rest], axis=-1) if rest.shape[-1] else products)
    pairs = others[..., :half]
    return np.concatenate([pairs * right, pairs * left, others[..., half:]], axis=-1)


def _prod_rule(g: Any, y: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    kept = [i for i in range(x.ndim) if i not in axis]
    order = (*kept, *axis)
    others = np.reshape(_products_of_others(_rows(x, axis)), tuple(x.shape[i] for i in order))
    return restore(g, axis, keepdims) * np.transpose(others, sorted(range(x.ndim), key=order.__getitem__))


def _prod_on_arrays(g: Array, y: Any, x: Array, memo: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Where no product is 0 or overflows, the product of the others is a quotient."""
    product = restore(memo, axis, keepdims)
    if np.isfinite(product).all() and product.all():
        return restore(g, axis, keepdims) * product / x
    return _prod_rule(g, y, x, axis, keepdims)


def _prod_kernel(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    product = as_array(_product(x, axis, keepdims))
    # A copy, since the product itself may be written to.
    return product, product.copy()


_prod = operation(
    "prod",
    _prod_kernel,
    vjp=_prod_rule,
    fast=_prod_on_arrays,
    memo=True,
    saves="x",
    domain=Interval(-3, 3),
    doc="The product over some axes.",
)


def _logsumexp_kernel(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if 0 in [x.shape[i] for i in axis]:
        return np.full_like(np.sum(x, axis=axis, keepdims=keepdims), -np.inf), (x, 1.0)
    peak = maximum_reduce(x, axis, None, None, True)
    if not np.isfinite(peak.real).all():
        peak = np.where(np.isfinite(peak.real), peak, 0.0)
    exponentials = as_array(x - peak)
    np.exp(exponentials, out=exponentials)
    sums = total(exponentials, axis, True)
    out = np.log(sums) + peak
    return out if keepdims else out.squeeze(axis), (exponentials, sums)


def _logsumexp_on_arrays(g: Any, y: Any, x: Any, memo: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The rule from the exponentials of the kernel, in half of its time."""
    exponentials, sums = memo
    return exponentials * (restore(g, axis, keepdims) / sums)


_logsumexp = operation(
    "logsumexp",
    _logsumexp_kernel,
    vjp=lambda g, y, x, axis, keepdims: restore(g, axis, keepdims) * np.exp(x - restore(y, axis, keepdims)),
    fast=_logsumexp_on_arrays,
    memo=True,
    saves="x y",
    domain=Interval(-20, 20),
    result="float",
    doc="log Σ exp(x) over some axes, without overflow.",
)


def _counted(x: Tensor, dtype: Any) -> Tensor:
    """`x` in the dtype in which it is added up: integers and bools in int64, unless `dtype` says otherwise."""
    if dtype is not None:
        return astype(x, dtype)
    return astype(x, dtypes.int64) if x.array.dtype.kind in "iub" else x


@numpy_names
def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over `dim`; integers and bools add up in int64.

    >>> import autodiff as ad
    >>> ad.sum(ad.tensor([[1, 2], [3, 4]]), dim=0)
    tensor([4, 6])
    """
    input = _counted(input, dtype)
    return _sum(input, axis=axes_of(input, dim), keepdims=keepdim)


@numpy_names
def nansum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over `dim` of what is not NaN, which gets the gradient 0.

    >>> import autodiff as ad
    >>> ad.nansum(ad.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    if input.array.dtype.kind != "f":
        return sum(input, dim, keepdim, dtype=dtype)
    out = _nansum(input, axis=axes_of(input, dim), keepdims=keepdim)
    return out if dtype is None else astype(out, dtype)


@numpy_names
def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim`; RuntimeError for integers, as in PyTorch.

    >>> import autodiff as ad
    >>> ad.mean(ad.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([1.5000, 3.5000])
    """
    input = floating("mean", input if dtype is None else astype(input, dtype))
    return _mean(input, axis=axes_of(input, dim), keepdims=keepdim)


@numpy_names
def nanmean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim` of what is not NaN; NaN where there is nothing else. RuntimeError for integers.

    >>> import autodiff as ad
    >>> ad.nanmean(ad.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5000)
    """
    known = ~np.isnan(floating("nanmean", input).array)
    if dtype is not None:
        input = floating("nanmean", astype(input, dtype))
    number = add_reduce(known, axes_of(input, dim), np.int64, None, keepdim)
    return div(nansum(input, dim, keepdim), wrap(as_array(number).astype(input.dtype)))


@numpy_names
def prod(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product over `dim`; integers and bools multiply in int64. The gradient is right at zeros too.

    >>> import autodiff as ad
    >>> ad.prod(ad.tensor([[1, 2], [3, 4]]), dim=0)
    tensor([3, 8])
    """
    input = _counted(input, dtype)
    return _prod(input, axis=axes_of(input, dim), keepdims=keepdim)


@numpy_names
def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether any element is true (not 0), over `dim`.

    >>> import autodiff as ad
    >>> ad.any(ad.tensor([False, True]))
    tensor(True)
    """
    return wrap(as_array(or_reduce(input.array, axes_of(input, dim), None, None, keepdim)))


@numpy_names
def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element is true (not 0), over `dim`.

    >>> import autodiff as ad
    >>> ad.all(ad.tensor([False, True]))
    tensor(False)
    """
    return wrap(as_array(and_reduce(input.array, axes_of(input, dim), None, None, keepdim)))


@numpy_names
def logsumexp(input: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    """log Σ exp(x) over `dim`, without overflow.

    >>> import autodiff as ad
    >>> ad.logsumexp(ad.tensor([100.0, 100.0]), dim=0)
    tensor(100.6931)
    """
    return _logsumexp(input, axis=axes_of(input, dim), keepdims=keepdim)


def numpy_form(ours: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction of ours with NumPy's signature."""

    def from_numpy(x: Tensor, axis: Any = None, **named: Any) -> Any:
        return ours(x, dim=axis, **named)

    return from_numpy


for _theirs, _function in (
    (np.sum, sum), (np.nansum, nansum), (np.mean, mean), (np.nanmean, nanmean), (np.prod, prod), (np.any, any),
    (np.all, all),
):  # fmt: skip
    implements(_theirs)(numpy_form(_function))
