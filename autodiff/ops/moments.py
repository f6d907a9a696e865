"""Variance and its kin, about the mean with n - correction in the denominator."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.op import OpError, implements
from autodiff.ops.conversion import floating
from autodiff.ops.reduction import Dim, axes_of, count, mean, numpy_names, restore, total, wide
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, as_array

SPREAD = Interval(-3, 3)


def _deviations(x: Array, axis: tuple[int, ...]) -> Array:
    return as_array(x - total(x, axis, True) / count(x, axis))


def _var_kernel(x: Array, axis: tuple[int, ...], keepdims: bool, correction: float) -> Any:
    # In float32 for float16, since squares of 256 and more are beyond float16.
    deviations = _deviations(wide(x), axis)
    squares = np.multiply(deviations, deviations, out=deviations)
    out = total(squares, axis, keepdims) / max(count(x, axis) - correction, 0)
    return out.astype(x.dtype) if x.dtype.char == "e" else out


def _std_kernel(x: Array, axis: tuple[int, ...], keepdims: bool, correction: float) -> Any:
    return np.sqrt(_var_kernel(wide(x), axis, keepdims, correction)).astype(x.dtype, copy=False)


def _var_rule(g: Any, y: Any, x: Any, axis: tuple[int, ...], keepdims: bool, correction: float) -> Any:
    deviations = x - np.mean(x, axis=axis, keepdims=True)
    return restore(g, axis, keepdims) * deviations * 2 / (count(x, axis) - correction)


def _var_on_arrays(g: Array, y: Any, x: Array, axis: tuple[int, ...], keepdims: bool, correction: float) -> Array:
    """The rule, with the division on as many numbers as `g` has."""
    out = _deviations(wide(x), axis)
    out *= restore(g, axis, keepdims) * 2 / (count(x, axis) - correction)
    return out


_var = operation(
    "var",
    _var_kernel,
    vjp=_var_rule,
    fast=_var_on_arrays,
    saves="x",
    domain=SPREAD,
    analytic=False,
    doc="The variance over some axes, with n - correction in the denominator.",
)


def _std_rule(g: Any, y: Any, x: Any, axis: tuple[int, ...], keepdims: bool, correction: float) -> Any:
    spread = restore(y, axis, keepdims)
    slope = np.where(spread == 0, 0.0, restore(g, axis, keepdims) / np.where(spread == 0, 1.0, spread))
    return slope * ((x - np.mean(x, axis=axis, keepdims=True)) / (count(x, axis) - correction))


def _std_on_arrays(g: Array, y: Array, x: Array, axis: tuple[int, ...], keepdims: bool, correction: float) -> Any:
    """The rule where no deviation is 0, with the divisions on as many numbers as `g` has."""
    if not y.all():
        return _std_rule(g, y, x, axis, keepdims, correction)
    out = _deviations(wide(x), axis)
    out *= restore(g / y, axis, keepdims) / (count(x, axis) - correction)
    return out


_std = operation(
    "std",
    _std_kernel,
    vjp=_std_rule,
    fast=_std_on_arrays,
    saves="x y",
    domain=SPREAD,
    analytic=False,
    doc="The standard deviation over some axes; its gradient where it is 0 is 0.",
)


@numpy_names
def var(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance over `dim`, Σ(x - mean)² / (n - correction), with correction 1, or 0 if not `unbiased`.

    >>> import autodiff as ad
    >>> ad.var(ad.tensor([1.0, 2.0, 4.0]))
    tensor(2.3333)
    """
    return _spread(_var, input, dim, unbiased, keepdim, correction)


