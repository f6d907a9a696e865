"""The tables of a profile, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autodiff.inspect.structure import size

HEAD = ("calls", "forward ms", "backward ms", "share", "made", "saved")


@dataclass
class Row:
    """An op or module: its calls, its seconds forward and backward, the bytes it made and those kept for backward.

    `label` is what a table shows of it, `depth` how many modules stand around it.
    """

    name: str
    label: str = ""
    depth: int = 0
    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0
    made: int = 0
    saved: int = 0

    @property
    def seconds(self) -> float:
        return self.forward + self.backward

    def add(self, seconds: float, event: Any) -> None:
        """Count an event that took `seconds`."""
        if event.backward:
            self.backward += seconds
        else:
            self.forward += seconds
        self.made += event.made
        self.saved += event.saved


def table_of(rows: Sequence[Row], by: str, limit: int, whole: float) -> str:
    """At most `limit` rows: of modules those that stand least deep, of ops the first."""
    shown = [row for row in rows if row.seconds or row.calls]
    more = ""
    if len(shown) > limit:
        everything = len(shown)
        if by == "module":
            while len(shown) > limit and (deepest := max(row.depth for row in shown)):
                shown = [row for row in shown if row.depth < deepest]
        shown = shown[:limit]
        more = f'\n... {everything - len(shown)} more: table("{by}", limit={everything})'
    lines = [(by, *HEAD), *[_cells(row, whole) for row in shown]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD) + 1)]
    return (
        "\n".join(
            "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(columns))
            for columns in (list(zip(line, widths, strict=True)) for line in lines)
        )
        + more
    )


def rest_of(events: Sequence[Any], whole: float) -> str:
    """A sentence on where the time outside of ops went."""
    ops = [event for event in events if event.kind in ("op", "rule")]
    forward = sum(event.own for event in ops if not event.backward)
    backward = sum(event.own for event in ops if event.backward)
    passes = sum(event.own for event in events if event.kind == "pass")
    return (
        f"{duration(whole)} in all: {duration(forward)} in ops forward, {duration(backward)} backward, "
        f"{duration(passes)} in the rest of the backward pass, "
        f"{duration(max(0.0, whole - forward - backward - passes))} in all else"
    )


def _cells(row: Row, whole: float) -> tuple[str, ...]:
    share = f"{100 * row.seconds / whole:.1f} %" if whole else ""
    label = "  " * row.depth + (row.label or row.name)
    times = [f"{1000 * seconds:,.3f}" for seconds in (row.forward, row.backward)]
    return label, f"{row.calls:,}", *times, share, size(row.made), size(row.saved)


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them.

    >>> duration(0.0123), duration(4.5e-6), duration(61.0)
    ('12.3 ms', '4.5 µs', '61.0 s')
    """
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{seconds / factor:.1f} {unit}"
    return f"{seconds / 1e-6:.1f} µs"
