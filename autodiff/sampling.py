"""Constructors that draw random numbers: PyTorch's numbers for the same seed.

`generator` takes the place of the process-wide generator that `manual_seed` sets.
"""

from __future__ import annotations

from typing import Any

from autodiff import dtypes, random
from autodiff.creation import finish, shape_of
from autodiff.random import Generator
from autodiff.tensor import Tensor, as_array, wrap


def _floating(dtype: Any) -> dtypes.DType:
    return dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)


def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Numbers drawn uniformly from [0, 1).

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    source = generator or random.default_generator
    return finish(source.uniform(shape_of(size), _floating(dtype)), requires_grad, device)


def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Numbers drawn from the normal distribution of mean 0 and variance 1.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    source = generator or random.default_generator
    return finish(source.normal(shape_of(size), _floating(dtype)), requires_grad, device)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Whole numbers drawn uniformly from `low` (0) to `high` - 1, as ``randint(high, size)`` or with both.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.randint(10, (4,))
    tensor([4, 9, 3, 0])
    """
    if size is None:
        low, high, size = 0, low, high
    source = generator or random.default_generator
    wanted = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    return finish(source.integers(low, high, shape_of((size,)), wanted), requires_grad, device)


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The numbers 0 to n - 1 in random order.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    drawn = (generator or random.default_generator).permutation(n)
    return finish(drawn.astype(dtypes.int64 if dtype is None else dtypes.as_dtype(dtype), copy=False), device=device)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """Ones with the probabilities `input`, else zeros, in its dtype."""
    return wrap(as_array((generator or random.default_generator).bernoulli_like(input.array)).astype(input.dtype))


def rand_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`rand` in the shape and dtype of `input`."""
    return rand(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`randn` in the shape and dtype of `input`."""
    return randn(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)
