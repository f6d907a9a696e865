"""What a tensor is: questions that read no element."""

from __future__ import annotations

from typing import Any

from autodiff import dtypes
from autodiff.tensor import Tensor


def _tensor(name: str, x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}; make one with ad.tensor(...)")
    return x


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor.

    >>> import autodiff as ad
    >>> ad.is_tensor([1.0])
    False
    """
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating-point one, which alone can carry gradients.

    >>> import autodiff as ad
    >>> ad.is_floating_point(ad.tensor([1]))
    False
    """
    return _tensor("is_floating_point", input).is_floating_point()


def is_complex(input: Tensor) -> bool:
    """False: complex numbers are outside what this engine does."""
    return _tensor("is_complex", input).array.dtype.kind == "c"


def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers.

    >>> import autodiff as ad
    >>> ad.tensor([1], dtype=ad.uint8).is_signed()
    False
    """
    return _tensor("is_signed", input).array.dtype.kind in "if"


def is_cpu(x: Tensor) -> bool:
    """True: tensors live on the CPU."""
    return True


def is_cuda(x: Tensor) -> bool:
    """False: tensors live on the CPU."""
    return False


def data_ptr(x: Tensor) -> int:
    """The address of the first element in memory, equal for tensors that start at the same place.

    >>> import autodiff as ad
    >>> x = ad.zeros(2)
    >>> x.data_ptr() == x.view(1, 2).data_ptr() != x.clone().data_ptr()
    True
    """
    return int(x.array.__array_interface__["data"][0])


def numel(input: Tensor) -> int:
    """The number of elements.

    >>> import autodiff as ad
    >>> ad.numel(ad.zeros(2, 3))
    6
    """
    return _tensor("numel", input).array.size


def result_type(tensor: Any, other: Any) -> dtypes.DType:
    """The dtype in which two tensors or numbers are combined.

    >>> import autodiff as ad
    >>> ad.result_type(ad.tensor([1, 2]), 1.5)
    dtype('float32')
    """
    for x in (tensor, other):
        if not isinstance(x, Tensor | int | float):
            raise TypeError(f"result_type: expected tensors or numbers, got {type(x).__name__}")
    return dtypes.result_dtype(*(x.array if isinstance(x, Tensor) else x for x in (tensor, other)))
