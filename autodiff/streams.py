"""A stream of random bits with a seed and a state: the Mersenne Twister, as PyTorch seeds and stores it."""

from __future__ import annotations

import math
import operator
import os
import threading
from copy import deepcopy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autodiff.draw_mode import replaceable
from autodiff.tensor import Tensor, wrap

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


class Stream:
    """Raw draws of 32 random bits, in order, from a seed; safe to draw from in several threads."""

    device = "cpu"

    def __init__(self, device: str = "cpu") -> None:
        if str(device) != "cpu":
            raise ValueError(f"expected device='cpu', the only one that NumPy has, not {device!r}; leave it out")
        self.lock = threading.RLock()
        self.manual_seed(67280421310721)

    @replaceable
    def manual_seed(self, seed: int) -> Self:
        """Restart the stream at `seed`, of which the low 32 bits count, and return the generator.

        Raises TypeError for what is no int, ValueError outside [-2**63, 2**64). A negative s stands for 2**64 + s.

        >>> Stream().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        try:
            seed = operator.index(seed)
        except TypeError:
            raise TypeError(f"manual_seed expects an int, not {seed!r}; convert it with int(...)") from None
        if not -(2**63) <= seed < 2**64:
            raise ValueError(f"manual_seed expects a seed in [-2**63, 2**64), not {seed}; reduce it modulo 2**64")
        with self.lock:
            self._seed = seed % 2**64
            self._spare: float | None = None  # the second half of the last scalar Box-Muller pair
            # Made at the first draw: importing numpy.random adds a fifth to the time that importing NumPy takes.
            self._bits: np.random.MT19937 | None = None
        return self

    @replaceable
    def seed(self) -> int:
        """Restart the stream at a seed of 53 bits from the operating system, and return that seed.

        >>> 0 <= Stream().seed() < 2**53
        True
        """
        seed = int.from_bytes(os.urandom(8), "little") % 2**53
        self.manual_seed(seed)
        return seed

    @replaceable
    def initial_seed(self) -> int:
        """Return the seed at which the stream was last restarted.

        >>> Stream().manual_seed(3).initial_seed()
        3
        """
        return self._seed

    @replaceable
    def get_state(self) -> Tensor:
        """Return the state as 5056 bytes in PyTorch's layout; `set_state` continues the stream from it.

        >>> Stream().get_state().shape
        (5056,)
        """
        state = np.zeros((), _STATE)
        with self.lock:
            words = self._mersenne_twister().state["state"]
            state["seed"], state["seeded"], state["words"] = self._seed, 1, words["key"]
            state["next"], state["left"] = words["pos"] % _STATE_WORDS, _STATE_WORDS + 1 - words["pos"]
            if self._spare is not None:
                state["spare"], state["has_spare"] = self._spare, 1
        return wrap(np.frombuffer(bytearray(state.tobytes()), np.uint8))

    @replaceable
    def set_state(self, new_state: Any) -> Self:
        """Continue from a state of `get_state`, or of a PyTorch CPU generator as a tensor or an array of bytes.

        Raises TypeError unless the dtype is uint8, ValueError unless it is a state of 5056 bytes.

        >>> generator = Stream()
        >>> state = generator.get_state()
        >>> first = generator.raw32(5)
        >>> bool((generator.set_state(state).raw32(5) == first).all())
        True
        """
        data = np.asarray(new_state)
        if data.dtype != np.uint8:
            raise TypeError(f"a generator's state is a tensor of uint8, not of {data.dtype}; take it from get_state()")
        if data.shape != (_STATE.itemsize,):
            raise ValueError(f"a generator's state has shape (5056,), not {data.shape}; take it from get_state()")
        state = np.frombuffer(data.tobytes(), _STATE)[0]
        if state["seeded"] != 1 or not 1 <= state["left"] <= _STATE_WORDS:
            raise ValueError("these 5056 bytes are no state of a generator; take them from get_state()")
        with self.lock:
            self.manual_seed(int(state["seed"]))
            self._mersenne_twister().state = {
                "bit_generator": "MT19937",
                "state": {"key": state["words"].astype(np.uint32), "pos": _STATE_WORDS + 1 - int(state["left"])},
            }
            self._spare = float(state["spare"]) if state["has_spare"] else None
        return self

    def clone_state(self) -> Self:
        """Return another generator that continues from the state of this one.

        >>> generator = Stream()
        >>> bool(generator.clone_state().raw32(1) == generator.raw32(1))
        True
        """
        return deepcopy(self)

    # Copying and pickling go through the state, because a lock can do neither.
    __setstate__ = set_state

    def __reduce__(self) -> tuple[type[Self], tuple[()], Tensor]:
        return type(self), (), self.get_state()

    def _mersenne_twister(self) -> np.random.MT19937:
        if self._bits is None:
            self._bits = np.random.MT19937()
            np.random.RandomState(self._bits).seed(self._seed % 2**32)  # seeds as MT19937's authors do, and PyTorch
        return self._bits

    def raw32(self, count: int) -> NDArray[np.uint64]:
        """Numbers of 32 random bits, one raw draw each."""
        with self.lock:
            return self._mersenne_twister().random_raw(count)

    def raw64(self, count: int) -> NDArray[np.uint64]:
        """Two raw draws each, of which the first is the high half: NumPy makes integers of 64 bits in the same way."""
        with self.lock:
            return np.random.Generator(self._mersenne_twister()).integers(0, 2**64, count, np.uint64)

    def unit(self, count: int, real: Any) -> NDArray[Any]:
        """Reals in [0, 1) of 24 bits for float32, 53 for float64."""
        if real is np.float64:
            unit: NDArray[Any] = (self.raw64(count) & np.uint64(2**53 - 1)).astype(real)
            unit *= 2.0**-53
            return unit
        # Integers of 32 bits, with a sign, become floats in a third of the time of others.
        raw = self.raw32(count).astype(np.int32)
        raw &= np.int32(2**24 - 1)
        unit = raw.astype(real)
        unit *= real(2.0**-24)
        return unit

    def next_normal(self) -> float:
        """One normal deviate, the other of its pair being kept for the next call; in C's double arithmetic."""
        if self._spare is not None:
            deviate, self._spare = self._spare, None
            return deviate
        first, second = self.unit(2, np.float64).tolist()
        radius, angle = math.sqrt(-2.0 * math.log1p(-second)), 2.0 * math.pi * first
        self._spare = radius * math.sin(angle)
        return radius * math.cos(angle)
