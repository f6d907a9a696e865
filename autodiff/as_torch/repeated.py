"""`torch.nn.modules.utils`: a number as a tuple of so many, which programs use in convolutions of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple[Any, ...]]:
    """The function that makes a tuple of what is iterable, and `n` times anything else.

    >>> _ntuple(2)(3), _ntuple(2)([1, 5])
    ((3, 3), (1, 5))
    """
    return lambda x: tuple(x) if isinstance(x, Iterable) else tuple(repeat(x, n))


_single, _pair, _triple, _quadruple = map(_ntuple, (1, 2, 3, 4))


def _reverse_repeat_tuple(t: Iterable[Any], n: int) -> tuple[Any, ...]:
    """The entries from the last to the first, each `n` times."""
    return tuple(x for x in reversed(tuple(t)) for _ in range(n))
