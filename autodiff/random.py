"""Random numbers that equal PyTorch's: same seed, same numbers.

Every rule below, the order of the raw draws included, is that of PyTorch 2.13, and the draws are equal bit for bit.
They are plain arrays.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autodiff import draw_mode
from autodiff.deviates import box_muller, each, multiply_add
from autodiff.draw_mode import drawing
from autodiff.streams import Stream


class Generator(Stream):
    """A stream of random numbers with its own seed and state; safe to draw from in several threads.

    A new generator has PyTorch's fixed seed 67280421310721 until `manual_seed` or `seed` gives it another.

    >>> Generator().manual_seed(0).uniform((2,), "float32")
    array([0.4962566, 0.7682218], dtype=float32)
    """

    @drawing
    def uniform(self, shape: Sequence[int], dtype: DTypeLike, low: float = 0.0, high: float = 1.0) -> NDArray[Any]:
        """Draw reals evenly from [low, high): `rand` and `uniform_`.

        Raises TypeError unless dtype is float16, float32 or float64, ValueError unless low <= high and their
        distance is finite in that dtype.

        >>> Generator().manual_seed(0).uniform((2,), "float32", -1, 1)
        array([-0.00748682,  0.5364436 ], dtype=float32)
        """
        dtype, real = _floating(dtype)
        if not low <= high or high - low > float(np.finfo(dtype).max):
            raise ValueError(f"uniform draws from [low, high) with a finite low <= high, not from [{low}, {high})")
        unit = self.unit(math.prod(shape), real)
        if dtype == real and low == 0 and high == 1:
            return unit.reshape(shape)
        values = multiply_add(unit, real(high) - real(low), real(low)).astype(dtype)
        # Rounding can reach `high`, which the interval excludes.
        values[values == dtype.type(high)] = low
        return values.reshape(shape)

    @drawing
    def normal(
        self, shape: Sequence[int], dtype: DTypeLike, mean: float = 0.0, std: float = 1.0, *, in_pairs: bool = False
    ) -> NDArray[Any]:
        """Draw from the normal distribution: `randn` and `normal_`.

        As in PyTorch, fewer than 16 numbers come from another rule than 16 and more, which `in_pairs` demands for any
        number. Raises TypeError unless dtype is float16, float32 or float64, ValueError unless mean and std are finite
        and std >= 0.
        Source: Box and Muller, "A note on the generation of random normal deviates", 1958.

        >>> Generator().manual_seed(0).normal((2,), "float32")
        array([ 1.5409961, -0.2934289], dtype=float32)
        """
        dtype, real = _floating(dtype)
        if not (math.isfinite(mean) and 0 <= std < math.inf):
            raise ValueError(f"normal expects a finite mean and a finite std >= 0, not mean={mean} and std={std}")
        size = math.prod(shape)
        if size < 16 or in_pairs:
            with self.lock:
                deviates = np.array([self.next_normal() for _ in range(size)], np.float64)
            deviates = multiply_add(deviates, np.float64(std), np.float64(mean))
            return deviates.astype(real).astype(dtype).reshape(shape)
        full = size // 16 * 16  # the uniforms past it are drawn and thrown away, except for float16
        with self.lock:
            units = self.unit(full if dtype == np.float16 else size, real)
            last = self.unit(16 if size > full else 0, real)
        deviates = np.empty(size, real)
        for start in range(0, full, 2**14):  # parts that fit the cache: a million take 30 ms, in one piece 42 ms
            part = slice(start, min(start + 2**14, full))
            deviates[part] = box_muller(units[part])
        if size > full:
            deviates[-16:] = box_muller(last)  # replaces the end of the last full block
        return multiply_add(deviates, real(std), real(mean)).astype(dtype).reshape(shape)

    @drawing
    def bernoulli(self, shape: Sequence[int], p: float) -> NDArray[np.bool_]:
        """Draw booleans that are True with probability p: `bernoulli_(p)` and the mask of dropout.

        Raises ValueError unless 0 <= p <= 1.

        >>> Generator().manual_seed(0).bernoulli((4,), 0.5)
        array([False, False,  True, False])
        """
        if not 0 <= p <= 1:
            raise ValueError(f"bernoulli expects a probability in [0, 1], not {p}")
        # Of the 64 bits the lower 53 are the number's: shifting the others out takes half of the time of making it.
        raw = self.raw64(math.prod(shape))
        raw <<= _OTHER_BITS
        drawn: NDArray[np.bool_] = raw < _limit(p)
        return drawn.reshape(shape)

    @drawing
    def bernoulli_like(self, probabilities: NDArray[Any]) -> NDArray[np.bool_]:
        """Draw one boolean for each of an array of floating-point probabilities: `bernoulli(tensor)`.

        Raises TypeError unless the dtype is float16, float32 or float64, ValueError unless all lie in [0, 1].

        >>> Generator().manual_seed(0).bernoulli_like(np.array([0.0, 1.0]))
        array([False,  True])
        """
        real = _floating(probabilities.dtype)[1]
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ValueError("bernoulli expects probabilities in [0, 1]; apply sigmoid or softmax to scores first")
        return np.asarray(self.unit(probabilities.size, real).reshape(probabilities.shape) < probabilities)

    @drawing
    def integers(self, low: int, high: int, shape: Sequence[int], dtype: DTypeLike = np.int64) -> NDArray[Any]:
        """Draw integers evenly from low, ..., high - 1, in any dtype: `randint`; up to 2**63, `random_` on int64.

        Raises TypeError unless low and high are ints, ValueError unless low < high and the dtype holds all of them.

        >>> Generator().manual_seed(0).integers(0, 10, (4,))
        array([4, 9, 3, 0])
        """
        dtype, low, high = np.dtype(dtype), operator.index(low), operator.index(high)
        if not low < high:
            raise ValueError(f"integers expects low < high, not low={low} and high={high}")
        smallest, largest = _integer_bounds(dtype)
        if low < smallest or high - 1 > largest:
            raise ValueError(f"{dtype} holds integers from {smallest} to {largest}, not all of [{low}, {high})")
        span = high - low
        draw = self.raw64 if span >= 2**28 else self.raw32
        raw = draw(math.prod(shape))
        offsets = raw % np.uint64(span) if span < 2**64 else raw
        return (offsets + np.uint64(low % 2**64)).view(np.int64).astype(dtype).reshape(shape)

    @drawing
    def all_integers(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Draw evenly from the integers from 0 on that the dtype represents without gaps: `random_` without bounds.

        >>> Generator().manual_seed(0).all_integers((3,), "uint8")
        array([172,  47, 117], dtype=uint8)
        """
        dtype = np.dtype(dtype)
        largest = _integer_bounds(dtype)[1] if dtype.kind in "biu" else 2 ** (np.finfo(dtype).nmant + 1)
        raw = (self.raw64 if dtype.itemsize == 8 else self.raw32)(math.prod(shape))
        return (raw % np.uint64(largest + 1)).astype(dtype).reshape(shape)

    @drawing
    def permutation(self, n: int) -> NDArray[np.int64]:
        """Draw an order of 0, ..., n - 1, all orders being equally likely: `randperm`. Raises ValueError for n < 0.

        Source: Durstenfeld, "Algorithm 235: Random permutation", 1964, from the front.

        >>> Generator().manual_seed(0).permutation(5)
        array([4, 0, 1, 3, 2])
        """
        if operator.index(n) < 0:
            raise ValueError(f"permutation expects n >= 0, not {n}")
        steps = np.arange(max(n - 1, 0), dtype=np.uint64)
        chosen = steps + self.raw32(steps.size) % (np.uint64(n) - steps)
        # Each swap depends on those before it, so this is a loop; over a list, the 100,000 swaps take 10 ms.
        order = list(range(n))
        for step, other in enumerate(chosen.tolist()):
            order[step], order[other] = order[other], order[step]
        return np.array(order, np.int64)

    @drawing
    def exponential(self, shape: Sequence[int], dtype: DTypeLike, rate: float = 1.0) -> NDArray[Any]:
        """Draw from the exponential distribution of the given rate, whose mean is 1 / rate: `exponential_`.

        Raises TypeError unless dtype is float16, float32 or float64, ValueError unless rate > 0.

        >>> Generator().manual_seed(0).exponential((2,), "float32")
        array([3.5083263, 1.2303847], dtype=float32)
        """
        dtype, real = _floating(dtype)
        if not rate > 0:
            raise ValueError(f"exponential expects a rate > 0, not {rate}")
        unit = self.unit(math.prod(shape), np.float64)
        # np.log1p is faster; the last bit of float64, where the two differ, does not survive rounding to less.
        logarithm = each(math.log1p, -unit) if dtype == np.float64 else np.log1p(-unit)
        return (-1.0 / rate * logarithm).astype(real).astype(dtype).reshape(shape)

    @drawing
    def poisson(self, rates: NDArray[Any]) -> NDArray[Any]:
        """Draw counts of the given means, in their dtype: `poisson`.

        Raises TypeError unless the dtype is float16, float32 or float64, ValueError unless all means are at least 0.
        Source: below 10 Knuth, "Seminumerical Algorithms", 3.4.1; from 10 on Hörmann, "The transformed rejection method
        for generating Poisson random variables", 1993.

        >>> Generator().manual_seed(0).poisson(np.array([1.0, 20.0, 0.0]))
        array([ 2., 28.,  0.])
        """
        _floating(rates.dtype)
        if not (rates >= 0).all():
            raise ValueError("poisson expects means of at least 0, and none that is nan; exponentiate logarithms first")
        with self.lock:
            counts = [self._few(rate) if rate < 10 else self._many(rate) for rate in rates.ravel().tolist()]
        return np.array(counts, rates.dtype).reshape(rates.shape)

    def _few(self, rate: float) -> int:
        """As many uniform numbers as can be multiplied before the product falls to exp(-rate)."""
        count, product, limit = 0, 1.0, math.exp(-rate)
        while rate:
            product *= self.unit(1, np.float64).item()
            if product <= limit:
                break
            count += 1
        return count

    def _many(self, rate: float) -> int:
        """Hörmann's PTRS, in his names."""
        b = 0.931 + 2.53 * math.sqrt(rate)
        a = -0.059 + 0.02483 * b
        while True:
            u, v = self.unit(2, np.float64).tolist()
            u -= 0.5
            us = 0.5 - abs(u)
            k: int = math.floor((2 * a / us + b) * u + rate + 0.43)
            if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
                return k
            if k < 0 or (us < 0.013 and v > us):
                continue
            accepted = math.log(v) + math.log(1.1239 + 1.1328 / (b - 3.4)) - math.log(a / (us * us) + b)
            if accepted <= -rate + k * math.log(rate) - math.lgamma(k + 1):
                return k


