"""The state of a training: what callbacks see, and what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autodiff.data import DataLoader
from autodiff.training.history import History
from autodiff.training.random_streams import RandomStreams
from autodiff.training.scores import Means, Metric
from optim import Optimizer
from optim.lr_scheduler import LRScheduler

# A plain function; one that has state_dict() and load_state_dict() is part of a checkpoint.
Callback = Callable[["Run"], Any]


@dataclass(eq=False)
class Run:
    """A training in progress, as the functions `after_step` and `after_epoch` of `fit` see it.

    `epoch` counts the epochs that have ended, `step` the steps of the optimizer, `batch` the batches taken of the
    present epoch, of `batches` (None for a stream). A callback ends the training by setting `stop` to the reason.
    """

    model: Any
    loss: Callable[[Any, Any], Any]
    optimizer: Optimizer
    train: DataLoader
    dev: DataLoader | None
    epochs: int
    metrics: dict[str, Metric]
    schedule: LRScheduler | None
    schedule_each: str
    clip_norm: float | None
    clip_value: float | None
    accumulate: int
    early_stopping: Any
    after_step: Sequence[Callback]
    after_epoch: Sequence[Callback]
    history: History = field(default_factory=History)
    means: Means = field(default_factory=Means)
    epoch: int = 0
    step: int = 0
    batch: int = 0
    batches: int | None = None
    stop: str = ""

    def __post_init__(self) -> None:
        self.streams = RandomStreams([self.train] if self.dev is None else [self.train, self.dev])
        # Where they were when the present epoch began.
        self.streams_before_epoch: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        """Whether the last epoch has ended, or a callback said stop."""
        return bool(self.stop) or self.epoch >= self.epochs

    @property
    def parameters(self) -> list[Any]:
        """What the optimizer trains."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @property
    def rate(self) -> float:
        """The learning rate of the first group of parameters."""
        return float(self.optimizer.param_groups[0]["lr"])

    def _stateful(self) -> dict[str, Any]:
        """All that has a state, by its name in a checkpoint."""
        parts = {"model": self.model, "optimizer": self.optimizer, "history": self.history}
        if self.schedule is not None:
            parts["schedule"] = self.schedule
        if self.early_stopping is not None:
            parts["early_stopping"] = self.early_stopping
        for kind in ("after_step", "after_epoch"):
            for number, callback in enumerate(getattr(self, kind)):
                if hasattr(callback, "state_dict"):
                    parts[f"{kind}.{number}"] = callback
        return parts

    def _shape(self) -> dict[str, Any]:
        """What must be the same in the run that goes on, for the rest of it to mean anything."""
        kinds = {name: type(part).__name__ for name, part in self._stateful().items() if name != "model"}
        options = {name: getattr(self, name) for name in ("schedule_each", "clip_norm", "clip_value", "accumulate")}
        return {**kinds, "batches": self.batches, "batch_size": self.train.batch_size, **options}

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on."""
        return {
            **{name: part.state_dict() for name, part in self._stateful().items()},
            "frozen": [name for name, p in self.model.named_parameters() if not p.requires_grad],
            "shape": self._shape(),
            "counts": {"epoch": self.epoch, "step": self.step, "batch": self.batch},
            "stop": self.stop,
            "means": {"count": self.means.count, "sums": self.means.sums},
            "streams": self.streams.state_dict(),
            "streams_before_epoch": self.streams_before_epoch,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave; ValueError if it is of another training, RuntimeError of another model."""
        own, saved = self._shape(), state["shape"]
        for name in {**own, **saved}:
            if own.get(name) != saved.get(name):
                raise ValueError(
                    f"it is of another training: {name} was {saved.get(name)!r} there and is {own.get(name)!r} here"
                )
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        for name, p in self.model.named_parameters():
            p.requires_grad_(name not in state["frozen"])
        self.epoch, self.step, self.batch = (state["counts"][name] for name in ("epoch", "step", "batch"))
        self.stop = state["stop"]
        self.means.count, self.means.sums = state["means"]["count"], dict(state["means"]["sums"])
        self.streams_before_epoch = state["streams_before_epoch"]
        self.streams.load_state_dict(state["streams"])