@numpy_names
def std(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The standard deviation over `dim`, the square root of `var`.

    >>> import autodiff as ad
    >>> ad.std(ad.tensor([1.0, 2.0, 4.0]), correction=0)
    tensor(1.2472)
    """
    return _spread(_std, input, dim, unbiased, keepdim, correction)


@numpy_names
def var_mean(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The variance and the mean over `dim`.

    >>> import autodiff as ad
    >>> ad.var_mean(ad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return _spread(_var, input, dim, unbiased, keepdim, correction), _mean(input, dim, keepdim)


@numpy_names
def std_mean(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean over `dim`.

    >>> import autodiff as ad
    >>> ad.std_mean(ad.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    return _spread(_std, input, dim, unbiased, keepdim, correction), _mean(input, dim, keepdim)


def _mean(x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    # A bool as dim is `unbiased`, as in `_spread`.
    return mean(x, None if isinstance(dim, bool) else dim, keepdim)


def _spread(op: Any, x: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: float | None) -> Tensor:
    if isinstance(dim, bool):
        # PyTorch's other signature: var(unbiased).
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    elif unbiased is not None:
        raise TypeError(f"{op.__name__}: expected either unbiased or correction, got both")
    x = floating(op.__name__, x)
    out: Tensor = op(x, axis=axes_of(x, dim), keepdims=keepdim, correction=correction)
    return out


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariances (n, n) of n variables, the rows of `input` (n, m); of a vector, its variance.

    Of m observations each counts `fweights` (m) times, integers, and weighs `aweights` (m), both at least 0. The
    denominator is the sum of all weights w, less correction, or less correction Σ w a / Σ w with aweights a.

    >>> import autodiff as ad
    >>> ad.cov(ad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2 or input.dtype.kind == "b":
        raise OpError(f"cov: expected numbers in at most two dimensions, got {input.dtype} {input.shape}")
    x = input if input.ndim == 2 else input.reshape(1, -1)
    weights = _weights(x.shape[1], fweights, aweights)
    if weights is None:
        number: Any = float(x.shape[1])
        centred = x - (mean(x, 1, True) if x.dtype.kind == "f" else x.sum(1, keepdim=True) / number)
        weighted, norm = centred, number - correction
    else:
        number = weights.sum()
        if not number.array:
            raise OpError("cov: expected weights with a sum above 0; there is nothing to divide by")
        centred = x - (x * weights).sum(1, keepdim=True) / number
        weighted = centred * weights
        lost = (weights * aweights).sum() / number if aweights is not None else 1
        norm = number - correction * lost
    norm = norm.clamp(min=0) if isinstance(norm, Tensor) else max(norm, 0.0)
    out: Tensor = centred @ weighted.t() / norm
    return out.squeeze() if 1 in out.shape else out


def _weights(observations: int, fweights: Tensor | None, aweights: Tensor | None) -> Any:
    """The product of the two weights, None if there are none; OpError if they are not fit to be weights."""
    for name, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if given is None:
            continue
        if given.shape not in ((observations,), ()) or given.numel() != observations or given.dtype.kind not in kinds:
            what = "integer" if kinds == "iu" else "floating-point"
            raise OpError(
                f"cov: expected {name} of {what} dtype and shape ({observations},), an entry for each observation, "
                f"got {given.dtype} {given.shape}"
            )
        if (given.array < 0).any():
            raise OpError(f"cov: expected {name} of at least 0, got {given.array.min()}")
    if fweights is None or aweights is None:
        return fweights if aweights is None else aweights
    return fweights * aweights


def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients (n, n) of n variables, the rows of `input` (n, m): `cov` over both deviations.

    >>> import autodiff as ad
    >>> ad.corrcoef(ad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    covariance = cov(input)
    if not covariance.ndim:
        return covariance / covariance
    diagonal = np.arange(len(covariance))
    deviation = covariance[diagonal, diagonal].sqrt()
    return (covariance / deviation.unsqueeze(1) / deviation).clamp(-1, 1)


@implements(np.var)
def _np_var(x: Tensor, axis: Dim = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    return _spread(_var, x, axis, None, keepdims, ddof)


@implements(np.std)
def _np_std(x: Tensor, axis: Dim = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    return _spread(_std, x, axis, None, keepdims, ddof)