# Arrays of one number: beside a few thousand others they take half of the time of Python's numbers.
_OTHER_BITS = np.array(11, np.uint64)


@lru_cache(maxsize=64)
def _limit(p: float) -> Any:
    """Below which numbers of 64 bits, of which the upper 53 count, come up with probability `p`."""
    limit = math.ceil(p * 2**53) << 11
    return np.array(limit, np.uint64) if p < 1 else limit


def scattered(x: Any) -> bool:
    """Whether PyTorch draws the normal deviates of a tensor on the array `x` in pairs, however many they are."""
    return type(x) is np.ndarray and not x.flags.c_contiguous


def laid_out(x: Any, draw: Callable[[Sequence[int]], NDArray[Any]]) -> NDArray[Any]:
    """What `draw` gives for the shape of the array `x`, in the order in which its elements lie in memory.

    In this order PyTorch fills a tensor, so that a transposed one gets transposed draws.
    """
    if type(x) is not np.ndarray or x.flags.c_contiguous:
        return draw(x.shape)
    axes = memory_order(x)
    return draw([x.shape[axis] for axis in axes]).transpose(np.argsort(axes).tolist())


def memory_order(x: Any) -> list[int]:
    """The axes of an array from the one with the longest steps to the one with the shortest."""
    axes = list(range(x.ndim))
    return sorted(axes, key=lambda axis: -abs(x.strides[axis])) if all(x.strides) else axes


