"""Writing given values into a tensor: ``x[i] = ...``, ``copy_``, ``fill_``."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.inplace import assign, in_place
from autodiff.op import OpError, describe
from autodiff.ops.indexing import get_at, integers_first, kept, plain_index
from autodiff.ops.scattering import index_put
from autodiff.tensor import Array, Tensor, is_array
from autodiff.views import Step


def put(x: Tensor, name: str, src: Any) -> Tensor:
    """Write the values of `src`, which broadcasts and is converted, for the function of this name."""
    values = src.array if isinstance(src, Tensor) else src

    def write() -> None:
        try:
            np.copyto(x.array, values, casting="unsafe")
        except ValueError as error:
            raise OpError(f"{name}: expected values that broadcast to {x.shape}, got {describe(src)}") from error

    return assign(x, name, src, (), write)


def copy_(x: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the values of `src`, which broadcasts and is converted, into `x`."""
    return put(x, "copy_", src)


def fill_(x: Tensor, value: Any) -> Tensor:
    """Write one value, a number or a 0-d tensor, everywhere."""
    if isinstance(value, Tensor) and value.ndim:
        raise OpError(f"fill_: expected a number or a 0-d tensor, got {describe(value)}; copy_ takes others")
    return put(x, "fill_", value)


def zero_(x: Tensor) -> Tensor:
    """Write 0 everywhere."""
    return put(x, "zero_", 0)


def setitem(x: Tensor, index: Any, value: Any, name: str = "x[...] = ...") -> None:
    """``x[index] = value``, for the indices that ``x[index]`` takes; the value broadcasts and is converted."""
    first, last = integers_first(plain_index(index))
    whole = x.shape
    try:
        if first is not None:
            x = get_at(x, index=first)
        # A bool counts as a mask without dimensions.
        arrays = any(isinstance(part, bool) or is_array(part) for part in last)
        if not arrays:
            x = get_at(x, index=last)
    except IndexError as error:
        raise IndexError(f"{name}: {error} (x has shape {whole})") from error
    steps: tuple[Step, ...] = ((get_at.op, {"index": kept(last, x, *_tensors(value))}, ()),) if arrays else ()
    numbers = value.array if isinstance(value, Tensor) else value

    def write() -> None:
        target, at = x.array, last if arrays else ...
        try:
            target[at] = _without_leading_ones(numbers, target, at)
        except IndexError as error:
            raise IndexError(f"{name}: {error} (x has shape {whole})") from error
        except ValueError as error:
            raise OpError(f"{name}: {error}; x has shape {whole}, the value is {describe(value)}") from error

    assign(x, name, value, steps, write)


def _without_leading_ones(numbers: Any, target: Array, at: Any) -> Any:
    """The value without leading axes of length 1 that the place lacks, which PyTorch lets it have."""
    if is_array(numbers) and numbers.ndim and numbers.shape[0] == 1:
        ndim = target[at].ndim
        while numbers.ndim > ndim and numbers.shape[0] == 1:
            numbers = numbers[0]
    return numbers


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
