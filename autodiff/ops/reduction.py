"""Reductions and cumulative sums. `dim` is one axis, several, or None for all; `keepdim` keeps them with length 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from autodiff import dtypes
from autodiff.domain import Interval
from autodiff.op import implements
from autodiff.ops.conversion import astype, clone, floating
from autodiff.ops.indexing import take_along_dim
from autodiff.ops.shape import positive_axis
from autodiff.recorders import multilinear, operation
from autodiff.tensor import Tensor, wrap

Dim = int | Sequence[int] | None
SPREAD = Interval(-3, 3)


class ValuesIndices(NamedTuple):
    """The values that a reduction or sort chose, and where they stood."""

    values: Tensor
    indices: Tensor


def axes_of(x: Any, dim: Dim) -> tuple[int, ...]:
    """The axes named by `dim`, counted from the front and without repetition; all of them for None or ()."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(x.ndim))
    axes = tuple(positive_axis(d, x.ndim) for d in ((dim,) if isinstance(dim, int) else dim))
    if len(set(axes)) != len(axes):
        raise RuntimeError(f"dim names an axis twice: {dim} for a tensor of shape {tuple(x.shape)}")
    return axes if x.ndim else ()


def numpy_names(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function` be called with NumPy's ``axis`` and ``keepdims`` for ``dim`` and ``keepdim``."""

    @wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        if "axis" in kwargs:
            kwargs["dim"] = kwargs.pop("axis")
        if "keepdims" in kwargs:
            kwargs["keepdim"] = kwargs.pop("keepdims")
        return function(*args, **kwargs)

    return renamed


def _restore(g: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """`g` with the reduced axes back, of length 1."""
    return g if keepdims or g.ndim == 0 else np.expand_dims(g, axis)


def _count(x: Any, axis: tuple[int, ...]) -> int:
    return math.prod(x.shape[i] for i in axis)


def _in_single(reduce: Callable[..., Any], x: Any, **options: Any) -> Any:
    """`reduce` with float16 computed in float32, since squares of 256 and more are beyond float16."""
    return reduce(x.astype(np.float32), **options).astype(x.dtype) if x.dtype == np.float16 else reduce(x, **options)


_sum = multilinear(
    "sum",
    # NumPy would widen int32 and bool, which reach this op only if they were asked for.
    lambda x, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype),
    vjp=lambda g, y, x, axis, keepdims: _restore(g, axis, keepdims),
    doc="The sum over some axes.",
)
_mean = multilinear(
    "mean",
    lambda x, axis, keepdims: np.mean(x, axis=axis, keepdims=keepdims),
    vjp=lambda g, y, x, axis, keepdims: _restore(g, axis, keepdims) / _count(x, axis),
    doc="The mean over some axes.",
)
_var = operation(
    "var",
    lambda x, axis, keepdims, correction: _in_single(np.var, x, axis=axis, keepdims=keepdims, ddof=correction),
    vjp=lambda g, y, x, axis, keepdims, correction: (
        _restore(g, axis, keepdims) * (x - np.mean(x, axis=axis, keepdims=True)) * 2 / (_count(x, axis) - correction)
    ),
    saves="x",
    domain=SPREAD,
    analytic=False,
    doc="The variance over some axes, with n - correction in the denominator.",
)


def _std_rule(g: Any, y: Any, x: Any, axis: tuple[int, ...], keepdims: bool, correction: float) -> Any:
    spread = _restore(y, axis, keepdims)
    slope = np.where(spread == 0, 0.0, _restore(g, axis, keepdims) / np.where(spread == 0, 1.0, spread))
    return slope * ((x - np.mean(x, axis=axis, keepdims=True)) / (_count(x, axis) - correction))


_std = operation(
    "std",
    lambda x, axis, keepdims, correction: _in_single(np.std, x, axis=axis, keepdims=keepdims, ddof=correction),
    vjp=_std_rule,
    saves="x y",
    domain=SPREAD,
    analytic=False,
    doc="The standard deviation over some axes; its gradient where it is 0 is 0.",
)


def _extreme_rule(g: Any, y: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    # A NaN is the extreme where there is one, and keeps the gradient.
    chosen = (x == _restore(y, axis, keepdims)) | (x != x)
    return np.where(chosen, _restore(g, axis, keepdims) / np.sum(chosen, axis=axis, keepdims=True), 0.0)


_amax = operation(
    "amax",
    lambda x, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims),
    vjp=_extreme_rule,
    saves="x y",
    analytic=False,
    doc="The largest over some axes; elements that tie share the gradient equally.",
)
_amin = operation(
    "amin",
    lambda x, axis, keepdims: np.min(x, axis=axis, keepdims=keepdims),
    vjp=_extreme_rule,
    saves="x y",
    analytic=False,
    doc="The smallest over some axes; elements that tie share the gradient equally.",
)


def _logsumexp_kernel(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if 0 in [x.shape[i] for i in axis]:
        return np.full_like(np.sum(x, axis=axis, keepdims=keepdims), -np.inf)
    peak = np.max(x, axis=axis, keepdims=True)
    peak = np.where(np.isfinite(peak.real), peak, 0.0)
    total = np.log(np.sum(np.exp(x - peak), axis=axis, keepdims=True)) + peak
    return total if keepdims else np.squeeze(total, axis)


_logsumexp = operation(
    "logsumexp",
    _logsumexp_kernel,
    vjp=lambda g, y, x, axis, keepdims: _restore(g, axis, keepdims) * np.exp(x - _restore(y, axis, keepdims)),
    saves="x y",
    domain=Interval(-20, 20),
    result="float",
    doc="log Σ exp(x) over some axes, without overflow.",
)
_cumsum = multilinear(
    "cumsum",
    # As in PyTorch the running sum is kept in double: in float16 it would stall at 2048 ones.
    lambda x, axis: np.cumsum(x, axis=axis, dtype=np.float64 if x.dtype.kind == "f" else x.dtype).astype(x.dtype),
    vjp=lambda g, y, x, axis: np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis),
    doc="The running sum along an axis.",
)


@numpy_names
def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over `dim`; integers and bools add up in int64.

    >>> import autodiff as ad
    >>> ad.sum(ad.tensor([[1, 2], [3, 4]]), dim=0)
    tensor([4, 6])
    """
    input = _counted(input) if dtype is None else astype(input, dtype)
    return _sum(input, axis=axes_of(input, dim), keepdims=keepdim)


def _counted(x: Tensor) -> Tensor:
    return astype(x, dtypes.int64) if x.array.dtype.kind in "iub" else x


@numpy_names
def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim`; RuntimeError for integers, as in PyTorch.

    >>> import autodiff as ad
    >>> ad.mean(ad.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([1.5000, 3.5000])
    """
    input = floating("mean", input if dtype is None else astype(input, dtype))
    return _mean(input, axis=axes_of(input, dim), keepdims=keepdim)


def _correction(unbiased: bool | None, correction: float) -> float:
    return correction if unbiased is None else float(unbiased)


@numpy_names
def var(
    input: Tensor, dim: Dim | bool = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float = 1
) -> Tensor:
    """The variance over `dim`, Σ(x - mean)² / (n - correction).

    >>> import autodiff as ad
    >>> ad.var(ad.tensor([1.0, 2.0, 4.0]))
    tensor(2.3333)
    """
    return _spread(_var, input, dim, unbiased, keepdim, correction)


@numpy_names
def std(
    input: Tensor, dim: Dim | bool = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float = 1
) -> Tensor:
    """The standard deviation over `dim`, the square root of `var`.

    >>> import autodiff as ad
    >>> ad.std(ad.tensor([1.0, 2.0, 4.0]), correction=0)
    tensor(1.2472)
    """
    return _spread(_std, input, dim, unbiased, keepdim, correction)


def _spread(op: Any, x: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: float) -> Tensor:
    if isinstance(dim, bool):
        # PyTorch's other signature: var(unbiased).
        dim, unbiased = None, dim
    x = floating(op.__name__, x)
    out: Tensor = op(x, axis=axes_of(x, dim), keepdims=keepdim, correction=_correction(unbiased, correction))
    return out


@numpy_names
def amax(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The largest over `dim`; elements that tie share the gradient equally.

    >>> import autodiff as ad
    >>> ad.amax(ad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([5., 7.])
    """
    return _amax(input, axis=axes_of(input, dim), keepdims=keepdim)


@numpy_names
def amin(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The smallest over `dim`; elements that tie share the gradient equally.

    >>> import autodiff as ad
    >>> ad.amin(ad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1., 2.])
    """
    return _amin(input, axis=axes_of(input, dim), keepdims=keepdim)


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest of all elements; with `dim`, the largest along it and its first index; with a tensor, `maximum`.

    >>> import autodiff as ad
    >>> values, indices = ad.max(ad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1); indices
    tensor([1, 0])
    """
    return _extreme(input, dim, keepdim, _amax, argmax, "maximum")


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all elements; with `dim`, the smallest along it and its first index; with a tensor, `minimum`.

    >>> import autodiff as ad
    >>> ad.min(ad.tensor([3.0, 1.0, 2.0]))
    tensor(1.)
    """
    return _extreme(input, dim, keepdim, _amin, argmin, "minimum")


def _extreme(x: Tensor, dim: Any, keepdim: bool, overall: Any, arg: Any, pairwise: str) -> Any:
    if isinstance(dim, Tensor):
        return getattr(x, pairwise)(dim)
    if dim is None:
        return overall(x, axis=axes_of(x, None), keepdims=False)
    indices = arg(x, dim, True)
    values = take_along_dim(x, indices, dim)
    if keepdim or not x.ndim:
        return ValuesIndices(values, indices)
    return ValuesIndices(values.squeeze(dim), indices.squeeze(dim))


def _arg(x: Tensor, dim: int | None, keepdim: bool, kernel: Callable[..., Any]) -> Tensor:
    if not (x.numel() if dim is None else x.ndim == 0 or x.shape[positive_axis(dim, x.ndim)]):
        raise IndexError(f"{kernel.__name__}: expected at least one element to choose from, got shape {x.shape}")
    if dim is None:
        found = np.asarray(kernel(x.array))
        return wrap(found.reshape((1,) * x.ndim) if keepdim else found)
    axis = positive_axis(dim, x.ndim)
    return wrap(np.asarray(kernel(x.array, axis=axis if x.ndim else None, keepdims=keepdim)))


@numpy_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first largest element, of all (flattened) or along `dim`.

    >>> import autodiff as ad
    >>> ad.argmax(ad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return _arg(input, dim, keepdim, np.argmax)


@numpy_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first smallest element, of all (flattened) or along `dim`.

    >>> import autodiff as ad
    >>> ad.argmin(ad.tensor([3.0, 1.0, 2.0]))
    tensor(1)
    """
    return _arg(input, dim, keepdim, np.argmin)


@numpy_names
def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether any element is true (not 0), over `dim`.

    >>> import autodiff as ad
    >>> ad.any(ad.tensor([False, True]))
    tensor(True)
    """
    return wrap(np.asarray(np.any(input.array, axis=axes_of(input, dim), keepdims=keepdim)))


@numpy_names
def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element is true (not 0), over `dim`.

    >>> import autodiff as ad
    >>> ad.all(ad.tensor([False, True]))
    tensor(False)
    """
    return wrap(np.asarray(np.all(input.array, axis=axes_of(input, dim), keepdims=keepdim)))


@numpy_names
def logsumexp(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """log Σ exp(x) over `dim`, without overflow.

    >>> import autodiff as ad
    >>> ad.logsumexp(ad.tensor([100.0, 100.0]), dim=0)
    tensor(100.6931)
    """
    return _logsumexp(input, axis=axes_of(input, dim), keepdims=keepdim)


@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running sum along `dim`.

    >>> import autodiff as ad
    >>> ad.cumsum(ad.tensor([1.0, 2.0, 3.0]), dim=0)
    tensor([1., 3., 6.])
    """
    input = _counted(input) if dtype is None else astype(input, dtype)
    axis = positive_axis(dim, input.ndim)
    return _cumsum(input, axis=axis) if input.ndim else clone(input)


def _ours(ours: Callable[..., Any]) -> Callable[..., Any]:
    def from_numpy(x: Tensor, axis: Any = None, **named: Any) -> Any:
        return ours(x, dim=axis, **named)

    return from_numpy


for _theirs, _function in (
    (np.sum, sum), (np.mean, mean), (np.max, amax), (np.min, amin), (np.argmax, argmax), (np.argmin, argmin),
    (np.any, any), (np.all, all), (np.cumsum, cumsum),
):  # fmt: skip
    implements(_theirs)(_ours(_function))


@implements(np.var)
def _np_var(x: Tensor, axis: Dim = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    return _spread(_var, x, axis, None, keepdims, ddof)


@implements(np.std)
def _np_std(x: Tensor, axis: Dim = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    return _spread(_std, x, axis, None, keepdims, ddof)
