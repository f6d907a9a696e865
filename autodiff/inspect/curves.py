"""The curves of a training, from what its loop has noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

# More points than a picture has columns are drawn over each other.
POINTS = 400
SETS = ("train_", "dev_", "val_", "valid_", "validation_", "test_")


def curves_of(history: Any) -> list[dict[str, Any]]:
    """Charts of a history: lists of numbers by name, or one dict an epoch; what differs in ``val_`` shares a chart.

    A history with ``steps``, lists by name as well, has charts for these too. TypeError for anything else.

    >>> [(chart["title"], [one["name"] for one in chart["series"]]) for chart in curves_of({
    ...     "loss": [1.0, 0.5], "val_loss": [1.1, 0.7], "accuracy": [0.5, 0.8]})]
    [('loss', ['loss', 'val_loss']), ('accuracy', ['accuracy'])]
    """
    if history is None:
        return []
    charts = _charts(_columns(history), "")
    steps = getattr(history, "steps", None)
    return [*charts, *(_charts(_columns(steps), " by step") if isinstance(steps, Mapping) else [])]


def _columns(history: Any) -> dict[str, list[Any]]:
    if isinstance(history, Mapping):
        columns = dict(history)
    elif isinstance(history, Sequence) and all(isinstance(row, Mapping) for row in history):
        columns = {
            name: [row.get(name) for row in history] for name in dict.fromkeys(k for row in history for k in row)
        }
    else:
        columns = {"": None}
    if not all(isinstance(values, Sequence) and not isinstance(values, str) for values in columns.values()):
        raise TypeError(
            f"report expected a history of lists of numbers by name, {{'loss': [0.9, 0.5]}}, or of one dict an epoch, "
            f"[{{'loss': 0.9}}, {{'loss': 0.5}}]; got {type(history).__name__} {history!r:.60}"
        )
    return {
        str(name): [None if value is None else float(value) for value in values] for name, values in columns.items()
    }


def _charts(columns: Mapping[str, list[Any]], by: str) -> list[dict[str, Any]]:
    charts: dict[str, list[dict[str, Any]]] = {}
    for name, values in columns.items():
        bare = next((name.removeprefix(prefix) for prefix in SETS if name.startswith(prefix)), name)
        every = max(1, ceil(len(values) / POINTS))
        if values:
            charts.setdefault(bare, []).append({"name": name, "values": values[::every], "every": every})
    return [{"title": f"{bare}{by}", "series": series} for bare, series in charts.items()]
