"""The linear map with a bias as one op; composed, it would be three nodes."""

import math
from typing import Any

import numpy as np

from autodiff.domain import Interval
from autodiff.ops.shape import sum_rows
from autodiff.recorders import operation


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    same = x.dtype is weight.dtype and (bias is None or bias.dtype is weight.dtype)
    if not same:
        _refuse_mixed_dtypes(x, weight, bias)
    y = x.dot(weight.T) if x.ndim == 2 == weight.ndim else _product(x, weight)
    if bias is None:
        return y
    if not same:
        return y + bias
    y += bias
    return y


def _refuse_mixed_dtypes(x: Any, weight: Any, bias: Any) -> None:
    """ValueError for dtypes that differ, which NumPy would widen silently; the complex step may mix them."""
    given = [x.dtype, weight.dtype] + ([] if bias is None else [bias.dtype])
    # Compared by value here: an unpickled array has a dtype object of its own.
    if len(set(given)) > 1 and not any(dtype.kind == "c" for dtype in given):
        raise ValueError(
            f"expected input, weight and bias of one dtype, got {', '.join(map(str, given))}; convert the input with "
            f"x.to({weight.dtype}), or the model with model.to({x.dtype})"
        )


def _product(x: Any, weight: Any) -> Any:
    if weight.ndim != 2 or not x.ndim:
        raise ValueError(f"expected an input (*, in) and a weight (out, in), got {x.shape} and {weight.shape}")
    return _rows(x).dot(weight.T).reshape(*x.shape[:-1], len(weight))


def _rows(x: Any) -> Any:
    """`x` as a matrix: one product over all rows is faster than one for each entry of the leading axes."""
    return np.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _input_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any) -> Any:
    return np.dot(g, weight) if g.ndim == 2 else np.reshape(np.dot(_rows(g), weight), x.shape)


def _weight_rule(g: Any, y: Any, x: Any, weight: Any, bias: Any) -> Any:
    return np.dot(np.transpose(g), x) if g.ndim == 2 else np.dot(np.transpose(_rows(g)), _rows(x))


# The methods of arrays take 0.6 µs for small matrices where np.dot and np.transpose take 1.1.
def _input_fast(g: Any, y: Any, x: Any, weight: Any, bias: Any) -> Any:
    return g.dot(weight) if g.ndim == 2 else _input_rule(g, y, x, weight, bias)


def _weight_fast(g: Any, y: Any, x: Any, weight: Any, bias: Any) -> Any:
    return g.T.dot(x) if g.ndim == 2 else _weight_rule(g, y, x, weight, bias)


def _bias_fast(g: Any, y: Any, x: Any, weight: Any, bias: Any) -> Any:
    return sum_rows(g) if g.ndim == 2 else g


linear = operation(
    "linear",
    _linear,
    vjp=(_input_rule, _weight_rule, lambda g, y, x, weight, bias: g),
    fast=(_input_fast, _weight_fast, _bias_fast),
    saves=("weight", "x", ""),
    domain=Interval(-3, 3),
    doc="x Wᵀ + b for x of shape (*, in), W of shape (out, in), and b of shape (out,) or None.",
    example="linear(ad.ones(1, 2), ad.eye(2), ad.tensor([1.0, 2.0])) -> tensor([[2., 3.]])",
)
