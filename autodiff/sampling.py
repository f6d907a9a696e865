"""Constructors that draw random numbers: PyTorch's numbers for the same seed.

`generator` takes the place of the process-wide generator that `manual_seed` sets.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from autodiff import dtypes, random
from autodiff.creation import finish, shape_of
from autodiff.grad_mode import no_grad
from autodiff.op import OpError, describe
from autodiff.random import Generator, laid_out, scattered
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
    low: int = 0,
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
    elif high is None:
        low, high = 0, low
    source = generator or random.default_generator
    wanted = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    return finish(source.integers(low, high, shape_of((size,)), wanted), requires_grad, device)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers 0 to n - 1 in random order; OpError if the dtype does not hold them.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    wanted = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    if wanted.kind == "b" or (wanted.kind in "iu" and n - 1 > np.iinfo(wanted).max):
        raise OpError(f"randperm expected a dtype that holds the numbers 0 to {n - 1}, got {wanted}")
    drawn = (generator or random.default_generator).permutation(n)
    return finish(drawn.astype(wanted, copy=False), requires_grad, device)


def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`rand` in the shape and dtype of `input`, laid out in memory as it is."""
    draw = partial((generator or random.default_generator).uniform, dtype=_like(input, dtype))
    return finish(laid_out(_place(input.array), draw), requires_grad, device)


def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`randn` in the shape and dtype of `input`, laid out in memory as it is."""
    place = _place(input.array)
    draw = partial((generator or random.default_generator).normal, dtype=_like(input, dtype), in_pairs=scattered(place))
    return finish(laid_out(place, draw), requires_grad, device)


def randint_like(
    input: Tensor, low: int, high: int | None = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`randint` in the shape and dtype of `input`, laid out in memory as it is.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.randint_like(ad.zeros(3), 5, 9)
    tensor([5., 8., 6.])
    """
    bounds = (0, low) if high is None else (low, high)
    draw = partial((generator or random.default_generator).integers, *bounds, dtype=_like(input, dtype))
    return finish(laid_out(_place(input.array), draw), requires_grad, device)


def _place(x: Any) -> Any:
    """Memory for the draws of what is like the array `x`; an expanded one has no layout of its own."""
    return np.empty(x.shape, x.dtype) if type(x) is np.ndarray and not all(x.strides) else np.empty_like(x)


def _like(input: Tensor, dtype: Any) -> dtypes.DType:
    return input.dtype if dtype is None else dtypes.as_dtype(dtype)


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Ones with the probabilities `input`, or of its shape with the probability `p`, else zeros, in its dtype.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.bernoulli(ad.tensor([0.1, 0.5, 0.9]))
    tensor([0., 0., 1.])
    """
    source = generator or random.default_generator
    drawn = source.bernoulli_like(input.array) if p is None else source.bernoulli(input.shape, p)
    return wrap(as_array(drawn).astype(input.dtype))


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers drawn from normal distributions: of means and deviations in tensors, or of two numbers and a `size`.

    TypeError for numbers without a size and for a size with tensors.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.normal(ad.tensor([0.0, 100.0]), 0.1)
    tensor([ 0.1541, 99.9707])
    """
    of_tensors = isinstance(mean, Tensor) or isinstance(std, Tensor)
    if of_tensors == (size is not None):
        raise TypeError(
            "normal expected tensors as mean or std, or numbers and a size; got "
            f"mean={mean!r:.40}, std={std!r:.40} and size={size!r}"
        )
    source = generator or random.default_generator
    if not of_tensors:
        return finish(source.normal(shape_of((size,)), _floating(dtype), mean, std), requires_grad, device)
    shape = np.broadcast_shapes(*(x.shape for x in (mean, std) if isinstance(x, Tensor)))
    tensor = mean if isinstance(mean, Tensor) else std
    with no_grad():
        if isinstance(std, Tensor):
            if bool((std < 0).any()):
                raise OpError(f"normal expected deviations of at least 0, got {std.min().item()}")
            drawn: Tensor = wrap(source.normal(shape, tensor.dtype)) * std + mean
        else:
            drawn = wrap(source.normal(shape, tensor.dtype, 0.0, std)) + mean
    return drawn


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Places drawn with probabilities proportional to `input` (m) or, row by row, (n, m), `num_samples` of each.

    Without `replacement` no place is drawn twice. OpError for another shape or dtype, negative, infinite or nan
    weights, a row of zeros, and for more samples than there are places, or places other than 0, without `replacement`.
    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.multinomial(ad.tensor([1.0, 2.0, 0.0, 3.0]), 4, replacement=True)
    tensor([3, 3, 1, 3])
    """
    _check_weights(input, num_samples, replacement)
    source, weights = generator or random.default_generator, input.detach()
    if not replacement or num_samples == 1:
        quotients = weights / wrap(source.exponential(input.shape, input.dtype))
        if num_samples == 1:
            return quotients.argmax(-1, keepdim=True)
        places: Tensor = quotients.topk(num_samples).indices
        return places
    # The sums are made in PyTorch's order and precision, and divided by the last.
    sums = np.cumsum(weights.array, -1, dtype=np.promote_types(input.dtype, np.float32))
    sums = (sums / sums[..., -1:]).reshape(-1, input.shape[-1])
    units = source.uniform((len(sums), num_samples), np.float64)
    drawn = [np.searchsorted(row, u, "left") for row, u in zip(sums, units, strict=True)]
    return wrap(np.array(drawn, np.int64).reshape(*input.shape[:-1], num_samples))


def _check_weights(input: Tensor, num_samples: int, replacement: bool) -> None:
    if input.ndim not in (1, 2) or input.dtype.kind != "f" or num_samples < 1:
        raise OpError(
            "multinomial expected weights (m) or (n, m) of floating-point dtype and at least one sample, got "
            f"{describe(input)} and num_samples={num_samples}"
        )
    weights = input.array
    if not (np.isfinite(weights) & (weights >= 0)).all() or not (weights > 0).any(-1).all():
        raise OpError("multinomial expected finite weights of at least 0, some of each row above 0")
    if not replacement and num_samples > (possible := int((weights > 0).sum(-1).min())):
        raise OpError(
            f"multinomial cannot draw {num_samples} of {possible} places with weights above 0 without replacement; say "
            "replacement=True to draw some of them several times"
        )


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts drawn from Poisson distributions of the means `input`, in its shape and dtype.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0); ad.poisson(ad.tensor([1.0, 20.0, 0.0]))
    tensor([ 2., 28.,  0.])
    """
    return wrap(as_array((generator or random.default_generator).poisson(input.array)))
