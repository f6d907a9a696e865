"""Writing given values into a tensor: ``x[i] = ...``, ``copy_``, ``fill_``, and numbers drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import random
from autodiff.inplace import assign, in_place
from autodiff.op import OpError, describe
from autodiff.ops.indexing import get_at, integers_first, kept, plain_index
from autodiff.ops.scattering import index_put
from autodiff.tensor import Tensor
from autodiff.views import Step


def _put(x: Tensor, name: str, src: Any) -> Tensor:
    values = src.array if isinstance(src, Tensor) else src

    def write() -> None:
        try:
            np.copyto(x.array, values, casting="unsafe")
        except ValueError as error:
            raise OpError(f"{name}: expected values that broadcast to {x.shape}, got {describe(src)}") from error

    return assign(x, name, src, (), write)


def copy_(x: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the values of `src`, which broadcasts and is converted, into `x`."""
    return _put(x, "copy_", src)


def fill_(x: Tensor, value: Any) -> Tensor:
    """Write one value, a number or a 0-d tensor, everywhere."""
    if isinstance(value, Tensor) and value.ndim:
        raise OpError(f"fill_: expected a number or a 0-d tensor, got {describe(value)}; copy_ takes others")
    return _put(x, "fill_", value)


def zero_(x: Tensor) -> Tensor:
    """Write 0 everywhere."""
    return _put(x, "zero_", 0)


def uniform_(x: Tensor, a: float = 0.0, b: float = 1.0, *, generator: random.Generator | None = None) -> Tensor:
    """Write numbers drawn uniformly from [a, b)."""
    return _put(x, "uniform_", (generator or random.default_generator).uniform(x.shape, x.dtype, a, b))


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: random.Generator | None = None) -> Tensor:
    """Write numbers drawn from the normal distribution."""
    return _put(x, "normal_", (generator or random.default_generator).normal(x.shape, x.dtype, mean, std))


def bernoulli_(x: Tensor, p: Any = 0.5, *, generator: random.Generator | None = None) -> Tensor:
    """Write ones with probability `p`, a number or a tensor of them, else zeros."""
    source = generator or random.default_generator
    if isinstance(p, Tensor):
        return _put(x, "bernoulli_", source.bernoulli_like(np.broadcast_to(p.array, x.shape)))
    return _put(x, "bernoulli_", source.bernoulli(x.shape, p))


def exponential_(x: Tensor, lambd: float = 1.0, *, generator: random.Generator | None = None) -> Tensor:
    """Write numbers drawn from the exponential distribution of rate `lambd`."""
    return _put(x, "exponential_", (generator or random.default_generator).exponential(x.shape, x.dtype, lambd))


def setitem(x: Tensor, index: Any, value: Any, name: str = "x[...] = ...") -> None:
    """``x[index] = value``, for the indices that ``x[index]`` takes; the value broadcasts and is converted."""
    first, last = integers_first(plain_index(index))
    numbers = value.array if isinstance(value, Tensor) else value
    steps: tuple[Step, ...] = ((get_at.op, {"index": kept(last, x, *_tensors(value))}, ()),)
    try:
        target = x.array
        if first is not None:
            target = target[first]
            steps = ((get_at.op, {"index": first}, target.shape), *steps)
        if isinstance(numbers, np.ndarray) and numbers.ndim and numbers.shape[0] == 1:
            # PyTorch lets the value have leading axes of length 1 that the place lacks.
            ndim = target[last].ndim
            while numbers.ndim > ndim and numbers.shape[0] == 1:
                numbers = numbers[0]
    except IndexError as error:
        raise IndexError(f"{name}: {error} (x has shape {x.shape})") from error

    def write() -> None:
        try:
            target[last] = numbers
        except IndexError as error:
            raise IndexError(f"{name}: {error} (x has shape {x.shape})") from error
        except ValueError as error:
            raise OpError(f"{name}: {error}; x has shape {x.shape}, the value is {describe(value)}") from error

    assign(x, name, value, steps, write)


def _tensors(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else []


def put_at_(x: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """`index_put`, written into the tensor itself, which is returned."""
    if accumulate:
        return _accumulated(x, indices, values, accumulate=True)
    setitem(x, tuple(indices), values, "index_put_")
    return x


_accumulated = in_place(index_put, "index_put_")


def fill_diagonal_(x: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Write one value into the places (i, i, ...); in a tall matrix `wrap` begins again below them."""
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise OpError(f"fill_diagonal_: expected a matrix, or more axes of equal length, got shape {x.shape}")
    if x.ndim > 2:
        places: Any = (np.arange(x.shape[0]),) * x.ndim
    else:
        rows, columns = x.shape
        numbers = np.arange(0, rows * columns if wrap else min(rows, columns) * (columns + 1), columns + 1)
        places = np.divmod(numbers, columns) if columns else (numbers, numbers)
    setitem(x, tuple(places), fill_value, "fill_diagonal_")
    return x
