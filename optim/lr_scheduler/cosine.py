"""Schedules along half a wave of the cosine (Loshchilov and Hutter, "SGDR", ICLR 2017)."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from optim.lr_scheduler.schedule import LRScheduler, expect, present_rates
from optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Takes the rates to ``eta_min`` in ``T_max`` epochs, and back, along a cosine.

    ``lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2``. Each rate follows from the one before,
    as in PyTorch, so that another schedule or the user may change it meanwhile. ValueError unless ``T_max`` > 0.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=4)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        valid = isinstance(T_max, Real) and 0 < float(T_max) < math.inf
        expect(valid, "T_max, the epochs of the decay,", "a finite number > 0", T_max)
        _check_eta_min(eta_min)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        rates, epoch = present_rates(self.optimizer), self.last_epoch
        if self._is_initial:
            return rates
        if self._step_count == 1 and epoch > 0:
            return [_cosine(self.eta_min, rate, epoch * math.pi / self.T_max) for rate in self.base_lrs]
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # One epoch after the lowest rate, from which no factor leads up again.
            rise = 1 - math.cos(math.pi / self.T_max)
            steps = [(base - self.eta_min) * rise / 2 for base in self.base_lrs]
            return [rate + step for rate, step in zip(rates, steps, strict=False)]
        ratio = (1 + math.cos(math.pi * epoch / self.T_max)) / (1 + math.cos(math.pi * (epoch - 1) / self.T_max))
        return [ratio * (rate - self.eta_min) + self.eta_min for rate in rates]

    def _get_closed_form_lr(self) -> list[float]:
        return [_cosine(self.eta_min, rate, math.pi * self.last_epoch / self.T_max) for rate in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Takes the rates to ``eta_min`` in ``T_0`` epochs, again and again, in cycles each ``T_mult`` times as long.

    ``lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2``, when ``T_cur`` epochs of a cycle of
    ``T_i`` have passed. ValueError unless ``T_0`` and ``T_mult`` are integers > 0.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> rates = []
    >>> for epoch in range(7):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        expect(isinstance(T_0, Integral) and T_0 > 0, "T_0, the epochs of the first cycle,", "an integer > 0", T_0)
        expect(isinstance(T_mult, Integral) and T_mult > 0, "T_mult, the growth of a cycle,", "an integer > 0", T_mult)
        _check_eta_min(eta_min)
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        return [_cosine(self.eta_min, rate, math.pi * self.T_cur / self.T_i) for rate in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go to the next epoch, or to `epoch`, which may lie between two: ``epoch + batch / batches``.

        ValueError for a negative one.
        """
        if epoch is None and (self._is_initial or self.last_epoch < 0):
            epoch = max(self.last_epoch + 1, 0)
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            expect(epoch >= 0, "epoch", "a number >= 0", epoch)
            self.T_cur, self.T_i = self._place(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_rates(self.get_lr)

    def _place(self, epoch: float) -> tuple[float, int]:
        """How far `epoch` is into its cycle, and the length of that cycle."""
        if self.T_mult == 1:
            return epoch % self.T_0, self.T_0
        start, length = 0, self.T_0
        while epoch >= start + length:
            start, length = start + length, length * self.T_mult
        return epoch - start, length


def _cosine(low: float, high: float, angle: float) -> float:
    return low + (high - low) * (1 + math.cos(angle)) / 2


def _check_eta_min(eta_min: Any) -> None:
    valid = isinstance(eta_min, Real) and math.isfinite(eta_min)
    expect(valid, "eta_min, the lowest rate,", "a finite number", eta_min)
