"""Flame pictures: nested bars as wide as the time that they stand for, as SVG.

[Brendan Gregg, The Flame Graph, CACM 59(6), 2016; the form that grows downwards]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from autodiff.inspect.profile_table import duration

WIDTH, ROW, MARGIN = 1200.0, 20, 10
# Of the 12 px sans-serif text, the width of an average letter, with some to spare.
LETTER = 7.0
# Bars narrower than this are left out: nobody sees them, and a graph of thousands of ops has thousands.
NARROWEST = 0.3
COLOURS = {"whole": "#d5dbe3", "phase": "#b9c7d8", "module": "#f3d9a4", "op": "#e8a27c"}


@dataclass
class Frame:
    """A bar: `own` seconds that belong to none of the bars below it, and these bars by name."""

    name: str
    kind: str
    own: float = 0.0
    calls: int = 0
    parts: dict[tuple[str, str], Frame] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return max(0.0, self.own) + sum(part.seconds for part in self.parts.values())

    def inside(self, name: str, kind: str) -> Frame:
        """The bar of that name below this one."""
        return self.parts.setdefault((kind, name), Frame(name, kind))


def flame_of(root: Frame) -> str:
    """The picture as the text of an SVG: every bar has its full name, time and share as a tooltip."""
    whole = root.seconds or 1.0
    bars = list(_bars(root, 0.0, 0, WIDTH / whole))
    height = (1 + max(depth for _, _, _, depth in bars)) * ROW + 2 * MARGIN
    parts = [_bar(frame, x, width, depth, whole) for frame, x, width, depth in bars]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 2 * MARGIN:.0f} {height}" '
        f'width="{WIDTH + 2 * MARGIN:.0f}" height="{height}" font-family="Helvetica,Arial,sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bars(frame: Frame, x: float, depth: int, scale: float) -> Iterator[tuple[Frame, float, float, int]]:
    """Each bar with its left edge, width and row."""
    yield frame, x, frame.seconds * scale, depth
    for part in frame.parts.values():
        width = part.seconds * scale
        if width >= NARROWEST:
            yield from _bars(part, x, depth + 1, scale)
        x += width


def _bar(frame: Frame, x: float, width: float, depth: int, whole: float) -> str:
    letters = int((width - 4) / LETTER)
    text = f"{frame.name} {duration(frame.seconds)}"
    if len(text) > letters:
        text = frame.name if len(frame.name) <= letters else f"{frame.name[: letters - 1]}…" if letters > 3 else ""
    calls = f", {frame.calls:,} calls" if frame.calls else ""
    about = f"{frame.name}: {duration(frame.seconds)}, {100 * frame.seconds / whole:.1f} %{calls}"
    left, top = MARGIN + x, MARGIN + depth * ROW
    label = f'<text x="{left + 3:.1f}" y="{top + 14}" fill="#1f2933">{escape(text)}</text>' if text else ""
    return (
        f'<g><title>{escape(about)}</title><rect x="{left:.2f}" y="{top}" width="{width:.2f}" height="{ROW - 1}" '
        f'fill="{COLOURS[frame.kind]}" stroke="#ffffff" stroke-width="0.5" rx="1"/>{label}</g>'
    )
