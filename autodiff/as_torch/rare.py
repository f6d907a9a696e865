"""Functions of `torch` that programs rarely use, on NumPy's own; none has a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

import autodiff as ad
from autodiff.dtypes import as_dtype
from autodiff.tensor import Tensor, as_array, wrap


def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisors of integers.

    >>> gcd(ad.tensor([4, 9]), ad.tensor([6, 5]))
    tensor([2, 1])
    """
    return wrap(as_array(np.gcd(input.array, other.array)))


def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiples of integers."""
    return wrap(as_array(np.lcm(input.array, other.array)))


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The numbers next to those of `input` on the way to `other`."""
    return wrap(as_array(np.nextafter(input.array, other.array)))


def is_nonzero(input: Tensor) -> bool:
    """Whether the only number is not 0."""
    return bool(input)


def range(start: float, end: float, step: float = 1, *, dtype: Any = None, **options: Any) -> Tensor:
    """Numbers from `start` to `end`, which is one of them if the steps meet it.

    >>> range(1, 3)
    tensor([1., 2., 3.])
    """
    steps = np.arange(np.floor((end - start) / step) + 1)
    return ad.as_tensor(start + step * steps, dtype=dtype or ad.get_default_dtype())


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A tensor in the memory of an object that has the buffer protocol."""
    return wrap(np.frombuffer(buffer, as_dtype(dtype), count, offset)).requires_grad_(requires_grad)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor in the memory of one of another library."""
    return ad.from_numpy(np.from_dlpack(ext_tensor))


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of numbers (n,) as columns, (n, N), from the highest on unless `increasing`.

    >>> vander(ad.tensor([2, 3]))
    tensor([[2, 1],
            [3, 1]])
    """
    powers = ad.linalg.vander(x, N=N)
    return powers if increasing else powers.flip(-1)


__all__ = ["from_dlpack", "frombuffer", "gcd", "is_nonzero", "lcm", "nextafter", "range", "vander"]
