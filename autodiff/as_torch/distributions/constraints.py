"""`torch.distributions.constraints`: the sets of numbers that parameters and values lie in."""

from __future__ import annotations

from autodiff.as_torch.distributions.distribution import NONNEGATIVE, POSITIVE, PROBABILITY, REAL, Constraint

real, positive, nonnegative, unit_interval = REAL, POSITIVE, NONNEGATIVE, PROBABILITY


def interval(lower_bound: float, upper_bound: float) -> Constraint:
    """Numbers from `lower_bound` to `upper_bound`.

    >>> interval(-1, 1)[0]
    'a number from -1 to 1'
    """
    return f"a number from {lower_bound} to {upper_bound}", lambda x: (x >= lower_bound) & (x <= upper_bound)


def greater_than(lower_bound: float) -> Constraint:
    """Numbers above `lower_bound`."""
    return f"a number above {lower_bound}", lambda x: x > lower_bound


__all__ = ["greater_than", "interval", "nonnegative", "positive", "real", "unit_interval"]
