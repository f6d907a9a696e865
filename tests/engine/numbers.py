"""Numbers that know what they were computed from, and the functions of the naive reference engine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np

clock = itertools.count()


class Number:
    """A value, and for each number that it was computed from its derivative, a number made when it is asked for."""

    def __init__(self, value: float, *links: tuple[Number, Callable[[], Number]], tracked: bool = False) -> None:
        self.value, self.order = float(value), next(clock)
        self.links = [(number, slope) for number, slope in links if number.tracked]
        self.tracked = tracked or bool(self.links)

    def copy(self, value: float, tracked: bool = False) -> Number:
        return Number(value, (self, one), tracked=tracked)

    def __add__(self, other: Number) -> Number:
        return Number(self.value + other.value, (self, one), (other, one))

    def __mul__(self, other: Number) -> Number:
        return Number(self.value * other.value, (self, lambda: other), (other, lambda: self))

    def __neg__(self) -> Number:
        return Number(-self.value, (self, lambda: Number(-1)))


def one() -> Number:
    return Number(1)


def copied(numbers: Iterable[Number]) -> list[Number]:
    return [number.copy(number.value, tracked=True) for number in numbers]


def function(value: Callable[[float], float], slope: Callable[[Number, Number], Number]) -> Callable[[Number], Number]:
    """An elementary function and its derivative, given the input and the output."""

    def apply(a: Number) -> Number:
        y = Number(value(a.value), (a, lambda: slope(a, y)))
        return y

    return apply


def clamp(a: Number, low: float, high: float) -> Number:
    return Number(min(max(a.value, low), high), (a, lambda: Number(low <= a.value <= high)))


def maximum_of_two(a: Number, b: Number) -> Number:
    share = (1 + np.sign(a.value - b.value)) / 2
    return Number(max(a.value, b.value), (a, lambda: Number(share)), (b, lambda: Number(1 - share)))


sine = function(math.sin, lambda a, y: cosine(a))
cosine = function(math.cos, lambda a, y: -sine(a))
inverse = function(lambda a: 1 / a, lambda a, y: -(y * y))

# Each function of elements, and what the derivative by each operand reads: operands a and b, the output y.
ELEMENTWISE: dict[str, tuple[Callable[..., Number], tuple[str, ...]]] = {
    "sin": (sine, ("a",)),
    "cos": (cosine, ("a",)),
    "abs": (function(abs, lambda a, y: Number(np.sign(a.value))), ("a",)),
    "square": (function(lambda a: a * a, lambda a, y: a + a), ("a",)),
    "clamp": (clamp, ("a",)),
    "exp": (function(math.exp, lambda a, y: y), ("y",)),
    "tanh": (function(math.tanh, lambda a, y: Number(1) + -(y * y)), ("y",)),
    "sigmoid": (function(lambda a: 1 / (1 + math.exp(-a)), lambda a, y: y * (Number(1) + -y)), ("y",)),
    "relu": (function(lambda a: max(a, 0.0), lambda a, y: Number(a.value > 0)), ("y",)),
    "neg": (lambda a: -a, ("",)),
    "clone": (lambda a: a, ("",)),
    "zero": (lambda a: Number(0), ("",)),
    "fill": (lambda a, b: b, ("", "")),
    "copy": (lambda a, b: b, ("", "")),
    "add": (lambda a, b, alpha=1: a + b * Number(alpha), ("", "")),
    "sub": (lambda a, b, alpha=1: a + -b * Number(alpha), ("", "")),
    "mul": (lambda a, b: a * b, ("b", "a")),
    "div": (lambda a, b: a * inverse(b), ("b", "ab")),
    "maximum": (maximum_of_two, ("ab", "ab")),
}
