"""Constructors. Floating-point results have the default dtype unless `dtype` says otherwise."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.ops.shape import sizes
from autodiff.tensor import Tensor, check_device, own_dtype, wrap


def finish(array: Any, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A new leaf on `array`."""
    check_device(device)
    made = wrap(array)
    return made.requires_grad_() if requires_grad else made


def _array(data: Any, dtype: Any, copy: bool | None) -> Any:
    """`data` as an array in PyTorch's dtypes: Python floats in the default one, arrays in their own."""
    if isinstance(data, Tensor):
        data = data.array
    if dtype is not None:
        wanted = dtypes.as_dtype(dtype)
    elif isinstance(data, np.ndarray | np.generic):
        wanted = dtypes.as_dtype(data.dtype)
    else:
        wanted = None
    try:
        array = np.array(_without_tensors(data), wanted, copy=copy)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"expected numbers, or nested sequences of equal lengths; got {data!r:.80} ({error})"
        ) from error
    if array.dtype.kind in "OUSMm":
        raise ValueError(f"expected numbers, or nested sequences of equal lengths; got {data!r:.80}")
    if wanted is None:
        if array.dtype.kind == "f":
            array = array.astype(dtypes.get_default_dtype())
        if not array.size:
            array = array.astype(dtypes.get_default_dtype())
    return own_dtype(array)


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.array
    return [_without_tensors(entry) for entry in data] if isinstance(data, list | tuple) else data


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor holding a copy of numbers, nested sequences or an array.

    Python floats get the default dtype, integers int64; arrays keep theirs. ValueError for ragged sequences.

    >>> import autodiff as ad
    >>> ad.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if isinstance(data, Tensor):
        warnings.warn(
            "to copy a tensor use x.clone(), or x.detach().clone() without its history, rather than tensor(x)",
            UserWarning,
            stacklevel=2,
        )
    return finish(_array(data, dtype, True), requires_grad, device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing an array's memory, and keeping a tensor's history, where no conversion is needed.

    >>> import autodiff as ad, numpy as np
    >>> array = np.zeros(2); x = ad.as_tensor(array); array[0] = 7; x
    tensor([7., 0.], dtype=float64)
    """
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return wrap(_array(data, dtype, None))


asarray = as_tensor


def from_numpy(array: Any) -> Tensor:
    """A tensor on the memory of a NumPy array; TypeError for anything else."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use ad.tensor(...)")
    return wrap(own_dtype(array))


def _dtype(dtype: Any) -> dtypes.DType:
    return dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)


def shape_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """The lengths in ``f(2, 3)`` or ``f((2, 3))``; RuntimeError for a negative one, TypeError for what is no length."""
    shape = sizes(size)
    for n in shape:
        if isinstance(n, bool | float | str) or not hasattr(n, "__index__"):
            raise TypeError(f"expected whole numbers for the shape, got {shape}")
        if n < 0:
            raise RuntimeError(f"expected lengths of at least 0, got shape {shape}")
    return shape


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros.

    >>> import autodiff as ad
    >>> ad.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return finish(np.zeros(shape_of(size), _dtype(dtype)), requires_grad, device)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones.

    >>> import autodiff as ad
    >>> ad.ones(3, dtype=ad.int64)
    tensor([1, 1, 1])
    """
    return finish(np.ones(shape_of(size), _dtype(dtype)), requires_grad, device)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose elements are whatever the memory held."""
    return finish(np.empty(shape_of(size), _dtype(dtype)), requires_grad, device)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value, whose kind decides the dtype.

    >>> import autodiff as ad
    >>> ad.full((2,), 7)
    tensor([7, 7])
    """
    value = _array(fill_value, dtype, True)
    if value.ndim:
        raise TypeError(f"full: expected one number as fill_value, got an array of shape {value.shape}")
    return finish(np.full(shape_of((size,)), value), requires_grad, device)


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of `input`."""
    return zeros(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of `input`."""
    return ones(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor in the shape and dtype of `input` whose elements are whatever the memory held."""
    return empty(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """One value in the shape and dtype of `input`."""
    return full(input.shape, fill_value, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers from `start` (0) up to, without, `end`, `step` apart; integers give int64.

    >>> import autodiff as ad
    >>> ad.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: expected a step that leads from {start} towards {end}, got {step}")
    whole = all(isinstance(value, int | np.integer) for value in (start, end, step))
    wanted = dtypes.int64 if dtype is None and whole else _dtype(dtype)
    return finish(np.arange(start, end, step).astype(wanted), requires_grad, device)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included.

    >>> import autodiff as ad
    >>> ad.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if steps < 0:
        raise RuntimeError(f"linspace: expected at least 0 steps, got {steps}")
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    return finish(np.linspace(start, end, steps).astype(_dtype(dtype)), requires_grad, device)


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
    return finish(np.logspace(start, end, steps, base=base).astype(_dtype(dtype)), requires_grad, device)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The n by m matrix with ones on its diagonal.

    >>> import autodiff as ad
    >>> ad.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return finish(np.eye(n, m, dtype=_dtype(dtype)), requires_grad, device)
