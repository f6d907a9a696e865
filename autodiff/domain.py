"""Where an op's inputs may live: what the property-based checks draw from, and what the docs say."""

from __future__ import annotations

from typing import NamedTuple


class Domain(NamedTuple):
    """Values from `low` to `high`, no nearer than `margin` to any point in `avoid`.

    `integer` values are drawn as whole numbers of an integer dtype and carry no gradient; `boolean` ones as masks.
    """

    low: float
    high: float
    avoid: tuple[float, ...] = ()
    margin: float = 0.05
    integer: bool = False
    boolean: bool = False

    def __str__(self) -> str:
        if self.boolean:
            return "booleans"
        text = f"{'integers in ' if self.integer else ''}[{self.low:g}, {self.high:g}]"
        points = [f"{point:g}" for point in sorted(self.avoid)]
        if len(points) > 4:
            points[2:-1] = ["..."]
        return text + (f", not near {', '.join(points)}" if points else "")


def Interval(low: float, high: float) -> Domain:
    """All reals from `low` to `high`."""
    return Domain(low, high)


def away_from(*points: float, low: float = -50.0, high: float = 50.0, margin: float = 0.05) -> Domain:
    """The reals of [low, high] except a margin around each of `points`, where an op has a kink or a pole."""
    return Domain(low, high, points, margin)


def integers(low: int, high: int) -> Domain:
    """Whole numbers from `low` to `high`."""
    return Domain(low, high, integer=True)


# Wide enough that an op is seen on both sides of its bends and in its tails.
REALS = Domain(-50.0, 50.0)
POSITIVE = Domain(0.05, 50.0)
BOOLEANS = Domain(0, 1, boolean=True)
