"""Random numbers written into a tensor: PyTorch's, in the order in which its elements lie in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.assignment import put
from autodiff.deviates import each
from autodiff.op import OpError, describe
from autodiff.random import Generator, default_generator, laid_out, memory_order, scattered
from autodiff.tensor import Array, Tensor

Draw = Callable[[Generator, Sequence[int]], Array]


def uniform_(x: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write numbers drawn uniformly from [a, b)."""
    return _draw(x, "uniform_", generator, lambda source, shape: source.uniform(shape, x.dtype, a, b))


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write numbers drawn from the normal distribution."""
    pairs = scattered(x.array)
    return _draw(
        x, "normal_", generator, lambda source, shape: source.normal(shape, x.dtype, mean, std, in_pairs=pairs)
    )


def bernoulli_(x: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Write ones with probability `p`, a number or a tensor of them, else zeros."""
    if isinstance(p, Tensor):
        chances = np.broadcast_to(p.array, x.shape)
        if scattered(x.array) and type(chances) is np.ndarray:
            chances = chances.transpose(memory_order(x.array))
        drawn = (generator or default_generator).bernoulli_like(chances)
        return put(x, "bernoulli_", laid_out(x.array, lambda shape: drawn))
    return _draw(x, "bernoulli_", generator, lambda source, shape: source.bernoulli(shape, p))


def exponential_(x: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write numbers drawn from the exponential distribution of rate `lambd`."""
    return _draw(x, "exponential_", generator, lambda source, shape: source.exponential(shape, x.dtype, lambd))


def log_normal_(x: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Write exp(n) for n drawn from the normal distribution of this mean and standard deviation."""
    _expect_floats(x, "log_normal_")

    def draw(source: Generator, shape: Sequence[int]) -> Array:
        return each(math.exp, source.normal(shape, np.float64, mean, std, in_pairs=True))

    return _draw(x, "log_normal_", generator, draw)


def cauchy_(x: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write numbers drawn from the Cauchy distribution; those of float64 are PyTorch's up to the last digits."""
    _expect_floats(x, "cauchy_")

    def draw(source: Generator, shape: Sequence[int]) -> Array:
        units = source.uniform(shape, np.float64)
        return each(lambda unit: median + sigma * math.tan(math.pi * (unit - 0.5)), units)

    return _draw(x, "cauchy_", generator, draw)


def geometric_(x: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Write how many trials of success probability `p` it takes to the first success, at least 1."""
    if not 0 < p < 1:
        raise OpError(f"geometric_: expected a probability between 0 and 1, got {p!r}")
    if x.dtype.kind == "b":
        raise OpError(f"geometric_: expected a tensor of numbers, got {describe(x)}")

    def draw(source: Generator, shape: Sequence[int]) -> Array:
        units = source.uniform(shape, np.float64)
        return each(lambda unit: math.ceil(math.log(unit) / math.log1p(-p)), units)

    return _draw(x, "geometric_", generator, draw)


def random_(x: Tensor, *bounds: int, to: int | None = None, generator: Generator | None = None) -> Tensor:
    """Write integers drawn evenly: ``random_(high)`` below `high`, ``random_(low, high)`` from `low` on.

    Without bounds they are all from 0 to the largest up to which the dtype has every integer.
    """
    limits = bounds if to is None else (*bounds, to)
    if len(limits) > 2:
        raise TypeError(f"random_: expected at most two bounds, got {limits}")
    if not limits:
        return _draw(x, "random_", generator, lambda source, shape: source.all_integers(shape, x.dtype))
    low, high = (0, *limits)[-2:]
    return _draw(x, "random_", generator, lambda source, shape: source.integers(low, high, shape, x.dtype))


def _draw(x: Tensor, name: str, generator: Generator | None, draw: Draw) -> Tensor:
    source = generator or default_generator
    return put(x, name, laid_out(x.array, lambda shape: draw(source, shape)))


def _expect_floats(x: Tensor, name: str) -> None:
    if x.dtype.kind != "f":
        raise OpError(f"{name}: expected a tensor of floating-point dtype, got {describe(x)}")