def _floating(dtype: DTypeLike) -> tuple[np.dtype[Any], Any]:
    """The dtype, and the type to compute in: float16 is computed in float32 and rounded."""
    dtype = np.dtype(dtype)
    if dtype not in (np.float16, np.float32, np.float64):
        raise TypeError(f"expected float16, float32 or float64, not {dtype}; `integers` draws whole numbers")
    return dtype, np.float64 if dtype == np.float64 else np.float32


def _integer_bounds(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype == np.bool_:
        return 0, 1
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    largest = min(int(np.finfo(dtype).max), 2**63 - 1)
    return -largest, largest


# The process-wide generator, seeded by the operating system, from which every draw without a generator comes.
default_generator = Generator()
default_generator.seed()
manual_seed = default_generator.manual_seed
seed = default_generator.seed
initial_seed = default_generator.initial_seed
get_rng_state = default_generator.get_state
set_rng_state = default_generator.set_state


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """A ``with`` block after which the default generator is where it was before; `devices` changes nothing.

    >>> import autodiff as ad
    >>> _ = ad.manual_seed(0)
    >>> with ad.random.fork_rng():
    ...     inside = ad.rand(1)
    >>> bool(ad.rand(1) == inside)
    True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)


@contextmanager
def drawing_from(generator: Generator) -> Iterator[None]:
    """A ``with`` block in which `generator` is the default generator of this thread, and of no other.

    So several threads may initialise and train models side by side, each with the numbers of its own seed. Inside,
    `manual_seed` and `get_rng_state` are about `generator` too.

    >>> import autodiff as ad
    >>> with ad.random.drawing_from(ad.Generator().manual_seed(0)):
    ...     ad.rand(2)
    tensor([0.4963, 0.7682])
    """
    state = draw_mode.state
    before = state.replaced, state.replacement
    state.replaced, state.replacement = default_generator, generator
    try:
        yield
    finally:
        state.replaced, state.replacement = before
