"""Schedules made of others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from optim.lr_scheduler.plateau import ReduceLROnPlateau
from optim.lr_scheduler.schedule import LRScheduler, present_rates, set_rate
from optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """Keeps the schedules that it steps; `optimizer` is theirs."""

    apart: ClassVar = ("optimizer", "_schedulers")

    def __init__(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]) -> None:
        if not schedulers:
            raise ValueError(f"{type(self).__name__} expected at least one schedule, got none")
        for index, schedule in enumerate(schedulers):
            label = f"schedule {index} of {type(self).__name__}"
            if not isinstance(schedule, LRScheduler):
                raise TypeError(
                    f"{label} is a {type(schedule).__name__}: expected a schedule; LambdaLR makes one of a function"
                )
            if isinstance(schedule, ReduceLROnPlateau):
                raise ValueError(f"{label} is a ReduceLROnPlateau, whose step needs a metric: call its step by itself")
            optimizer = optimizer or schedule.optimizer
            if schedule.optimizer is not optimizer:
                raise ValueError(
                    f"{label}, a {type(schedule).__name__}, belongs to another optimizer: expected one for all"
                )
        self._schedulers = schedulers
        self.optimizer = schedulers[0].optimizer

    def state_dict(self) -> dict[str, Any]:
        """A copy of all attributes but the optimizer, with the states of the schedules under ``_schedulers``."""
        return {**super().state_dict(), "_schedulers": [schedule.state_dict() for schedule in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; ValueError, and nothing changes, if a schedule in it is another."""
        super().load_state_dict(state_dict)
        for schedule, saved in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            schedule.load_state_dict(saved)

    def _check_state(self, state_dict: Mapping[str, Any]) -> None:
        super()._check_state(state_dict)
        saved = state_dict.get("_schedulers", ())
        if len(saved) != len(self._schedulers):
            raise ValueError(
                f"expected the states of {len(self._schedulers)} schedules in that of a {type(self).__name__}, "
                f"got {len(saved) or 'none'}"
            )
        for schedule, state in zip(self._schedulers, saved, strict=True):
            schedule._check_state(state)


class SequentialLR(_Composed):
    """Runs one schedule after the other; each of the epochs in ``milestones`` starts the next, from its own epoch 0.

    ``schedulers`` are made for the same optimizer before. ValueError unless they are one more than the milestones.

    >>> import autodiff as ad, optim
    >>> from optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> warmup, decay = ConstantLR(optimizer, factor=0.25, total_iters=10), ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = SequentialLR(optimizer, [warmup, decay], milestones=[2])
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.25, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR expected one milestone between any two schedules, {len(schedulers) - 1} for "
                f"{len(schedulers)} schedules, got {len(milestones)}"
            )
        for index, schedule in enumerate(schedulers[1:], start=1):
            if isinstance(schedule, _Composed):
                raise NotImplementedError(
                    f"schedule {index} of SequentialLR is a {type(schedule).__name__}, which cannot be started anew at "
                    f"a milestone: only the first may be made of others"
                )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # What the schedules did when they were made is undone, and the first one started again.
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: LRScheduler | None = None) -> None:
        """Take the first epoch back from `sched`, or from all schedules in this one."""
        schedule = sched or self
        if isinstance(schedule, _Composed):
            for inner in schedule._schedulers:
                self.recursive_undo(inner)
        else:
            schedule.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch, and at a milestone to the next schedule."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            schedule._update_lr(0)
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()


class ChainedScheduler(_Composed):
    """Steps several schedules together, so that the rates have the factors of all of them.

    >>> import autodiff as ad, optim
    >>> from optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> warmup, decay = ConstantLR(optimizer, factor=0.25, total_iters=2), ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = ChainedScheduler([warmup, decay], optimizer)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.125, 0.25, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        super().__init__(optimizer, schedulers)
        self._last_lr = present_rates(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch with all schedules."""
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = present_rates(self.optimizer)
