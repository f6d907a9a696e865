"""Writing into a tensor's own memory: ``add_``, ``copy_``, ``x[i] = ...``, ``x += ...``.

Nothing that carries a history can be written to here: a leaf that requires grad, outside `no_grad`, and a computed
tensor are refused. Every write is stamped, so that a graph which saved the old values says so in its backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff import dtypes, grad_mode, random
from autodiff.op import OpError, describe
from autodiff.ops import places, scattering
from autodiff.ops.indexing import integers_first, plain_index
from autodiff.tensor import Array, Tensor
from autodiff.writes import record_write


def _refuse_history(x: Tensor, name: str, *others: Any) -> None:
    if not grad_mode.state.enabled:
        return
    if x.node is not None and x.is_leaf:
        raise RuntimeError(
            f"{name}: a leaf tensor that requires grad is being written to, and its history would be lost; "
            f"update parameters inside `with ad.no_grad():`"
        )
    if x.node is not None or any(isinstance(other, Tensor) and other.node is not None for other in others):
        raise RuntimeError(
            f"{name}: writing in place where gradients are recorded is not supported; compute a new tensor instead "
            f"(x = x + y, not x += y), or write inside `with ad.no_grad():`"
        )


def _operand(value: Any) -> Any:
    return value.array if isinstance(value, Tensor) else value


def _write(x: Tensor, name: str, compute: Callable[[Any], Any], *others: Any) -> Tensor:
    """Let `compute` fill the array of `x`."""
    _refuse_history(x, name, *others)
    result = dtypes.result_dtype(x.array, *(_operand(other) for other in others))
    if not dtypes.can_cast(result, x.array.dtype):
        raise OpError(f"{name}: a result of dtype {result} cannot be written into a tensor of dtype {x.array.dtype}")
    try:
        compute(x.array)
    except ValueError as error:
        came = ", ".join(describe(value) for value in (x, *others))
        raise OpError(f"{name}: {error} (got {came}); the result must have the shape of what is written to") from error
    record_write(x.array)
    return x


def add_(x: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Add alpha * other to `x` in place."""
    scaled = _operand(other) if alpha == 1 else _operand(other) * alpha
    return _write(x, "add_", lambda out: np.add(out, scaled, out=out, casting="unsafe"), other)


