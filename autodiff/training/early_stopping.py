"""Stopping when the dev set says so, with the best weights."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

from autodiff.training.run import Run


class EarlyStopping:
    """Ends a training when `monitor` has not become better for `patience` epochs; the best epoch's weights are kept.

    Better is smaller, or larger with ``mode="max"``, by more than `min_delta`. `monitor` is a name of the `History`.
    The best weights are put back at the end of the training, also where it ends after its last epoch.
    ValueError for options out of range and, after the first epoch, for a `monitor` that the history does not have.

    The course's objection: it is not orthogonal. One knob now does two jobs, since to stop earlier both worsens the
    optimisation of J and fights overfitting, so that the two can no longer be tuned one at a time, as training long
    with a penalty (``weight_decay``) allows. In its favour: one run tries all sizes of weights, where each strength of
    a penalty needs a run.
    (Prechelt, "Early stopping, but when?", 1998)

    >>> EarlyStopping(patience=3, monitor="dev_accuracy", mode="max")
    EarlyStopping(patience=3, monitor='dev_accuracy', mode='max', min_delta=0.0)
    """

    def __init__(
        self, patience: int = 10, monitor: str = "dev_loss", mode: str = "min", min_delta: float = 0.0
    ) -> None:
        if not isinstance(patience, int) or patience < 1:
            raise ValueError(f"EarlyStopping: expected patience to be a number of epochs from 1, got {patience!r}")
        if mode not in ("min", "max"):
            raise ValueError(f"EarlyStopping: expected the mode 'min' or 'max', got {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"EarlyStopping: expected min_delta to be at least 0, got {min_delta!r}")
        self.patience = patience
        self.monitor = monitor
        self.mode = mode
        self.min_delta = min_delta
        self.reset()

    def reset(self) -> None:
        """Forget the training before, as `fit` does when it begins."""
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch = 0
        self.weights: dict[str, Any] | None = None

    def __repr__(self) -> str:
        options = ("patience", "monitor", "mode", "min_delta")
        return f"EarlyStopping({', '.join(f'{name}={getattr(self, name)!r}' for name in options)})"

    def __call__(self, run: Run) -> None:
        """Look at the epoch that has just ended."""
        if self.monitor not in run.history:
            raise ValueError(
                f"EarlyStopping: {self.monitor!r} is not in the history, which has {', '.join(run.history)}"
                f"{'; give fit a dev set' if run.dev is None else ''}"
            )
        value = run.history[self.monitor][-1]
        gain = self.best - value if self.mode == "min" else value - self.best
        if gain > self.min_delta:
            self.best, self.best_epoch = value, run.epoch
            self.weights = deepcopy(run.model.state_dict())
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop = f"{self.monitor} was best after epoch {self.best_epoch}: {self.best:.4g}"

    def restore(self, run: Run) -> None:
        """Put the best weights into the model."""
        if self.weights is not None:
            run.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.best, self.best_epoch, self.weights = state["best"], state["best_epoch"], state["weights"]
