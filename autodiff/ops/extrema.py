"""The largest and the smallest, and where they stand.

`amax` and `amin`, and `max` and `min` without `dim`, share the gradient equally among elements that tie, `max` and
`min` along a `dim` give it to the element at the index that they return.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autodiff.op import implements
from autodiff.ops.choice import axis_with_entries, choose, no_keepdim
from autodiff.ops.reduction import Dim, axes_of, maximum_reduce, minimum_reduce, numpy_form, numpy_names, restore
from autodiff.ops.shape import positive_axis
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor, as_array, wrap


class MinMax(NamedTuple):
    """The smallest and the largest."""

    min: Tensor
    max: Tensor


def shared(g: Any, chosen: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The gradient in equal parts for the `chosen` elements."""
    return np.where(chosen, restore(g, axis, keepdims) / np.sum(chosen, axis=axis, keepdims=True), 0.0)


def _extreme_rule(g: Any, y: Any, x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    # A NaN is the extreme where there is one, and keeps the gradient.
    return shared(g, (x == restore(y, axis, keepdims)) | (x != x), axis, keepdims)


def _extreme_on_arrays(g: Array, y: Array, x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Where each extreme stands once, and none is NaN, there are no shares to count."""
    chosen = x == restore(y, axis, keepdims)
    if np.count_nonzero(chosen) == y.size and (y == y).all():
        return np.where(chosen, restore(g, axis, keepdims), 0.0)
    return _extreme_rule(g, y, x, axis, keepdims)


_amax = operation(
    "amax",
    lambda x, axis, keepdims: maximum_reduce(x, axis, None, None, keepdims),
    vjp=_extreme_rule,
    fast=_extreme_on_arrays,
    saves="x y",
    analytic=False,
    doc="The largest over some axes; elements that tie share the gradient equally.",
)
_amin = operation(
    "amin",
    lambda x, axis, keepdims: minimum_reduce(x, axis, None, None, keepdims),
    vjp=_extreme_rule,
    fast=_extreme_on_arrays,
    saves="x y",
    analytic=False,
    doc="The smallest over some axes; elements that tie share the gradient equally.",
)


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


@numpy_names
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest, of all elements or along `dim`; elements that tie share the gradient equally.

    >>> import autodiff as ad
    >>> ad.aminmax(ad.tensor([3.0, 1.0, 2.0]))
    MinMax(min=tensor(1.), max=tensor(3.))
    """
    axes = axes_of(input, dim if dim is None else positive_axis(dim, input.ndim))
    return MinMax(_amin(input, axis=axes, keepdims=keepdim), _amax(input, axis=axes, keepdims=keepdim))


@numpy_names
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest of all elements; with `dim`, the largest along it and its first index; with a tensor, `maximum`.

    >>> import autodiff as ad
    >>> values, indices = ad.max(ad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1); indices
    tensor([1, 0])
    """
    return _extreme("max", input, dim if other is None else other, keepdim)


@numpy_names
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest of all elements; with `dim`, the smallest along it and its first index; with a tensor, `minimum`.

    >>> import autodiff as ad
    >>> ad.min(ad.tensor([3.0, 1.0, 2.0]))
    tensor(1.)
    """
    return _extreme("min", input, dim if other is None else other, keepdim)


def _extreme(name: str, x: Tensor, dim: Any, keepdim: bool) -> Any:
    if isinstance(dim, Tensor):
        return x.maximum(dim) if name == "max" else x.minimum(dim)
    if dim is None:
        no_keepdim(name, keepdim)
        return (_amax if name == "max" else _amin)(x, axis=tuple(range(x.ndim)), keepdims=False)
    axis = axis_with_entries(name, x, dim)
    search, reduce = (x.array.argmax, maximum_reduce) if name == "max" else (x.array.argmin, minimum_reduce)
    along: Any = axis if x.ndim else None
    index = as_array(search(along, keepdims=True))
    values = None if x.node is not None else as_array(reduce(x.array, along, None, None, True))
    return choose(x, index, values, axis, keepdim)


@numpy_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first largest element, of all (flattened) or along `dim`.

    >>> import autodiff as ad
    >>> ad.argmax(ad.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return _arg("argmax", input, dim, keepdim, input.array.argmax)


@numpy_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the first smallest element, of all (flattened) or along `dim`.

    >>> import autodiff as ad
    >>> ad.argmin(ad.tensor([3.0, 1.0, 2.0]))
    tensor(1)
    """
    return _arg("argmin", input, dim, keepdim, input.array.argmin)


def _arg(name: str, x: Tensor, dim: int | None, keepdim: bool, search: Callable[..., Any]) -> Tensor:
    if dim is not None:
        axis = axis_with_entries(name, x, dim)
        return wrap(as_array(search(axis if x.ndim else None, keepdims=keepdim)))
    if not x.array.size:
        raise IndexError(f"{name}: expected at least one element to choose from, got shape {x.shape}")
    return wrap(as_array(search(None, keepdims=keepdim)))


for _theirs, _function in ((np.max, amax), (np.min, amin), (np.argmax, argmax), (np.argmin, argmin)):
    implements(_theirs)(numpy_form(_function))
