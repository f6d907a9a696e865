"""Constructors. Floating-point results have the default dtype unless `dtype` says otherwise."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.ops.conversion import clone
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
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    if isinstance(data, np.ndarray | np.generic):
        own = dtypes.as_dtype(data.dtype)
        return own_dtype(np.array(data, own if wanted is None else wanted, copy=copy))
    plain = _without_tensors(data)
    try:
        # In its own dtype first: in a wanted one NumPy takes None for nan, and a string for True.
        array = np.array(plain)
        if array.dtype.kind in "OUSMmV":
            raise ValueError(f"NumPy makes {array.dtype} of it")
        if wanted is None:
            wanted = dtypes.get_default_dtype() if array.dtype.kind == "f" or not array.size else array.dtype
        # Python numbers that an integer dtype does not hold are an error; those of arrays would wrap.
        array = np.array(plain, wanted) if wanted.kind in "iu" else array.astype(wanted, copy=False)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"expected numbers, or nested sequences of equal lengths; got {data!r:.80} ({error})"
        ) from error
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


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Tensor:
    """`obj` as a tensor: sharing memory where that is possible (None), never (True) or else a ValueError (False).

    A tensor keeps its history, unless `requires_grad` is False.

    >>> import autodiff as ad, numpy as np
    >>> array = np.zeros(2); x = ad.asarray(array, copy=True); array[0] = 7; x
    tensor([0., 0.], dtype=float64)
    """
    made = as_tensor(obj, dtype, device)
    shared = made is obj or (isinstance(obj, np.ndarray) and (made.array is obj or made.array.base is obj))
    if copy is False and not shared:
        raise ValueError(
            f"asarray: copy=False, but {type(obj).__name__} cannot become a tensor of {made.dtype} without a copy"
        )
    if copy and shared:
        made = clone(made)
    if requires_grad is None or requires_grad == made.requires_grad:
        return made
    return made.detach().requires_grad_(requires_grad)


def from_numpy(array: Any) -> Tensor:
    """A tensor on the memory of a NumPy array; TypeError for anything else."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use ad.tensor(...)")
    return wrap(own_dtype(array))


def dtype_of(dtype: Any) -> dtypes.DType:
    """The dtype, the default one for None."""
    return dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)


def shape_of(lengths: tuple[Any, ...], named: Any = None) -> tuple[int, ...]:
    """The lengths in ``f(2, 3)``, ``f((2, 3))``, ``f(size=(2, 3))`` or ``f()``.

    RuntimeError for a negative one, TypeError for what is no length.
    """
    shape = sizes(lengths, named) if lengths or named is not None else ()
    for n in shape:
        if isinstance(n, bool | float | str) or not hasattr(n, "__index__"):
            raise TypeError(f"expected whole numbers for the shape, got {shape}")
        if n < 0:
            raise RuntimeError(f"expected lengths of at least 0, got shape {shape}")
    return shape


def zeros(
    *lengths: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros.

    >>> import autodiff as ad
    >>> ad.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return finish(np.zeros(shape_of(lengths, size), dtype_of(dtype)), requires_grad, device)


def ones(*lengths: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones.

    >>> import autodiff as ad
    >>> ad.ones(3, dtype=ad.int64)
    tensor([1, 1, 1])
    """
    return finish(np.ones(shape_of(lengths, size), dtype_of(dtype)), requires_grad, device)


def empty(
    *lengths: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor whose elements are whatever the memory held."""
    return finish(np.empty(shape_of(lengths, size), dtype_of(dtype)), requires_grad, device)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value, whose kind decides the dtype.

    >>> import autodiff as ad
    >>> ad.full((2,), 7)
    tensor([7, 7])
    """
    value = _array(fill_value, dtype, True)
    if value.ndim:
        raise TypeError(f"full: expected one number as fill_value, got an array of shape {value.shape}")
    out = np.empty(shape_of((size,)), value.dtype)
    out.fill(value.item())
    return finish(out, requires_grad, device)


def _for_each(input: Tensor, made: Tensor) -> Tensor:
    """`made`, inside vmap one for each sample of `input`, which may write into its own."""
    if not isinstance(input.array, np.ndarray):
        made.array = np.zeros_like(input.array, shape=made.shape, dtype=made.dtype) + made.array
    return made


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of `input`, their axes in the same order in memory."""
    return finish(np.zeros_like(input.array, dtype_of(dtype or input.dtype)), requires_grad, device)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of `input`, their axes in the same order in memory."""
    return finish(np.ones_like(input.array, dtype_of(dtype or input.dtype)), requires_grad, device)


def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor in the shape and dtype of `input` whose elements are whatever the memory held."""
    return finish(np.empty_like(input.array, dtype_of(dtype or input.dtype)), requires_grad, device)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """One value in the shape and dtype of `input`."""
    return new_full(input, input.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor of a number, in the default dtype unless `dtype` says otherwise.

    >>> import autodiff as ad
    >>> ad.scalar_tensor(3)
    tensor(3.)
    """
    return full((), s, dtype=dtype_of(dtype), device=device, requires_grad=requires_grad)


def new_tensor(
    input: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`tensor` of `data` in the dtype of `input`.

    >>> import autodiff as ad
    >>> ad.tensor([1.0]).new_tensor([2, 3])
    tensor([2., 3.])
    """
    return tensor(data, dtype=input.dtype if dtype is None else dtype, device=device, requires_grad=requires_grad)


def new_full(
    input: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`full` in the dtype of `input`.

    >>> import autodiff as ad
    >>> ad.tensor([1.0]).new_full((2,), 7)
    tensor([7., 7.])
    """
    dtype = input.dtype if dtype is None else dtype
    return _for_each(input, full(size, fill_value, dtype=dtype, device=device, requires_grad=requires_grad))


def new_zeros(input: Tensor, *lengths: Any, size: Any = None, dtype: Any = None, **options: Any) -> Tensor:
    """`zeros` in the dtype of `input`; options as there.

    >>> import autodiff as ad
    >>> ad.tensor([1]).new_zeros(2)
    tensor([0, 0])
    """
    return _for_each(input, zeros(*lengths, size=size, dtype=input.dtype if dtype is None else dtype, **options))


def new_ones(input: Tensor, *lengths: Any, size: Any = None, dtype: Any = None, **options: Any) -> Tensor:
    """`ones` in the dtype of `input`; options as there.

    >>> import autodiff as ad
    >>> ad.tensor([1]).new_ones(2)
    tensor([1, 1])
    """
    return _for_each(input, ones(*lengths, size=size, dtype=input.dtype if dtype is None else dtype, **options))


def new_empty(input: Tensor, *lengths: Any, size: Any = None, dtype: Any = None, **options: Any) -> Tensor:
    """`empty` in the dtype of `input`; options as there."""
    return _for_each(input, empty(*lengths, size=size, dtype=input.dtype if dtype is None else dtype, **options))
