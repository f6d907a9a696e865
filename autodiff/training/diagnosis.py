"""What the errors on the parts of the data say is wrong, and what to do first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from textwrap import fill

from autodiff.training.remedies import ADVICE, REMEDIES

NAMES = {"human": "human level", "train": "train", "train_dev": "train-dev", "dev": "dev", "test": "test"}


@dataclass(frozen=True)
class Gap:
    """By how much the error on one part is above that on the part before it, and what brings it down, best first.

    `noise` is the standard error of `size`, 0 where the numbers of examples are not known.
    """

    name: str
    part: str
    size: float
    noise: float
    remedies: tuple[str, ...]

    @property
    def is_chance(self) -> bool:
        """Whether such a gap would come of the choice of examples alone in more than one case of twenty."""
        return abs(self.size) < 2 * self.noise


@dataclass(frozen=True)
class Diagnosis:
    """Errors by part, the gaps between them in order, and advice on method that applies; prints as a table."""

    errors: Mapping[str, float]
    gaps: tuple[Gap, ...]
    advice: tuple[str, ...]

    @property
    def largest(self) -> Gap | None:
        """The gap to work on first: the largest that is above 0 and no chance; of equal ones the first in order."""
        return max((gap for gap in self.gaps if gap.size > 0 and not gap.is_chance), key=_size, default=None)

    def __str__(self) -> str:
        parts = list(self.errors)
        lines = [f"{'part':<13}{'error':>9}{'gap':>11}", f"{NAMES[parts[0]]:<13}{_percent(self.errors[parts[0]]):>9}"]
        for gap in self.gaps:
            row = f"{NAMES[gap.part]:<13}{_percent(self.errors[gap.part]):>9}{_percent(gap.size, '+'):>11}  {gap.name}"
            noise = f", ±{_percent(gap.noise)}: may be chance" if gap.is_chance else ""
            lines.append(row + noise + (" ← first" if gap is self.largest else ""))
        for gap in sorted(self.gaps, key=_size, reverse=True):
            if gap.size > 0 and not gap.is_chance:
                lines += ["", f"{gap.name}, {_percent(gap.size)}:"]
                lines += [f"  {number}. {remedy}" for number, remedy in enumerate(gap.remedies, 1)]
        lines += ["", "method:"]
        lines += [fill(line, 100, initial_indent="  - ", subsequent_indent="    ") for line in self.advice]
        return "\n".join(lines)


def diagnose(
    *,
    train: float,
    dev: float,
    human: float | None = None,
    train_dev: float | None = None,
    test: float | None = None,
    examples: Mapping[str, int] | None = None,
) -> Diagnosis:
    """Tell avoidable bias, variance, data mismatch and overfitting to the dev set apart by the errors on the parts.

    Errors are fractions of examples that go wrong, from 0 to 1. `human` is the best estimate of the Bayes error, taken
    as 0 if it is not given; `train_dev` is for dev data of another distribution than training data (`mismatched_split`)
    and tells variance from mismatch. With `examples`, the number of them in each part by its name, gaps that may be
    chance (less than two standard errors of a difference of proportions) are said to be so. ValueError for errors
    outside [0, 1], such as percentages, and for numbers of examples that are not above 0.
    Source: Ng, "Machine Learning Yearning", 2018.

    >>> from autodiff.training import diagnose
    >>> diagnosis = diagnose(human=0.01, train=0.08, dev=0.10)
    >>> [(gap.name, round(gap.size, 2)) for gap in diagnosis.gaps]
    [('avoidable bias', 0.07), ('variance', 0.02)]
    >>> diagnosis.largest.remedies[0]
    'Train a bigger network: more units, more layers.'
    >>> print("\\n".join(str(diagnosis).splitlines()[:4]))
    part             error        gap
    human level     1.00 %
    train           8.00 %    +7.00 %  avoidable bias ← first
    dev            10.00 %    +2.00 %  variance
    """
    given = {"human": 0.0 if human is None else human, "train": train, "train_dev": train_dev, "dev": dev, "test": test}
    errors = {name: float(error) for name, error in given.items() if error is not None}
    _check(errors, examples or {})
    variances = {name: error * (1 - error) / (examples or {}).get(name, math.inf) for name, error in errors.items()}
    names = {
        "train": "avoidable bias",
        "train_dev": "variance",
        "dev": "variance" if train_dev is None else "data mismatch",
        "test": "overfitting to dev",
    }
    parts = list(errors)
    gaps = tuple(
        Gap(names[part], part, errors[part] - errors[before], _noise(variances, before, part), REMEDIES[names[part]])
        for before, part in pairwise(parts)
    )
    return Diagnosis(errors, gaps, _advice(gaps, human, train_dev))


def _size(gap: Gap) -> float:
    return round(gap.size, 12)  # 7 % − 4 % and 10 % − 7 % are equal, though not in float64


def _percent(error: float, sign: str = "") -> str:
    return f"{100 * error:{sign}.2f} %"


def _noise(variances: Mapping[str, float], before: str, part: str) -> float:
    return math.sqrt(variances[before] + variances[part])


def _advice(gaps: tuple[Gap, ...], human: float | None, train_dev: float | None) -> tuple[str, ...]:
    sizes = {gap.name: 0.0 if gap.is_chance else gap.size for gap in gaps}
    bias, variance, mismatch = (sizes.get(name, 0.0) for name in ("avoidable bias", "variance", "data mismatch"))
    applies = {
        "no human level": human is None,
        "below human level": bias < 0,
        "orthogonalisation": bias > 0 and variance > 0 and min(bias, variance) > max(bias, variance) / 4,
        "synthetic data": mismatch > 0,
        "easier dev set": mismatch < 0,
        "same distribution": train_dev is not None or sizes.get("overfitting to dev", 0.0) != 0,
        "no gap": max(sizes.values()) <= 0,
        "iterate": True,
    }
    return tuple(ADVICE[name] for name, does in applies.items() if does)


def _check(errors: Mapping[str, float], examples: Mapping[str, int]) -> None:
    for name, error in errors.items():
        if not 0 <= error <= 1:
            raise ValueError(
                f"diagnose: expected {name} to be the fraction of examples that go wrong, from 0 to 1, got {error:g}; "
                f"8 % is 0.08, and of an accuracy the error is 1 - accuracy"
            )
    for name, count in examples.items():
        if name not in errors or not count > 0:
            raise ValueError(
                f"diagnose: expected examples to say how many of them the parts {list(errors)} have, got {name}={count}"
            )
