"""Copies and dtype conversions."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import dtypes
from autodiff.recorders import multilinear
from autodiff.tensor import Array, Tensor, as_array, check_device, wrap

cast = multilinear(
    "to",
    lambda x, dtype: x.astype(dtype),
    vjp=lambda g, y, x, dtype: g,
    analytic=False,
    doc="The values converted to another dtype.",
)


# Matrices from so many bytes on are transposed band by band, so many columns each.
_LARGE = 1 << 20
_BAND = 64


def copied_by_rows(x: Array) -> Array:
    """A copy in row-major order.

    A large matrix that lies in memory by columns goes there by way of a buffer of a few columns, whose rows begin in
    different cache lines: 1024 by 1024 numbers take 0.6 ms where np.copyto, which finds all elements of a row in the
    same few lines of the cache, takes 5; 1000 by 1000 take 0.6 in place of 0.9.
    """
    if type(x) is not np.ndarray:
        return as_array(x).copy()
    if x.ndim != 2 or x.nbytes < _LARGE or not 0 < abs(x.strides[0]) < abs(x.strides[1]):
        return np.array(x, order="C")
    rows, columns = x.shape
    out = np.empty(x.shape, x.dtype)
    buffer = np.empty((_BAND, rows + 64 // x.itemsize), x.dtype)
    for start in range(0, columns, _BAND):
        band = x[:, start : start + _BAND]
        lines = buffer[: band.shape[1], :rows]
        lines[...] = band.T
        out[:, start : start + _BAND] = lines.T
    return out


clone = multilinear(
    "clone",
    copied_by_rows,
    vjp=lambda g, y, x: g,
    doc="A copy with memory of its own, through which gradients flow.",
    example="ad.clone(ad.tensor([1.0, 2.0])) -> tensor([1., 2.])",
    numpy=np.copy,
)


def astype(input: Tensor, dtype: Any) -> Tensor:
    """The tensor with another dtype, itself if it has that dtype already; integer results carry no gradient.

    >>> import autodiff as ad
    >>> astype(ad.tensor([1.7]), ad.int64)
    tensor([1])
    """
    wanted = dtypes.as_dtype(dtype)
    if input.array.dtype is wanted:
        return input
    if wanted.kind != "f":
        return wrap(input.array.astype(wanted))
    return cast(input, dtype=wanted)


def floating(name: str, x: Tensor) -> Tensor:
    """`x` if it is of a floating-point dtype, else RuntimeError: `name` has no meaning for integers."""
    if x.array.dtype.kind in "iub":
        raise RuntimeError(f"{name}: expected a floating-point tensor, got {x.dtype}; convert it with x.float()")
    return x


def to(input: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, **options: Any) -> Tensor:
    """``x.to(dtype)``, ``x.to("cpu")``, ``x.to(other)``: the tensor with another dtype, on the CPU (else an error).

    >>> import autodiff as ad
    >>> ad.tensor([1, 2]).to(ad.float32)
    tensor([1., 2.])
    """
    flags = [arg for arg in args if isinstance(arg, bool)]
    unknown = set(options) - {"non_blocking", "memory_format"}
    if unknown:
        raise TypeError(f"to() got unexpected arguments {sorted(unknown)}; expected dtype, device, copy")
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif arg is None or isinstance(arg, bool):
            continue  # non_blocking, then copy
        elif isinstance(arg, str) and arg.split(":")[0] in ("cpu", "cuda", "mps", "xpu", "meta"):
            device = arg
        else:
            dtype = arg
    check_device(device)
    out = input if dtype is None else astype(input, dtype)
    copy = copy or flags[1:] == [True]
    return clone(out) if copy and out is input else out


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor with the dtype of `other`."""
    return astype(input, other.dtype)


def float(input: Tensor) -> Tensor:
    """The tensor as float32."""
    return astype(input, dtypes.float32)


def double(input: Tensor) -> Tensor:
    """The tensor as float64."""
    return astype(input, dtypes.float64)


def half(input: Tensor) -> Tensor:
    """The tensor as float16."""
    return astype(input, dtypes.float16)


def int(input: Tensor) -> Tensor:
    """The tensor as int32, truncated towards zero."""
    return astype(input, dtypes.int32)


def short(input: Tensor) -> Tensor:
    """The tensor as int16, truncated towards zero."""
    return astype(input, dtypes.int16)


def char(input: Tensor) -> Tensor:
    """The tensor as int8, truncated towards zero."""
    return astype(input, dtypes.int8)


def byte(input: Tensor) -> Tensor:
    """The tensor as uint8, truncated towards zero."""
    return astype(input, dtypes.uint8)


def long(input: Tensor) -> Tensor:
    """The tensor as int64, truncated towards zero."""
    return astype(input, dtypes.int64)


def bool_(input: Tensor) -> Tensor:
    """The tensor as bool: whether each element is not zero."""
    return astype(input, dtypes.bool_)


# PyTorch's names of the kinds of tensors, which `type` answers and takes.
KINDS = {
    "torch.BoolTensor": dtypes.bool_,
    "torch.ByteTensor": dtypes.uint8,
    "torch.CharTensor": dtypes.int8,
    "torch.ShortTensor": dtypes.int16,
    "torch.IntTensor": dtypes.int32,
    "torch.LongTensor": dtypes.int64,
    "torch.HalfTensor": dtypes.float16,
    "torch.FloatTensor": dtypes.float32,
    "torch.DoubleTensor": dtypes.float64,
}


def type_(input: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """PyTorch's name for the kind of tensor; given a dtype or such a name, the tensor converted to it.

    >>> import autodiff as ad
    >>> ad.tensor([1]).type(), ad.tensor([1]).type("torch.FloatTensor")
    ('torch.LongTensor', tensor([1.]))
    """
    if dtype is None:
        return next(name for name, kind in KINDS.items() if kind is input.dtype)
    return astype(input, KINDS.get(dtype, dtype) if isinstance(dtype, str) else dtype)


def cpu(input: Tensor) -> Tensor:
    """The tensor itself, which lives on the CPU."""
    return input


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if its memory is in row-major order, else such a copy."""
    return input if input.array.flags.c_contiguous else clone(input)
