"""Constructors of evenly spaced numbers, and of indices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.creation import dtype_of, finish
from autodiff.tensor import Tensor


def _numbers(name: str, *values: Any) -> list[Any]:
    """The values of numbers and 0-d tensors; TypeError for anything else."""
    found = [x.item() if isinstance(x, Tensor) and not x.ndim else x for x in values]
    for x in found:
        if not isinstance(x, int | float | np.integer | np.floating):
            raise TypeError(f"{name}: expected numbers or 0-d tensors, got {x!r:.60}")
    return found


def _spaced_dtype(name: str, dtype: Any) -> dtypes.DType:
    wanted = dtype_of(dtype)
    if wanted.kind == "b":
        raise TypeError(f"{name}: expected a dtype of numbers, got bool; compare the numbers to get bools")
    return wanted


def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from `start` (0) up to, without, `end`, `step` apart; integers give int64.

    RuntimeError for a step that does not lead towards the end, and for an infinite end.

    >>> import autodiff as ad
    >>> ad.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    if start is None or end is None:
        start, end = 0, start if end is None else end
    start, end, step = _numbers("arange", start, end, step)
    whole = all(isinstance(value, int | np.integer) for value in (start, end, step))
    wanted = dtypes.int64 if dtype is None and whole else _spaced_dtype("arange", dtype)
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"arange: expected finite numbers, got {start} to {end}")
    if wanted.kind in "iu":
        start, end, step = int(start), int(end), int(step)
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: expected a step that leads from {start} towards {end}, got {step}")
    if wanted.kind in "iu":
        return finish(np.arange(start, end, step).astype(wanted, copy=False), requires_grad, device)
    # np.arange adds the rounded difference of its first two numbers instead.
    places = np.arange(math.ceil((end - start) / step), dtype=np.float64)
    return finish((start + places * step).astype(wanted, copy=False), requires_grad, device)


def _linspace(name: str, start: Any, end: Any, steps: Any, dtype: dtypes.DType) -> Any:
    start, end = _numbers(name, start, end)
    if not isinstance(steps, int | np.integer):
        raise TypeError(f"{name}: expected a whole number of steps, got {steps!r}")
    if steps < 0:
        raise RuntimeError(f"{name}: expected at least 0 steps, got {steps}")
    if dtype.kind in "iu" and steps > 1:
        start, end = int(start), int(end)
    # np.linspace takes three times as long at 100 numbers.
    spaced = start + np.arange(steps, dtype=np.float64) * ((end - start) / max(steps - 1, 1))
    spaced[1:][-1:] = end
    return spaced


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included.

    >>> import autodiff as ad
    >>> ad.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    wanted = _spaced_dtype("linspace", dtype)
    spaced = _linspace("linspace", start, end, steps, wanted)
    return finish(spaced.astype(wanted, copy=False), requires_grad, device)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`base` to the powers of `linspace`.

    >>> import autodiff as ad
    >>> ad.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    wanted = _spaced_dtype("logspace", dtype)
    powers = np.power(float(base), _linspace("logspace", start, end, steps, wanted))
    return finish(powers.astype(wanted, copy=False), requires_grad, device)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The n by m matrix with ones on its diagonal.

    >>> import autodiff as ad
    >>> ad.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if min(n, 0 if m is None else m) < 0:
        raise RuntimeError(f"eye: expected lengths of at least 0, got {n} and {m}")
    return finish(np.eye(n, m, dtype=dtype_of(dtype)), requires_grad, device)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None) -> Tensor:
    """The places, rows above columns, of the lower triangle up to diagonal `offset` of a matrix (row, col).

    >>> import autodiff as ad
    >>> ad.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _indices("tril_indices", row, col, lambda: np.tri(row, col, offset, dtype=bool), dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None) -> Tensor:
    """The places, rows above columns, of the upper triangle from diagonal `offset` of a matrix (row, col).

    >>> import autodiff as ad
    >>> ad.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _indices("triu_indices", row, col, lambda: ~np.tri(row, col, offset - 1, dtype=bool), dtype, device)


def _indices(name: str, row: int, col: int, mask: Callable[[], Any], dtype: Any, device: Any) -> Tensor:
    wanted = dtypes.as_dtype(dtype)
    if min(row, col) < 0 or wanted not in (dtypes.int32, dtypes.int64):
        raise RuntimeError(f"{name}: expected lengths of at least 0 and int64 or int32, got {row}, {col} and {wanted}")
    return finish(np.stack(np.nonzero(mask())).astype(wanted, copy=False), device=device)
