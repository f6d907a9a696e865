"""Schedules given by a plain function of the epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from optim.lr_scheduler.schedule import LRScheduler, for_each_group, present_rates, restore_function, saved_function
from optim.optimizer import Optimizer

EpochFunction = Callable[[int], float]


class LambdaLR(LRScheduler):
    """Sets ``lr = base_lr * lr_lambda(epoch)``, with one function for all groups or a list of one for each.

    ValueError if the list has another length, TypeError for what cannot be called. Functions are not saved with the
    state, other callable objects are.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    apart: ClassVar = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: EpochFunction | Sequence[EpochFunction],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas: list[EpochFunction] = for_each_group("lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"expected lr_lambda to be a function of the epoch, got {function!r}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        return [rate * factor(self.last_epoch) for rate, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """A copy of all attributes but the optimizer; for the functions None, for other callables their attributes."""
        return {**super().state_dict(), "lr_lambdas": [saved_function(function) for function in self.lr_lambdas]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; the functions stay those that this schedule was made with."""
        super().load_state_dict(state_dict)
        for function, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            restore_function(function, saved)


class MultiplicativeLR(LambdaLR):
    """Multiplies the rates by ``lr_lambda(epoch)`` in every epoch but the first.

    With one function for all groups or a list of one for each; errors and state as of `LambdaLR`.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = MultiplicativeLR(optimizer, lambda epoch: 0.5 if epoch < 3 else 1.0)
    >>> for epoch in range(5):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        rates = present_rates(self.optimizer)
        if self._is_initial:
            return rates
        return [rate * factor(self.last_epoch) for rate, factor in zip(rates, self.lr_lambdas, strict=False)]
