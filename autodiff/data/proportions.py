"""Whole numbers in a table with given sums of its rows and columns, each as near as can be to its share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def in_proportion(rows: list[int], columns: list[int]) -> NDArray[np.int64]:
    """A table with the given sums of rows and columns, each number less than 1 from row sum × column sum / total.

    Source: Bacharach, "Matrix rounding problems", Management Science, 1966. Both lists add up to the same total.

    >>> in_proportion([5, 3], [4, 2, 2])
    array([[3, 1, 1],
           [1, 1, 1]])
    """
    total = sum(rows)
    shares = np.outer(rows, columns)
    table, parts = shares // total, shares % total  # the number, and what is left of the share, in 1/total
    # A row or column with a part left has two at least, since its parts add up to a whole number. So a walk from one to
    # another, along rows and columns in turn, comes back. Adding to every second of its cells what is taken from the
    # others leaves all sums alone, until one cell is whole.
    while parts.any():
        cycle = _cycle(parts)
        up, down = tuple(np.transpose(cycle[::2])), tuple(np.transpose(cycle[1::2]))
        step = min((total - parts[up]).min(), parts[down].min())
        parts[up] += step
        parts[down] -= step
        whole = parts == total
        table[whole] += 1
        parts[whole] = 0
    return table


def _cycle(parts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cells that are not 0: the first shares its row with the second, that its column with the third, and so on."""
    row, column = (int(place) for place in np.unravel_index(np.argmax(parts != 0), parts.shape))
    cells: list[tuple[int, int]] = []
    seen: dict[int, int] = {}  # the cell by which a column was entered
    while column not in seen:
        seen[column] = len(cells)
        cells.append((row, column))
        column = _another(parts[row], column)
        cells.append((row, column))
        row = _another(parts[:, column], row)
    cycle = cells[seen[column] :]
    # It came back along the row that it had left by: that cell would be added to and taken from.
    return cycle[1:-1] if cycle[0] == cycle[-1] else cycle


def _another(line: NDArray[np.int64], than: int) -> int:
    places = np.flatnonzero(line)
    return int(places[0] if places[0] != than else places[1])
