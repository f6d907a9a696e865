"""How much room a picture takes, without laying it out."""

from __future__ import annotations

from collections import Counter, defaultdict

from autodiff.inspect.structure import Box, Role, Structure

# What is seen at a glance, and can be read on a screen: at a height of 1,600 pixels 40 rows of boxes have letters of
# 9 pixels, and so has a width of 24 inches.
MOST_BOXES, MOST_ROWS, WIDEST = 60, 40, 24.0
# About how many inches an arrow takes of each row that it passes.
ARROW = 0.5
# About how many inches a row of boxes and its arrows take.
ROW = 0.7


def fits(structure: Structure) -> bool:
    """Whether a picture has few enough boxes, rows and columns to be read."""
    rows, width = extent(structure)
    return len(structure.boxes) <= MOST_BOXES and rows <= MOST_ROWS and width <= WIDEST


def extent(structure: Structure) -> tuple[int, float]:
    """About how many rows Graphviz will need for a picture, and how many inches for the widest."""
    heads: dict[str, list[str]] = {key: [] for key in structure.boxes}
    missing = Counter(arrow.head for arrow in structure.arrows if not arrow.again)
    for arrow in structure.arrows:
        if not arrow.again:
            heads[arrow.tail].append(arrow.head)
    row = dict.fromkeys(structure.boxes, 0)
    ready = [key for key in structure.boxes if not missing[key]]
    order = []
    while ready:
        key = ready.pop()
        order.append(key)
        for head in heads[key]:
            row[head] = max(row[head], row[key] + 1)
            missing[head] -= 1
            if not missing[head]:
                ready.append(head)
    widths: defaultdict[int, float] = defaultdict(float)
    for key in reversed(order):
        # A leaf stands in the row above what reads it first.
        if structure.boxes[key].role is not Role.OPERATION and heads[key]:
            row[key] = min(row[head] for head in heads[key]) - 1
        widths[row[key]] += _width(structure.boxes[key])
    for arrow in structure.arrows:
        for between in range(row[arrow.tail] + 1, row[arrow.head]):
            widths[between] += ARROW
    return max(row.values(), default=0) + 1, max(widths.values(), default=0)


def _width(box: Box) -> float:
    """About how many inches a box and the gap beside it take."""
    totals = 32 if box.role is Role.FOLDED and box.parameters and box.saved else 16
    small = max(len(box.note), totals if box.role is Role.FOLDED else 0)
    text = max(0.09 * len(box.label), 0.07 * small)
    return 0.6 + text * (1.3 if box.role is Role.OPERATION else 1)
