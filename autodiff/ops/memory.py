"""Arrays laid over the memory of others by strides of one's own."""

from __future__ import annotations

import numpy as np

from autodiff.dtypes import DType
from autodiff.tensor import Array
from autodiff.writes import owner

Shape = tuple[int, ...]


def address(x: Array) -> int:
    return int(x.__array_interface__["data"][0])


def laid(x: Array, dtype: DType, shape: Shape, strides: Shape, start: int = 0) -> Array:
    """A view of the memory of `x`; strides, and the start counted from the first element of `x`, are in bytes.

    np.lib.stride_tricks.as_strided takes five times as long and hides whose memory it is from the write log.
    """
    if 0 in shape:
        strides, start = (x.itemsize,) * len(shape), 0
    if not x.flags.c_contiguous:
        memory = owner(x)
        start += address(x) - address(memory)
        x = memory.transpose(sorted(range(memory.ndim), key=lambda i: -memory.strides[i]))
    return np.ndarray(shape, dtype, x, start, strides)