def sub_(x: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Subtract alpha * other from `x` in place."""
    scaled = _operand(other) if alpha == 1 else _operand(other) * alpha
    return _write(x, "sub_", lambda out: np.subtract(out, scaled, out=out, casting="unsafe"), other)


def mul_(x: Tensor, other: Any) -> Tensor:
    """Multiply `x` by `other` in place."""
    return _write(x, "mul_", lambda out: np.multiply(out, _operand(other), out=out, casting="unsafe"), other)


def div_(x: Tensor, other: Any) -> Tensor:
    """Divide `x`, of floating-point dtype, by `other` in place."""
    if x.array.dtype.kind != "f":
        raise OpError(f"div_: a quotient cannot be written into a tensor of dtype {x.dtype}; use x = x / other")
    return _write(x, "div_", lambda out: np.true_divide(out, _operand(other), out=out, casting="same_kind"), other)


def copy_(x: Tensor, source: Any, non_blocking: bool = False) -> Tensor:
    """Write the values of `source`, which broadcasts and is converted, into `x`."""
    _refuse_history(x, "copy_", source)
    try:
        np.copyto(x.array, _operand(source), casting="unsafe")
    except ValueError as error:
        raise OpError(f"copy_: expected values that broadcast to {x.shape}, got {describe(source)}") from error
    record_write(x.array)
    return x


def fill_(x: Tensor, value: Any) -> Tensor:
    """Write one value everywhere."""
    return copy_(x, value)


def zero_(x: Tensor) -> Tensor:
    """Write 0 everywhere."""
    return copy_(x, 0)


def uniform_(x: Tensor, a: float = 0.0, b: float = 1.0, *, generator: random.Generator | None = None) -> Tensor:
    """Write numbers drawn uniformly from [a, b)."""
    return copy_(x, (generator or random.default_generator).uniform(x.shape, x.dtype, a, b))


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: random.Generator | None = None) -> Tensor:
    """Write numbers drawn from the normal distribution."""
    return copy_(x, (generator or random.default_generator).normal(x.shape, x.dtype, mean, std))


def bernoulli_(x: Tensor, p: float = 0.5, *, generator: random.Generator | None = None) -> Tensor:
    """Write ones with probability `p`, else zeros."""
    return copy_(x, (generator or random.default_generator).bernoulli(x.shape, p))


def setitem(x: Tensor, index: Any, value: Any) -> None:
    """``x[index] = value``."""
    _refuse_history(x, "x[...] = ...", value)
    first, rest = integers_first(plain_index(index))
    numbers = _operand(value)
    try:
        target = x.array if first is None else x.array[first]
        if isinstance(numbers, np.ndarray):
            # PyTorch lets the value have leading axes of length 1 that the place lacks.
            ndim = target[rest].ndim
            while numbers.ndim > ndim and numbers.shape[0] == 1:
                numbers = numbers[0]
        target[rest] = numbers
    except IndexError as error:
        raise IndexError(f"x[...] = ...: {error} (x has shape {x.shape})") from error
    except ValueError as error:
        raise OpError(f"x[...] = ...: {error}; x has shape {x.shape}, the value is {describe(value)}") from error
    record_write(x.array)


def _write_places(x: Tensor, name: str, write: Callable[[Array], None], *others: Any) -> Tensor:
    """Let `write` change a row-major array with the elements of `x`: its own, unless it is laid out otherwise or
    `others` share its memory."""
    _refuse_history(x, name, *others)
    shared = any(isinstance(other, Tensor) and np.may_share_memory(other.array, x.array) for other in others)
    out = np.array(x.array, order="C", copy=True if shared else None)
    write(out)
    if out is not x.array:
        try:
            np.copyto(x.array, out)
        except ValueError as error:
            raise OpError(f"{name}: {error}; an expanded tensor shares its elements: write into a clone()") from error
    record_write(x.array)
    return x


def scatter_(
    x: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """`scatter` in place."""
    values = scattering.one_of("scatter_", src, value, reduce)
    axis, source = scattering.element_source("scatter_", x, dim, index, values)
    at, numbers = index.array, source.array
    if reduce is None:
        return _write_places(x, "scatter_", lambda out: places.set_at(out, at, numbers, axis), values)
    each = np.broadcast_to(numbers, at.shape)
    if reduce == "add":
        return _write_places(x, "scatter_", lambda out: places.add_at(out, at, each, axis), values)
    return _write_places(x, "scatter_", lambda out: places.reduce_at(out, at, each, axis, "prod"), values)


def scatter_add_(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`scatter_add` in place."""
    axis, source = scattering.tensor_source("scatter_add_", x, dim, index, src)
    return _write_places(x, "scatter_add_", lambda out: places.add_at(out, index.array, source.array, axis), src)


def scatter_reduce_(
    x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`scatter_reduce` in place."""
    result = scattering.scatter_reduce(x.detach(), dim, index, src, reduce, include_self=include_self)
    return _write_places(x, "scatter_reduce_", lambda out: np.copyto(out, result.array), src)


def index_add_(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """`index_add` in place."""
    axis, at = scattering.slice_source("index_add_", x, dim, index, source)
    added = np.atleast_1d(scattering.scaled("index_add_", source, alpha).array)

    def write(out: Array) -> None:
        places.add_slices(out if out.ndim else out.reshape(1), at, added, axis)

    return _write_places(x, "index_add_", write, source)


def index_reduce_(
    x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`index_reduce` in place."""
    result = scattering.index_reduce(x.detach(), dim, index, source, reduce, include_self=include_self)
    return _write_places(x, "index_reduce_", lambda out: np.copyto(out, result.array), source)


def _put(x: Tensor, name: str, at: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Write `values`, or add them, at an index of arrays."""
    _refuse_history(x, name, values)
    try:
        if accumulate:
            np.add.at(x.array, at, values.array)
        else:
            x.array[at] = values.array
    except IndexError as error:
        raise IndexError(f"{name}: {error} (x has shape {x.shape})") from error
    except ValueError as error:
        raise OpError(f"{name}: {error}; x has shape {x.shape}, the values are {describe(values)}") from error
    record_write(x.array)
    return x


def index_copy_(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`index_copy` in place."""
    return _put(x, "index_copy_", *scattering.copied("index_copy_", x, dim, index, source))


def index_fill_(x: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """`index_fill` in place."""
    return _put(x, "index_fill_", *scattering.filled("index_fill_", x, dim, index, value))


def index_put_(x: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """`index_put` in place."""
    return _put(x, "index_put_", scattering.put_places("index_put_", x, indices, values), values, accumulate)


def put_(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """`put` in place."""
    (at,), values = scattering.flat_places("put_", x, index, source)
    if not x.ndim:
        return _put(x, "put_", ..., values.reshape(()), accumulate)
    size = x.array.size
    if at.size and not -size <= at.min() <= at.max() < size:
        raise IndexError(f"put_: expected indices from {-size} to {size - 1}, got {at.min()} to {at.max()}")
    return _put(x, "put_", np.unravel_index(at % size if size else at, x.shape), values, accumulate)
