"""Random numbers that equal PyTorch's: same seed, same numbers.

A generator is MT19937 and one raw draw is 32 random bits. Every rule below, the order of the raw draws included,
is that of PyTorch 2.13 on an x86-64 CPU with AVX2, and the draws are equal bit for bit, except that one float64 number
in a thousand differs in its last bit when bounds, a mean or a deviation are given. Draws are plain arrays.
"""

from __future__ import annotations

import math
import operator
import os
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_STATE_WORDS = 624
# PyTorch's layout of a CPU generator's state, 5056 bytes, so that a state can be handed over in either direction.
_STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "words", "spare", "has_spare"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", _STATE_WORDS), "<f8", "<i4"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040],
        "itemsize": 5056,
    }
)


class _Thread(threading.local):
    """What draws in this thread go through inside vmap: a function of the method, the generator and its arguments."""

    around: Callable[..., Any] | None = None


thread = _Thread()


def _drawing(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def draw(self: Generator, *args: Any, **options: Any) -> Any:
        if thread.around is None:
            return method(self, *args, **options)
        return thread.around(method, self, *args, **options)

    return draw


class Generator:
    """A stream of random numbers with its own seed and state; safe to draw from in several threads.

    A new generator has PyTorch's fixed seed 67280421310721 until `manual_seed` or `seed` gives it another.

    >>> Generator().manual_seed(0).uniform((2,), "float32")
    array([0.4962566, 0.7682218], dtype=float32)
    """

    def __init__(self, device: str = "cpu") -> None:
        if str(device) != "cpu":
            raise ValueError(f"expected device='cpu', the only one that NumPy has, not {device!r}; leave it out")
        self.device = "cpu"
        self._lock = threading.RLock()
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream at `seed`, of which the low 32 bits count, and return the generator.

        Raises TypeError for what is no int, ValueError outside [-2**63, 2**64). A negative s stands for 2**64 + s.

        >>> Generator().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        try:
            seed = operator.index(seed)
        except TypeError:
            raise TypeError(f"manual_seed expects an int, not {seed!r}; convert it with int(...)") from None
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"manual_seed expects a seed in [-2**63, 2**64), not {seed}; reduce it modulo 2**64")
        with self._lock:
            self._seed = seed % 2**64
            self._spare: float | None = None  # the second half of the last scalar Box-Muller pair
            # Made at the first draw: importing numpy.random adds a fifth to the time that importing NumPy takes.
            self._bits: np.random.MT19937 | None = None
        return self

    def seed(self) -> int:
        """Restart the stream at a seed of 53 bits from the operating system, and return that seed.

        >>> 0 <= Generator().seed() < 2**53
        True
        """
        seed = int.from_bytes(os.urandom(8), "little") % 2**53
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """Return the seed at which the stream was last restarted.

        >>> Generator().manual_seed(3).initial_seed()
        3
        """
        return self._seed

    def get_state(self) -> NDArray[np.uint8]:
        """Return the state as 5056 bytes in PyTorch's layout; `set_state` continues the stream from it.

        >>> Generator().get_state().shape
        (5056,)
        """
        state = np.zeros((), _STATE)
        with self._lock:
            words = self._mersenne_twister().state["state"]
            state["seed"], state["seeded"], state["words"] = self._seed, 1, words["key"]
            state["next"], state["left"] = words["pos"] % _STATE_WORDS, _STATE_WORDS + 1 - words["pos"]
            if self._spare is not None:
                state["spare"], state["has_spare"] = self._spare, 1
        return np.frombuffer(bytearray(state.tobytes()), np.uint8)

    def set_state(self, new_state: ArrayLike) -> None:
        """Continue from a state of `get_state`, or of a PyTorch CPU generator as an array of bytes.

        Raises TypeError unless the dtype is uint8, ValueError unless it is a state of 5056 bytes.

        >>> generator = Generator()
        >>> state = generator.get_state()
        >>> first = generator.permutation(5)
        >>> generator.set_state(state)
        >>> bool((generator.permutation(5) == first).all())
        True
        """
        data = np.asarray(new_state)
        if data.dtype != np.uint8:
            raise TypeError(f"a generator's state is an array of uint8, not of {data.dtype}; take it from get_state()")
        if data.shape != (_STATE.itemsize,):
            raise ValueError(f"a generator's state has shape (5056,), not {data.shape}; take it from get_state()")
        state = np.frombuffer(data.tobytes(), _STATE)[0]
        if state["seeded"] != 1 or not 1 <= state["left"] <= _STATE_WORDS:
            raise ValueError("these 5056 bytes are no state of a generator; take them from get_state()")
        with self._lock:
            self.manual_seed(int(state["seed"]))
            self._mersenne_twister().state = {
                "bit_generator": "MT19937",
                "state": {"key": state["words"].astype(np.uint32), "pos": _STATE_WORDS + 1 - int(state["left"])},
            }
            self._spare = float(state["spare"]) if state["has_spare"] else None

    # Copying and pickling go through the state, because a lock can do neither.
    __setstate__ = set_state

    def __reduce__(self) -> tuple[type[Generator], tuple[()], NDArray[np.uint8]]:
        return Generator, (), self.get_state()

    @_drawing
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
        unit = self._unit(math.prod(shape), real)
        values = _multiply_add(unit, real(high) - real(low), real(low)).astype(dtype)
        # Rounding can reach `high`, which the interval excludes.
        values[values == dtype.type(high)] = low
        return values.reshape(shape)

    @_drawing
    def normal(self, shape: Sequence[int], dtype: DTypeLike, mean: float = 0.0, std: float = 1.0) -> NDArray[Any]:
        """Draw from the normal distribution: `randn` and `normal_`.

        As in PyTorch, fewer than 16 numbers come from another rule than 16 and more. Raises TypeError unless dtype is
        float16, float32 or float64, ValueError unless mean and std are finite and std >= 0.
        Source: Box and Muller, "A note on the generation of random normal deviates", 1958.

        >>> Generator().manual_seed(0).normal((2,), "float32")
        array([ 1.5409961, -0.2934289], dtype=float32)
        """
        dtype, real = _floating(dtype)
        if not (math.isfinite(mean) and 0 <= std < math.inf):
            raise ValueError(f"normal expects a finite mean and a finite std >= 0, not mean={mean} and std={std}")
        size = math.prod(shape)
        if size < 16:
            with self._lock:
                deviates = np.array([self._next_normal() for _ in range(size)], np.float64)
            deviates = _multiply_add(deviates, np.float64(std), np.float64(mean))
            return deviates.astype(real).astype(dtype).reshape(shape)
        full = size // 16 * 16  # the uniforms past it are drawn and thrown away, except for float16
        with self._lock:
            units = self._unit(full if dtype == np.float16 else size, real)
            last = self._unit(16 if size > full else 0, real)
        deviates = np.empty(size, real)
        for start in range(0, full, 2**14):  # parts that fit the cache: a million take 30 ms, in one piece 42 ms
            part = slice(start, min(start + 2**14, full))
            deviates[part] = _box_muller(units[part])
        if size > full:
            deviates[-16:] = _box_muller(last)  # replaces the end of the last full block
        return _multiply_add(deviates, real(std), real(mean)).astype(dtype).reshape(shape)

    @_drawing
    def bernoulli(self, shape: Sequence[int], p: float) -> NDArray[np.bool_]:
        """Draw booleans that are True with probability p: `bernoulli_(p)` and the mask of dropout.

        Raises ValueError unless 0 <= p <= 1.

        >>> Generator().manual_seed(0).bernoulli((4,), 0.5)
        array([False, False,  True, False])
        """
        if not 0 <= p <= 1:
            raise ValueError(f"bernoulli expects a probability in [0, 1], not {p}")
        return (self._unit(math.prod(shape), np.float64) < p).reshape(shape)

    @_drawing
    def bernoulli_like(self, probabilities: NDArray[Any]) -> NDArray[np.bool_]:
        """Draw one boolean for each of an array of floating-point probabilities: `bernoulli(tensor)`.

        Raises TypeError unless the dtype is float16, float32 or float64, ValueError unless all lie in [0, 1].

        >>> Generator().manual_seed(0).bernoulli_like(np.array([0.0, 1.0]))
        array([False,  True])
        """
        real = _floating(probabilities.dtype)[1]
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ValueError("bernoulli expects probabilities in [0, 1]; apply sigmoid or softmax to scores first")
        return np.asarray(self._unit(probabilities.size, real).reshape(probabilities.shape) < probabilities)

    @_drawing
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
        draw = self._raw64 if span >= 2**28 else self._raw32
        raw = draw(math.prod(shape))
        offsets = raw % np.uint64(span) if span < 2**64 else raw
        return (offsets + np.uint64(low % 2**64)).view(np.int64).astype(dtype).reshape(shape)

    @_drawing
    def all_integers(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """Draw evenly from the integers from 0 on that the dtype represents without gaps: `random_` without bounds.

        >>> Generator().manual_seed(0).all_integers((3,), "uint8")
        array([172,  47, 117], dtype=uint8)
        """
        dtype = np.dtype(dtype)
        largest = _integer_bounds(dtype)[1] if dtype.kind in "biu" else 2 ** (np.finfo(dtype).nmant + 1)
        raw = (self._raw64 if dtype.itemsize == 8 else self._raw32)(math.prod(shape))
        return (raw % np.uint64(largest + 1)).astype(dtype).reshape(shape)

    @_drawing
    def permutation(self, n: int) -> NDArray[np.int64]:
        """Draw an order of 0, ..., n - 1, all orders being equally likely: `randperm`. Raises ValueError for n < 0.

        Source: Durstenfeld, "Algorithm 235: Random permutation", 1964, from the front.

        >>> Generator().manual_seed(0).permutation(5)
        array([4, 0, 1, 3, 2])
        """
        if operator.index(n) < 0:
            raise ValueError(f"permutation expects n >= 0, not {n}")
        steps = np.arange(max(n - 1, 0), dtype=np.uint64)
        chosen = steps + self._raw32(steps.size) % (np.uint64(n) - steps)
        # Each swap depends on those before it, so this is a loop; over a list, the 100,000 swaps take 10 ms.
        order = list(range(n))
        for step, other in enumerate(chosen.tolist()):
            order[step], order[other] = order[other], order[step]
        return np.array(order, np.int64)

    @_drawing
    def exponential(self, shape: Sequence[int], dtype: DTypeLike, rate: float = 1.0) -> NDArray[Any]:
        """Draw from the exponential distribution of the given rate, whose mean is 1 / rate: `exponential_`.

        Raises TypeError unless dtype is float16, float32 or float64, ValueError unless rate > 0.

        >>> Generator().manual_seed(0).exponential((2,), "float32")
        array([3.5083263, 1.2303847], dtype=float32)
        """
        dtype, real = _floating(dtype)
        if not rate > 0:
            raise ValueError(f"exponential expects a rate > 0, not {rate}")
        unit = self._unit(math.prod(shape), np.float64)
        # np.log1p is faster; the last bit of float64, where the two differ, does not survive rounding to less.
        logarithm = _each(math.log1p, -unit) if dtype == np.float64 else np.log1p(-unit)
        return (-1.0 / rate * logarithm).astype(real).astype(dtype).reshape(shape)

    def _mersenne_twister(self) -> np.random.MT19937:
        if self._bits is None:
            self._bits = np.random.MT19937()
            np.random.RandomState(self._bits).seed(self._seed % 2**32)  # seeds as MT19937's authors do, and PyTorch
        return self._bits

    def _raw32(self, count: int) -> NDArray[np.uint64]:
        with self._lock:
            return self._mersenne_twister().random_raw(count)

    def _raw64(self, count: int) -> NDArray[np.uint64]:
        raw = self._raw32(2 * count)
        return raw[0::2] << np.uint64(32) | raw[1::2]

    def _unit(self, count: int, real: Any) -> NDArray[Any]:
        """Reals in [0, 1) of 24 bits for float32, 53 for float64."""
        raw, bits = (self._raw64(count), 53) if real is np.float64 else (self._raw32(count), 24)
        unit: NDArray[Any] = (raw & np.uint64(2**bits - 1)).astype(real) * real(2.0**-bits)
        return unit

    def _next_normal(self) -> float:
        """One normal deviate, the other of its pair being kept for the next call; in C's double arithmetic."""
        if self._spare is not None:
            deviate, self._spare = self._spare, None
            return deviate
        first, second = self._unit(2, np.float64).tolist()
        radius, angle = math.sqrt(-2.0 * math.log1p(-second)), 2.0 * math.pi * first
        self._spare = radius * math.sin(angle)
        return radius * math.cos(angle)


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


def _each(function: Callable[[float], float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A function of C's library on every element: NumPy's own float64 log and cos differ in the last bit."""
    return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def _box_muller(units: NDArray[Any]) -> NDArray[Any]:
    """Turn blocks of 16 reals in [0, 1) into 16 normal deviates each: eight radii and eight angles, both used twice."""
    blocks = units.reshape(-1, 2, 8)
    first, second = 1 - blocks[:, 0], blocks[:, 1]
    if units.dtype == np.float32:
        radius = np.sqrt(np.float32(-2) * _log32(first))
        sine, cosine = _sine_and_cosine32(np.float32(2 * math.pi) * second)
    else:
        radius, angle = np.sqrt(-2 * _each(math.log, first)), 2 * math.pi * second
        sine, cosine = _each(math.sin, angle), _each(math.cos, angle)
    return np.stack([radius * cosine, radius * sine], axis=1).ravel()


def _multiply_add(x: NDArray[Any], factor: Any, offset: Any) -> NDArray[Any]:
    """x * factor + offset rounded once, as the fused instruction does that PyTorch is compiled to.

    Rounding twice changes half of all float32 numbers drawn from [-0.1, 0.1). In float64, one number in a thousand
    still differs in its last bit, because a long double has only 11 bits more (none on some machines).
    """
    if np.isscalar(offset) and offset == 0:
        product: NDArray[Any] = x * factor + offset
        return product
    wide: Any = np.float64 if x.dtype == np.float32 else np.longdouble
    exact: NDArray[Any] = np.multiply(x, factor, dtype=wide) + offset
    return exact.astype(x.dtype)


# The two functions below are the float32 polynomials of Cephes (S. Moshier, "Methods and Programs for Mathematical
# Functions", 1989), which PyTorch evaluates in vectors of eight. They differ from NumPy's log and cos in the last
# digits, and with NumPy's own a seventh of all float32 normal deviates would not be PyTorch's.
_LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)  # fmt: skip
_LOG_2 = (np.float32(0.693359375), np.float32(-2.12194440e-4))
_QUARTER_PI = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)
_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


def _polynomial32(x: NDArray[Any], coefficients: Sequence[float]) -> NDArray[Any]:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = _multiply_add(value, x, np.float32(coefficient))
    return value


def _log32(x: NDArray[Any]) -> NDArray[Any]:
    """The natural logarithm of float32 numbers in (0, 1]."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < np.float32(math.sqrt(0.5))
    exponent = (exponent - small).astype(np.float32)
    x = np.where(small, mantissa - 1 + mantissa, mantissa - 1)
    square = x * x
    tail = _multiply_add(_polynomial32(x, _LOG) * x, square, exponent * _LOG_2[1])
    return _multiply_add(exponent, _LOG_2[0], x + _multiply_add(square, np.float32(-0.5), tail))


def _sine_and_cosine32(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sine and cosine of float32 angles in [0, 2π]."""
    octant = (x * np.float32(4 / math.pi)).astype(np.int32) + 1 & ~1  # in eighths of the circle, made even
    for part in _QUARTER_PI:  # in three parts, so that no digits are lost
        x = _multiply_add(octant.astype(np.float32), np.float32(-part), x)
    square = x * x
    cosine = _multiply_add(_polynomial32(square, _COSINE) * square, square, square * np.float32(-0.5)) + 1
    sine = _multiply_add(_polynomial32(square, _SINE) * square, x, x)
    swapped = octant & 2 != 0
    sine, cosine = np.where(swapped, cosine, sine), np.where(swapped, sine, cosine)
    return np.where(octant & 4, -sine, sine), np.where(octant + 2 & 4, -cosine, cosine)


# The process-wide generator, seeded by the operating system, from which every draw without a generator comes.
default_generator = Generator()
default_generator.seed()
manual_seed = default_generator.manual_seed
seed = default_generator.seed
initial_seed = default_generator.initial_seed
get_rng_state = default_generator.get_state
set_rng_state = default_generator.set_state
