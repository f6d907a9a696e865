"""What a training went through: numbers per epoch and per step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

import autodiff as ad


class History(Mapping[str, list[float]]):
    """The numbers of a training by name, one for each epoch; `steps` has those of each step of the optimizer.

    Of an epoch: ``loss`` and each metric as the mean over the training examples while the epoch ran, ``dev_loss`` and
    so on as the mean over the dev set after it, and ``lr``, the rate of the first parameter group in it. Of a step:
    ``loss``, ``lr``, and ``norm`` of the gradient where it is clipped. There are no times, so that a run that was
    interrupted has the history of one that was not. KeyError for other names.

    >>> history = History()
    >>> history.add({"loss": 0.5, "dev_loss": 0.6})
    >>> history.add({"loss": 0.2, "dev_loss": 0.7})
    >>> history["loss"], min(history["dev_loss"])
    ([0.5, 0.2], 0.6)
    """

    def __init__(self) -> None:
        self._epochs: dict[str, list[float]] = {}
        self.steps: dict[str, list[float]] = {}
        self.stopped = ""

    def __getitem__(self, name: str) -> list[float]:
        if name not in self._epochs:
            raise KeyError(f"{name}: the history has {', '.join(self._epochs) or 'no epoch yet'}")
        return self._epochs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._epochs)

    def __len__(self) -> int:
        return len(self._epochs)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"History({len(next(iter(self.values()), []))} epochs{': ' + last if last else ''})"

    def add(self, values: Mapping[str, float]) -> None:
        """Add the numbers of an epoch."""
        for name, value in values.items():
            self._epochs.setdefault(name, []).append(value)

    def add_step(self, values: Mapping[str, float]) -> None:
        """Add the numbers of a step."""
        for name, value in values.items():
            self.steps.setdefault(name, []).append(value)

    def last(self) -> dict[str, float]:
        """The numbers of the last epoch."""
        return {name: values[-1] for name, values in self.items()}

    def state_dict(self) -> dict[str, Any]:
        """The history for a checkpoint: a tensor for each list."""
        return {kind: {name: _packed(values) for name, values in columns.items()} for kind, columns in self._columns()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become the history that `state_dict` was taken of."""
        for kind, columns in self._columns():
            columns.clear()
            columns.update({name: values.tolist() for name, values in state[kind].items()})

    def _columns(self) -> list[tuple[str, dict[str, list[float]]]]:
        return [("epochs", self._epochs), ("steps", self.steps)]

    def plot(self, path: str | PathLike[str] | None = None) -> Any:
        """Draw the loss and each metric by epoch, those of the dev set beside those of training, with matplotlib.

        Returns the figure, which is written to `path` if that is given; its suffix, such as ``.png`` or ``.svg``, says
        in which format. ValueError before the end of the first epoch, ImportError without matplotlib, which the extra
        `train` installs.
        """
        names = [name for name in self if not name.startswith("dev_") and name != "lr"]
        if not names:
            raise ValueError("History.plot: there is nothing to draw before the first epoch has ended")
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError(
                "History.plot: needs matplotlib: install the extra with pip install 'autodiff-numpy[train]'"
            ) from None
        figure = Figure(figsize=(4.5 * len(names), 3.6), layout="constrained")
        for panel, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            self._draw(panel, name)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def _draw(self, panel: Any, name: str) -> None:
        for column, label in ((name, "train"), (f"dev_{name}", "dev")):
            if column in self:
                marker = "." if len(self[column]) < 30 else ""
                panel.plot(range(1, len(self[column]) + 1), self[column], marker=marker, linewidth=2, label=label)
        panel.set(title=name, xlabel="epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)


def _packed(values: list[float]) -> ad.Tensor:
    return ad.tensor(values, dtype=ad.float64)
