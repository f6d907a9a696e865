"""Schedules that multiply all rates by a factor, which follows from the epoch."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from numbers import Real
from typing import Any

from optim.lr_scheduler.schedule import LRScheduler, expect, present_rates
from optim.optimizer import Optimizer


class _Factor(LRScheduler):
    """Multiplies the rates that stand in the optimizer, so that it goes together with other schedules and the user.

    The factors are computed as PyTorch computes them, so that the rates are PyTorch's bit for bit; they differ from
    the closed form by the roundings of as many products.
    """

    def ratio(self) -> float:
        """The rates of the epoch ``last_epoch`` by those of the epoch before."""
        raise NotImplementedError

    def product(self) -> float:
        """The rates of the epoch ``last_epoch`` by the base rates, in closed form."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        ratio = self.ratio()
        return [rate * ratio for rate in present_rates(self.optimizer)]

    def _get_closed_form_lr(self) -> list[float]:
        product = self.product()
        return [rate * product for rate in self.base_lrs]


def _check_gamma(gamma: Any) -> None:
    valid = isinstance(gamma, Real) and 0 <= float(gamma) < math.inf
    expect(valid, "gamma, the factor of a decay,", "a finite number >= 0", gamma)


def _check_epochs(name: str, epochs: Any) -> None:
    # Of 0 epochs, or of 2.5, PyTorch never notices the end, and the rate stays that of the start.
    expect(isinstance(epochs, Real) and float(epochs) > 0 and epochs % 1 == 0, name, "a whole number > 0", epochs)


class StepLR(_Factor):
    """Multiplies the rates by ``gamma`` every ``step_size`` epochs: ``lr = base_lr * gamma ** (epoch // step_size)``.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        _check_epochs("step_size, the epochs between two decays,", step_size)
        _check_gamma(gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return 1.0 if self.last_epoch == 0 or self.last_epoch % self.step_size else self.gamma

    def product(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_Factor):
    """Multiplies the rates by ``gamma`` at each of the epochs in ``milestones``, twice at one that is named twice.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        _check_gamma(gamma)
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch]

    def product(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ExponentialLR(_Factor):
    """Multiplies the rates by ``gamma`` every epoch: ``lr = base_lr * gamma ** epoch``.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        _check_gamma(gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return 1.0 if self._is_initial else self.gamma

    def product(self) -> float:
        return self.gamma**self.last_epoch


class ConstantLR(_Factor):
    """Multiplies the rates by ``factor`` for the first ``total_iters`` epochs.

    ValueError unless 0 < factor <= 1.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = ConstantLR(optimizer, factor=0.25, total_iters=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.25, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        # From a rate of 0 no factor leads back.
        expect(isinstance(factor, Real) and 0 < factor <= 1, "factor", "a number > 0 and <= 1", factor)
        _check_epochs("total_iters", total_iters)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0

    def product(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(_Factor):
    """Takes a factor of the rates from ``start_factor`` to ``end_factor``, in ``total_iters`` equal steps.

    ValueError unless 0 < start_factor <= 1 and 0 <= end_factor <= 1.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        valid = isinstance(start_factor, Real) and 0 < start_factor <= 1
        expect(valid, "start_factor", "a number > 0 and <= 1", start_factor)
        expect(isinstance(end_factor, Real) and 0 <= end_factor <= 1, "end_factor", "a number from 0 to 1", end_factor)
        _check_epochs("total_iters", total_iters)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        change = self.end_factor - self.start_factor
        return 1.0 + change / (self.total_iters * self.start_factor + (self.last_epoch - 1) * change)

    def product(self) -> float:
        change = self.end_factor - self.start_factor
        return self.start_factor + change * min(self.total_iters, self.last_epoch) / self.total_iters


class PolynomialLR(_Factor):
    """Decays the rates to 0 in ``total_iters`` epochs: ``lr = base_lr * (1 - epoch / total_iters) ** power``.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        _check_epochs("total_iters", total_iters)
        expect(isinstance(power, Real) and 0 <= power < math.inf, "power", "a finite number >= 0", power)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        left, left_before = 1.0 - self.last_epoch / self.total_iters, 1.0 - (self.last_epoch - 1) / self.total_iters
        ratio: float = (left / left_before) ** self.power
        return ratio

    def product(self) -> float:
        product: float = (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power
        return product
