"""What the questions about a graph answer with: findings, each with its place, in a report that prints itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autodiff.lines import Line
from autodiff.tensor import Tensor


class Finding(NamedTuple):
    """One thing that was found: its kind in a word or two, what to tell, and where it is."""

    kind: str
    text: str
    op: str = ""
    # The number of the op: among the ancestors of the loss, oldest first, or among the calls of the function.
    number: int | None = None
    line: Line | None = None
    # What to do about it.
    advice: str = ""

    def __str__(self) -> str:
        place = f" [op {self.number}, {self.op}]" if self.number is not None else ""
        lines = [f"{self.kind}: {self.text}{place}"]
        lines += [f"at {self.line}"] if self.line is not None else []
        lines += [self.advice] if self.advice else []
        return "\n    ".join(lines)


class Report:
    """The findings, and a first and a last sentence about them all; true if there are any."""

    def __init__(self, summary: str, findings: Sequence[Finding] = (), note: str = "") -> None:
        self.summary, self.findings, self.note = summary, tuple(findings), note

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __str__(self) -> str:
        numbered = [f"{i}. {finding}" for i, finding in enumerate(self.findings, 1)]
        return "\n".join([self.summary, *numbered, *([self.note] if self.note else [])])

    __repr__ = __str__


def plain(value: Any) -> Any:
    """The array of a tensor, number of NumPy's, or array inside vmap, with all samples; anything else as it is."""
    array = value.array if isinstance(value, Tensor) else value
    if hasattr(array, "each_sample"):
        array = array.base
    return np.asarray(array) if isinstance(array, np.generic) else array


def statistics(value: Any) -> str:
    """An operand in a sentence: dtype, shape, range, and how many entries are 0, infinite or NaN."""
    array = plain(value)
    if not isinstance(array, np.ndarray):
        return f"{array!r:.40}"
    if not array.ndim:
        return f"{array.dtype} {array.item():.6g}" if array.dtype.kind == "f" else f"{array.dtype} {array.item()}"
    said = [f"{array.dtype} {tuple(array.shape)}"]
    if array.dtype.kind in "fiu" and array.size:
        numbers = array[np.isfinite(array)]
        if numbers.size:
            said.append(f"from {numbers.min():.6g} to {numbers.max():.6g}")
        counts = {"zero": array == 0, "infinite": np.isinf(array), "NaN": np.isnan(array)}
        said += [f"{int(where.sum())} {what}" for what, where in counts.items() if where.any()]
    return ", ".join(said)


def finite(value: Any) -> bool:
    """Whether no entry of an array, or of anything that is none, is infinite or NaN."""
    array = plain(value)
    return not isinstance(array, np.ndarray) or array.dtype.kind != "f" or bool(np.isfinite(array).all())
