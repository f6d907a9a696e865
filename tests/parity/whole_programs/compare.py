"""Compare what two runs printed: every number, and the words between them."""

from __future__ import annotations

import math
import re
from itertools import zip_longest
from typing import NamedTuple

NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|[-+]?\b(?:nan|inf)\b")
# Clocks, and rates of progress bars, differ from run to run.
CLOCK = re.compile(
    r"(time|elapsed|elps|took|dt|ms/batch|seconds|sec|eta|duration)[^\d\n]{0,12}[\d.:]+(e[-+]?\d+)?\s*"
    r"(m \d+s\b|ms|s\b|m\b|h\b)?|"
    r"[\d.]+\s*(ms|sec|seconds|s/it|it/s|m \d+s)\b|\d+:\d+:\d+(\.\d+)?|\b\d+m \d+s",
    re.IGNORECASE,
)
# How a result was computed, where a class stands, and where the program runs, is not what it computes.
NAMES = re.compile(r"grad_fn=<\w+>|<class '[^']*'>|0x[0-9a-f]+|torch\.float|\+cpu|/tmp\w{8}/program\b")


class Agreement(NamedTuple):
    """How many numbers were compared, the first and last of both, the fewest digits that agree, and what differs first.

    `until` is the first line with a number that is off by more than the tolerance, 0 if there is none; from line 100 on
    that is no difference, but rounding that has been amplified.
    """

    numbers: int
    first: str
    last: str
    digits: float
    until: int
    difference: str
    context: str


def compare(theirs: str, ours: str, tolerance: float) -> Agreement:
    """What agrees in the lines that both have printed; a difference is a number off by more than `tolerance`."""
    numbers, until, worst, difference, context = 0, 0, 17.0, "", ""
    first = last = ""
    lines = [text.replace("\r", "\n").splitlines() for text in (theirs, ours)]
    # The last line of a run that was stopped may be half of one.
    count = min(map(len, lines))
    for number, (a, b) in enumerate(zip_longest(*(kept[:count] for kept in lines), fillvalue="")):
        a, b = (NAMES.sub("", CLOCK.sub("", line)) for line in (a, b))
        found, got = NUMBER.findall(a), NUMBER.findall(b)
        if len(found) != len(got) or NUMBER.sub("#", a).split() != NUMBER.sub("#", b).split():
            difference = difference or f"line {number + 1} differs"
            context = context or f"torch: {a}\nhere:  {b}"
            continue
        for x, y in zip(found, got, strict=True):
            numbers += 1
            if "." in x or "e" in x:
                first = first or f"{x} / {y}"
                last = f"{x} / {y}"
            digits = agreeing(x, y)
            worst = min(worst, digits)
            if digits < -math.log10(tolerance) and not _rounding(x, y):
                until = until or number + 1
                context = context or f"torch: {a}\nhere:  {b}"
                if number < 100:
                    difference = difference or f"line {number + 1}: {x} and {y}"
    if not numbers and not difference:
        difference = "no numbers printed"
    return Agreement(numbers, first, last, worst, until, difference, context)


def agreeing(x: str, y: str) -> float:
    """The number of decimal digits that two numbers share, 17 where they are the same."""
    a, b = float(x), float(y)
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 17.0
    if not (math.isfinite(a) and math.isfinite(b)):
        return 0.0
    return -math.log10(abs(a - b) / max(abs(a), abs(b)))


def _rounding(x: str, y: str) -> bool:
    """Whether two numbers that are printed with few digits differ by one in the last."""
    places = max(len(text.partition(".")[2]) for text in (x, y))
    return "e" not in x + y and "." in x and abs(float(x) - float(y)) < 1.5 * 10.0**-places


__all__ = ["Agreement", "agreeing", "compare"]
