"""What hyperparameters are drawn from, each evenly on the scale on which it matters.

They have ``rvs``, so that scikit-learn's ``RandomizedSearchCV`` takes them as distributions; ``suggest`` is for Optuna.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

# How far beyond the best values a narrowed scale reaches, as a part of the whole one.
MARGIN = 0.1


class Scale(ABC):
    """Values, each at places of its own from 0 to 1."""

    @abstractmethod
    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1."""

    @abstractmethod
    def place(self, value: Any) -> float:
        """Where a value is, from 0 to 1."""

    @abstractmethod
    def around(self, values: Sequence[Any]) -> Self:
        """The part of this scale where these values are."""

    @abstractmethod
    def suggest(self, trial: Any, name: str) -> Any:
        """The value that a trial of Optuna suggests."""

    def rvs(self, random_state: Any = None) -> Any:
        """A value drawn by a generator of NumPy, or by one of this seed."""
        generator = random_state if hasattr(random_state, "uniform") else np.random.default_rng(random_state)
        return self.value(generator.uniform())


@dataclass(frozen=True)
class Uniform(Scale):
    """Numbers from `low` to `high`, drawn evenly. ValueError unless low < high, finite.

    >>> Uniform(0.0, 0.5).value(0.1)
    0.05
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self._bend(self.low) < self._bend(self.high) < math.inf:
            raise ValueError(f"expected finite bounds, the first less than the second, got {self!r}")

    def _bend(self, value: float) -> float:
        """What is drawn evenly, of a value."""
        return value

    def _unbend(self, bent: float) -> float:
        return bent

    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1."""
        low, high = self._bend(self.low), self._bend(self.high)
        return min(max(self._unbend(low + place * (high - low)), self.low), self.high)

    def place(self, value: Any) -> float:
        """Where a value is, from 0 to 1."""
        low, high = self._bend(self.low), self._bend(self.high)
        return (self._bend(value) - low) / (high - low)

    def around(self, values: Sequence[Any]) -> Self:
        """The part of this scale where these values are, and a tenth of all of it more on both sides.

        >>> Uniform(0.0, 8.0).around([4.0, 6.0]).high
        6.8
        """
        places = [self.place(value) for value in values]
        low, high = max(min(places) - MARGIN, 0.0), min(max(places) + MARGIN, 1.0)
        return replace(self, low=self.value(low), high=self.value(high))

    def suggest(self, trial: Any, name: str) -> Any:
        """The value that a trial of Optuna suggests."""
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class Log(Uniform):
    """Numbers above 0 whose logarithm is drawn evenly: learning rates, strengths of penalties.

    From 0.0001 to 1, even draws would put nine of ten above 0.1. ValueError unless 0 < low < high, finite.

    >>> rate = Log(0.0001, 1.0)
    >>> round(rate.value(0.25), 6), round(rate.place(0.1), 6)
    (0.001, 0.75)
    """

    def _bend(self, value: float) -> float:
        return math.log(value) if value > 0 else -math.inf

    def _unbend(self, bent: float) -> float:
        return math.exp(bent)

    def suggest(self, trial: Any, name: str) -> Any:
        """The value that a trial of Optuna suggests."""
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class OneMinusLog(Uniform):
    """Numbers β below 1 for which the logarithm of 1 − β is drawn evenly: momenta, decays of averages.

    An average is over 1/(1 − β) values: from 0.9 to 0.999 over 10 to 1000, and even draws would put nine of ten below
    100. ValueError unless low < high < 1, finite.

    >>> beta = OneMinusLog(0.9, 0.999)
    >>> round(beta.value(0.5), 6)
    0.99
    """

    def _bend(self, value: float) -> float:
        return -math.log(1 - value) if value < 1 else math.inf

    def _unbend(self, bent: float) -> float:
        return 1 - math.exp(-bent)

    def suggest(self, trial: Any, name: str) -> Any:
        """The value that a trial of Optuna suggests, which calls it by what it draws: ``1 - name``."""
        return 1 - trial.suggest_float(f"1 - {name}", 1 - self.high, 1 - self.low, log=True)


@dataclass(frozen=True)
class Integer(Uniform):
    """Integers from `low` to `high`, both included: numbers of layers; with `log`, evenly by logarithm: of units.

    ValueError unless they are integers with low <= high, from 1 on for `log`.

    >>> [Integer(1, 4).value(place) for place in (0.0, 0.3, 1.0)]
    [1, 2, 4]
    >>> [Integer(16, 1024, log=True).value(place) for place in (0.0, 0.5, 1.0)]
    [16, 128, 1024]
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        integers = all(isinstance(bound, int | np.integer) for bound in (self.low, self.high))
        if not integers or self.low > self.high or (self.log and self.low < 1):
            raise ValueError(f"expected integers low <= high{', from 1 on' if self.log else ''}, got {self!r}")

    def _bend(self, value: float) -> float:
        return math.log(value) if self.log else value

    def value(self, place: float) -> int:
        """The value at a place from 0 to 1."""
        low, high = self._bend(self.low), self._bend(self.high + 1)
        bent = low + place * (high - low)
        return int(min(max(math.floor(math.exp(bent) if self.log else bent), self.low), self.high))

    def place(self, value: int) -> float:
        """Where the middle of a value is, from 0 to 1."""
        low, high = self._bend(self.low), self._bend(self.high + 1)
        return (self._bend(value + 0.5) - low) / (high - low)

    def suggest(self, trial: Any, name: str) -> int:
        """The value that a trial of Optuna suggests."""
        return int(trial.suggest_int(name, self.low, self.high, log=self.log))


@dataclass(frozen=True)
class Choice(Scale):
    """One of several values of any kind, each as often: activations, optimizers, sizes of layers.

    ValueError for no values.

    >>> Choice(["ReLU", "Tanh"]).value(0.7)
    'Tanh'
    """

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not len(self.values):
            raise ValueError(f"expected a sequence of one value or more to choose from, got {self.values!r}")

    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1."""
        return self.values[min(int(place * len(self.values)), len(self.values) - 1)]

    def place(self, value: Any) -> float:
        """Where the middle of a value is, from 0 to 1."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def around(self, values: Sequence[Any]) -> Self:
        """The choice between these values only.

        >>> Choice([1, 2, 3]).around([3, 1, 1])
        Choice(values=[1, 3])
        """
        return replace(self, values=[value for value in self.values if value in values])

    def suggest(self, trial: Any, name: str) -> Any:
        """The value that a trial of Optuna suggests, which knows it as text: files keep no other kinds of values."""
        texts = [repr(value) for value in self.values]
        return self.values[texts.index(trial.suggest_categorical(name, texts))]
