"""The dtypes, PyTorch's promotion between them, and the default for floating point.

A dtype is NumPy's: ``ad.float32 is np.dtype("float32")``. What differs from NumPy is promotion: a Python number, and
a 0-d tensor, never widen a dtype within its category (bool < integer < floating point), and an integer never turns
float32 into float64. https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

DType = np.dtype[Any]
Number = int | float | bool

bool_ = np.dtype(np.bool_)
uint8 = np.dtype(np.uint8)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
float16 = np.dtype(np.float16)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)

SUPPORTED = (bool_, uint8, int8, int16, int32, int64, float16, float32, float64)
# Complex numbers are outside the product; the engine computes with them only for complex-step differences.
_CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}

_default = float32


def get_default_dtype() -> DType:
    """The dtype of new floating-point tensors, float32 unless `set_default_dtype` says otherwise."""
    return _default


def set_default_dtype(dtype: Any) -> None:
    """Make new floating-point tensors, and integers turned into floats, have `dtype`; TypeError if it is no float.

    >>> import autodiff as ad
    >>> ad.set_default_dtype(ad.float64); ad.tensor([1.0]).dtype; ad.set_default_dtype(ad.float32)
    dtype('float64')
    """
    global _default
    wanted = as_dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"set_default_dtype expected a floating-point dtype such as float32, got {wanted}")
    _default = wanted


@cache
def _known_dtype(dtype: Any) -> DType:
    # NumPy takes None for float64, and None never compares unequal to it.
    found: DType | None = None
    if dtype is not None:
        with suppress(TypeError):
            found = np.dtype(dtype)
    if found is not None:
        for known in SUPPORTED:
            if known == found:
                return known
    names = ", ".join(str(d) for d in SUPPORTED)
    limit = " (complex tensors are outside what this engine does)" if found is not None and found.kind == "c" else ""
    raise TypeError(f"expected a dtype among {names}; got {dtype!r}{limit}")


def as_dtype(dtype: Any) -> DType:
    """The dtype named by a NumPy dtype or scalar type, ``float``, ``int``, ``bool`` or a string; else TypeError."""
    try:
        return _known_dtype(dtype)
    except TypeError as error:
        raise TypeError(str(error)) from None


@cache
def promote_types(a: DType, b: DType) -> DType:
    """The smallest dtype that both convert to, an integer never widening a float.

    >>> import autodiff as ad
    >>> ad.promote_types(ad.int64, ad.float16)
    dtype('float16')
    """
    ka, kb = _CATEGORY[a.kind], _CATEGORY[b.kind]
    if ka == kb or 3 in (ka, kb):
        return np.promote_types(a, b)
    return a if ka > kb else b


def _dtype_of_number(value: Number) -> DType:
    if isinstance(value, complex):
        return np.dtype(np.complex128)
    return bool_ if isinstance(value, bool) else int64 if isinstance(value, int) else _default


def _join(a: DType | None, b: DType) -> DType:
    return b if a is None else promote_types(a, b)


def result_dtype(*operands: Any) -> DType:
    """The dtype in which arrays and Python numbers are combined."""
    ranks: list[DType | None] = [None, None, None]
    for x in operands:
        if hasattr(x, "dtype"):
            rank, dtype = (0 if x.ndim else 1), x.dtype
        else:
            rank, dtype = 2, _dtype_of_number(x)
        ranks[rank] = _join(ranks[rank], dtype)
    result: DType | None = None
    for dtype_or_none in ranks:
        if dtype_or_none is None:
            continue
        # A later rank decides only where its category is higher.
        if result is None or _CATEGORY[dtype_or_none.kind] > _CATEGORY[result.kind]:
            result = _join(result, dtype_or_none)
    if result is None:
        raise TypeError("result_type needs at least one tensor or number")
    return result


def can_cast(from_: Any, to: Any) -> bool:
    """Whether a result in `from_` may be written into a tensor of `to`: never to a lower category.

    >>> import autodiff as ad
    >>> ad.can_cast(ad.float32, ad.int64)
    False
    """
    return _CATEGORY[as_dtype(from_).kind] <= _CATEGORY[as_dtype(to).kind]


class finfo:
    """Machine limits of a floating-point dtype, the default one if none is given, as Python numbers.

    >>> import autodiff as ad
    >>> ad.finfo(ad.float16).max
    65504.0
    """

    def __init__(self, type: Any = None) -> None:
        dtype = _default if type is None else as_dtype(type)
        if dtype.kind != "f":
            raise TypeError(f"finfo: expected a floating-point dtype, got {dtype}; use iinfo for integers")
        limits = np.finfo(dtype)
        self.dtype, self.bits, self.resolution = dtype.name, limits.bits, 10.0**-limits.precision
        self.min, self.max, self.eps = float(limits.min), float(limits.max), float(limits.eps)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{k}={getattr(self, k):g}" for k in ("resolution", "min", "max", "eps", "tiny"))
        return f"finfo({numbers}, dtype={self.dtype})"


class iinfo:
    """Machine limits of an integer dtype.

    >>> import autodiff as ad
    >>> ad.iinfo(ad.int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    def __init__(self, type: Any) -> None:
        dtype = as_dtype(type)
        if dtype.kind not in "iu":
            raise TypeError(f"iinfo: expected an integer dtype, got {dtype}; use finfo for floating point")
        limits = np.iinfo(dtype)
        self.dtype, self.bits, self.min, self.max = dtype.name, limits.bits, int(limits.min), int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
