"""What a search found, as a picture."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.training.scales import Choice, Integer, Log, OneMinusLog, Scale
from autodiff.training.search import Space, Trial, best

try:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise ImportError('pictures of a search expect Matplotlib; run: pip install "autodiff-numpy[train]"') from error

COLUMNS = 4


def draw_trials(trials: Sequence[Trial], space: Space, path: str | os.PathLike[str] | None = None) -> Figure:
    """Each hyperparameter, on its scale, against the score: the first look at which of them matter, and where to go on.

    Every trial is a point in every panel, and the best one is ringed. Trials that were pruned are hollow, those that
    diverged are crosses at the lower edge. The figure is also written to `path`, such as ``search.png``, if it is
    given. ValueError if no trial has a score.

    >>> from autodiff.training.search import search
    >>> space = {"rate": Log(0.001, 1.0), "layers": Integer(1, 3)}
    >>> figure = draw_trials(search(lambda params: -params["rate"], space, 10), space)
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['rate', 'layers']
    """
    found = best(trials)
    columns = min(len(space), COLUMNS)
    rows = -(-len(space) // columns)
    figure = Figure(figsize=(3.2 * columns + 0.6, 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, name in zip(panels.flat, space, strict=False):
        _scatter(axes, space[name], name, trials, found)
    for axes in panels.flat[len(space) :]:
        axes.remove()
    for row in panels:
        row[0].set_ylabel("score")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _scatter(axes: Any, scale: Scale, name: str, trials: Sequence[Trial], found: Trial) -> None:
    x = np.array([scale.place(trial.params[name]) for trial in trials])
    if bands := _bands(scale):
        x += np.linspace(-0.3, 0.3, len(x)) / bands  # a little apart, as they would hide each other
    y = np.array([trial.score for trial in trials])
    pruned, diverged = np.array([trial.pruned for trial in trials]), np.isnan(y)
    full, hollow = ~pruned & ~diverged, pruned & ~diverged
    axes.scatter(x[full], y[full], s=18, alpha=0.8, linewidth=0)
    axes.scatter(x[hollow], y[hollow], s=18, facecolor="none", edgecolor="C0")
    at_edge = {"transform": axes.get_xaxis_transform(), "clip_on": False}
    axes.scatter(x[diverged], np.zeros(diverged.sum()), s=22, marker="x", color="C3", **at_edge)
    ringed = x[[trial is found for trial in trials]]
    axes.scatter(ringed, [found.score], s=110, facecolor="none", edgecolor="C1", linewidth=2)
    ticks = _ticks(scale)
    axes.set_xticks([scale.place(value) for value in ticks], [_label(value) for value in ticks])
    axes.set(xlim=(-0.04, 1.04), xlabel=name)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _bands(scale: Scale) -> int:
    """How many values there are that each have a band of the panel, 0 if values are everywhere."""
    if isinstance(scale, Choice):
        return len(scale.values)
    return scale.high - scale.low + 1 if isinstance(scale, Integer) and not scale.log else 0


def _ticks(scale: Any) -> Sequence[Any]:
    """Values to write below a panel: powers of ten where they are drawn by logarithm, round numbers elsewhere."""
    if isinstance(scale, Choice):
        return scale.values
    low, high = scale.low, scale.high
    if isinstance(scale, OneMinusLog):
        return [1 - rest for rest in reversed(_powers(1 - high, 1 - low))]
    if isinstance(scale, Log):
        return _powers(low, high)
    if isinstance(scale, Integer) and scale.log:
        return sorted({round(value) for value in np.geomspace(low, high, 4)})
    ticks = np.asarray(MaxNLocator(4, integer=isinstance(scale, Integer)).tick_values(low, high))
    return [value for value in ticks.tolist() if low <= value <= high]


def _powers(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers; numbers between them where there are not two."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last <= first:
        return [float(value) for value in np.geomspace(low, high, 3)]
    return [10.0**power for power in range(first, last + 1, -(-(last - first) // 5))]


def _label(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
