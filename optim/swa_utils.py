"""The schedule of stochastic weight averaging; the average itself is `nn.AveragedModel`."""

from __future__ import annotations

import math
from numbers import Integral

from optim.lr_scheduler.schedule import LRScheduler, check_optimizer, expect, for_each_group, present_rates
from optim.optimizer import Optimizer


class SWALR(LRScheduler):
    """Takes the rates to ``swa_lr`` in ``anneal_epochs`` epochs and keeps them there (Izmailov et al., UAI 2018).

    ``swa_lr`` is a number or a list of one for each group; ``anneal_strategy`` is ``"cos"`` or ``"linear"``. ValueError
    for options out of range.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.75, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        expect(anneal_strategy in ("cos", "linear"), "anneal_strategy", "'cos' or 'linear'", anneal_strategy)
        valid = isinstance(anneal_epochs, Integral) and anneal_epochs >= 0
        expect(valid, "anneal_epochs", "an integer >= 0", anneal_epochs)
        rates = for_each_group("swa_lr", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for rate, group in zip(present_rates(self.optimizer), self.optimizer.param_groups, strict=True):
            goal = group["swa_lr"]
            # Back to the rate of the start, which another schedule may have changed, and on from there.
            start = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates

    def _share(self, step: int) -> float:
        """How much of the way to ``swa_lr`` is done after `step` steps, from 0 to 1."""
        passed = max(0, min(1, step / max(1, self.anneal_epochs)))
        return passed if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * passed)) / 2
