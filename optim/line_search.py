"""The line search of L-BFGS: a step along a direction that satisfies the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from autodiff.tensor import Array

# Sufficient decrease, and how much flatter the function has to be: Nocedal and Wright's constants for quasi-Newton
# directions.
DECREASE, FLATTER = 1e-4, 0.9


class Point(NamedTuple):
    """A step along the direction, and there the function's value, its gradient and its slope along the direction."""

    step: Any
    value: Any
    gradient: Array
    slope: Any


def strong_wolfe(
    evaluate: Callable[[Any], Point], start: Point, step: Any, length: Any, tolerance: float, most: int
) -> tuple[Point, int]:
    """A point after `start` that is lower and flatter, and the number of calls of `evaluate`, about `most` of them.

    First steps grow from `step` until they enclose such a point, then the enclosure shrinks, by cubic interpolation
    (Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6), until it is narrower than `tolerance` along
    the largest coordinate of the direction, which is `length`. The lowest point found is the answer then.
    """

    def too_high(point: Point) -> bool:
        return bool(point.value > start.value + DECREASE * point.step * start.slope)

    def flat(point: Point) -> bool:
        return bool(abs(point.slope) <= -FLATTER * start.slope)

    before, point, rounds = start, evaluate(step), 0
    while rounds < most:
        if too_high(point) or (rounds > 1 and point.value >= before.value):
            break
        if flat(point):
            return point, rounds + 1
        if point.slope >= 0:
            break
        bounds = point.step + 0.01 * (point.step - before.step), 10 * point.step
        before, point = point, evaluate(_lowest_of_cubic(before, point, *bounds))
        rounds += 1
    ends = [start if rounds == most else before, point]
    low = 0 if ends[0].value <= ends[1].value else 1

    stalled = False
    while rounds < most and abs(ends[1].step - ends[0].step) * length >= tolerance:
        step, stalled = _inner_step(ends, stalled)
        point = evaluate(step)
        rounds += 1
        if too_high(point) or point.value >= ends[low].value:
            ends[1 - low] = point
            low = 0 if ends[0].value <= ends[1].value else 1
            continue
        if not flat(point) and point.slope * (ends[1 - low].step - ends[low].step) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = point
        if flat(point):
            break
    return ends[low], rounds + 1


def _inner_step(ends: list[Point], stalled: bool) -> tuple[Any, bool]:
    """The next step to try between `ends`, and whether it is so near an end that the next must be farther inside."""
    least, largest = sorted(end.step for end in ends)
    step = _lowest_of_cubic(ends[0], ends[1], least, largest)
    margin = 0.1 * (largest - least)
    if min(largest - step, step - least) >= margin:
        return step, False
    if not stalled and least < step < largest:
        return step, True
    return (largest - margin if abs(step - largest) < abs(step - least) else least + margin), False


def _lowest_of_cubic(a: Point, b: Point, least: Any, largest: Any) -> Any:
    """Where the cubic through two points with their slopes is lowest, within bounds; their middle if nowhere."""
    if a.step > b.step:
        a, b = b, a
    mixed = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    square = mixed * mixed - a.slope * b.slope
    if not square >= 0:
        return (least + largest) / 2.0
    root = math.sqrt(square)
    step = b.step - (b.step - a.step) * ((b.slope + root - mixed) / (b.slope - a.slope + 2 * root))
    return min(max(step, least), largest)
