"""The schedule that looks at what the training has reached."""

from __future__ import annotations

import math
import warnings
from numbers import Real
from typing import SupportsFloat

from optim.lr_scheduler.schedule import LRScheduler, check_optimizer, expect, for_each_group, present_rates, set_rate
from optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rates by ``factor`` when a metric has not become better for more than ``patience`` epochs.

    Better means smaller than the best so far by the share ``threshold`` of it, or by ``threshold`` itself with
    ``threshold_mode="abs"``; larger with ``mode="max"``. After a reduction ``cooldown`` epochs are not counted. Rates
    stay at ``min_lr`` or more, and changes up to ``eps`` are not made. ValueError for options out of range.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in (0.9, 0.5, 0.6, 0.5):
    ...     optimizer.step()
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer(optimizer)
        expect(isinstance(factor, Real) and 0 <= factor < 1, "factor", "a number >= 0 and < 1", factor)
        expect(mode in ("min", "max"), "mode", "'min' or 'max'", mode)
        expect(threshold_mode in ("rel", "abs"), "threshold_mode", "'rel' or 'abs'", threshold_mode)
        for name, epochs in (("patience", patience), ("cooldown", cooldown)):
            expect(isinstance(epochs, Real) and epochs >= 0, name, "a number of epochs >= 0", epochs)
        self.optimizer = optimizer
        self.min_lrs = for_each_group("min_lr", optimizer, min_lr)
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.factor = factor
        self.patience = patience
        self.cooldown = cooldown
        self.cooldown_counter = 0
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = present_rates(optimizer)
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs are not counted, because the rates were reduced shortly before."""
        return self.cooldown_counter > 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Go to the next epoch, and reduce the rates if `metrics`, a number, has not become better for too long."""
        current = float(metrics)
        if epoch is not None:
            warnings.warn("scheduler.step(metric, epoch) is going away: leave the epoch out", UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = present_rates(self.optimizer)

    def _is_better(self, current: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "rel":
            goal = self.best * (1.0 - sign * self.threshold)
        else:
            goal = self.best - sign * self.threshold
        return current < goal if self.mode == "min" else current > goal

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"expected a min_lr for each of the {len(groups)} parameter groups, got {len(self.min_lrs)}: "
                    f"a group was added since; append its own to the min_lrs of the schedule"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, lowest in zip(groups, self.min_lrs, strict=True):
            before = float(group["lr"])
            rate = max(before * self.factor, lowest)
            if before - rate > self.eps:
                set_rate(group, rate)
