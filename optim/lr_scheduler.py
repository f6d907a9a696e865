"""Learning-rate schedules, in PyTorch's numbers: call ``scheduler.step()`` after the optimizer's steps of an epoch."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from numbers import Real
from types import FunctionType
from typing import Any

from optim.optimizer import Optimizer


class LRScheduler:
    """What all schedules share; a new one defines `get_lr`, the rates of all groups in the epoch ``last_epoch``.

    Making a schedule sets the rates of epoch ``last_epoch + 1``: those of the start unless a run is continued.
    ``base_lrs`` are the rates that the optimizer was made with. KeyError if a run is continued with groups that have
    no ``initial_lr``.

    >>> import autodiff as ad, optim
    >>> class Halving(LRScheduler):
    ...     def get_lr(self):
    ...         return [rate / 2**self.last_epoch for rate in self.base_lrs]
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = Halving(optimizer)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"expected an Optimizer to schedule, got {type(optimizer).__name__}")
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"parameter group {index} has no 'initial_lr', which continuing after epoch {last_epoch} needs: "
                    f"load the optimizer's state first, or leave last_epoch at -1 for a new run"
                )
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._last_lr: list[float] = []
        self.step()

    def get_lr(self) -> Sequence[float]:
        """The rate of each group in the epoch ``last_epoch``; every schedule defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no rates: define get_lr(self) in its class")

    def get_last_lr(self) -> list[float]:
        """The rates that this schedule set last, one for each group."""
        return self._last_lr

    def step(self) -> None:
        """Go to the next epoch and set its rates; warns if the optimizer has made no step yet."""
        if self._step_count == 1 and not self.optimizer.step_called:
            warnings.warn(
                "scheduler.step() was called before the first optimizer.step(), so that no step has the first rate of "
                "the schedule: call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self.last_epoch += 1
        rates = [float(rate) for rate in self.get_lr()]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates

    def state_dict(self) -> dict[str, Any]:
        """A copy of all attributes but the optimizer, whose state is saved by its own `state_dict`."""
        return deepcopy({name: value for name, value in vars(self).items() if name != "optimizer"})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; ValueError, and nothing changes, if it is of another schedule."""
        missing = [name for name in vars(self) if name not in state_dict and name != "optimizer" and name[0] != "_"]
        if missing:
            raise ValueError(f"not the state of a {type(self).__name__}: it lacks {missing}")
        if len(state_dict["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"expected base_lrs for {len(self.base_lrs)} parameter groups, "
                f"the loaded state has {len(state_dict['base_lrs'])}"
            )
        vars(self).update(deepcopy(dict(state_dict)))


class _Decay(LRScheduler):
    """Multiplies the rates by ``gamma`` again and again; `decays` says how often in all until an epoch.

    The rates are ``start * gamma**times`` in closed form from the base rates, so that errors do not pile up. Where
    another schedule or the user has set a rate meanwhile, it goes on from there, as PyTorch's does.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int) -> None:
        if not (isinstance(gamma, Real) and 0 <= float(gamma) < math.inf):
            raise ValueError(f"expected gamma, the factor of a decay, to be a finite number >= 0, got {gamma!r}")
        self.gamma: float = gamma
        super().__init__(optimizer, last_epoch)

    def decays(self, epoch: int) -> int:
        """How many decays have happened when `epoch` begins."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if rates != self._last_lr:
            self._start, self._start_decays = rates, self.decays(self.last_epoch - 1)
        factor = self.gamma ** (self.decays(self.last_epoch) - self._start_decays)
        return [rate * factor for rate in self._start]


class StepLR(_Decay):
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
        if not (isinstance(step_size, int) and step_size > 0):
            raise ValueError(f"expected step_size, the epochs between two decays, to be an int > 0, got {step_size!r}")
        self.step_size = step_size
        super().__init__(optimizer, gamma, last_epoch)

    def decays(self, epoch: int) -> int:
        return max(epoch, 0) // self.step_size


class MultiStepLR(_Decay):
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
        self.milestones = Counter(milestones)
        super().__init__(optimizer, gamma, last_epoch)

    def decays(self, epoch: int) -> int:
        return sum(times for milestone, times in self.milestones.items() if milestone <= epoch)


class ExponentialLR(_Decay):
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
        super().__init__(optimizer, gamma, last_epoch)

    def decays(self, epoch: int) -> int:
        return max(epoch, 0)


class LambdaLR(LRScheduler):
    """Sets ``lr = base_lr * lr_lambda(epoch)``, with one function for all groups or a list of one for each.

    ValueError if the list has another length. Functions are not saved with the state, other callable objects are.

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        functions = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        self.lr_lambdas: list[Callable[[int], float]] = functions
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"expected {groups} functions, one for each parameter group, got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [rate * factor(self.last_epoch) for rate, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """A copy of all attributes but the optimizer; for the functions None, for other callables their attributes."""
        attributes = [None if isinstance(f, FunctionType) else deepcopy(vars(f)) for f in self.lr_lambdas]
        saved = {name: value for name, value in vars(self).items() if name not in ("optimizer", "lr_lambdas")}
        return {**deepcopy(saved), "lr_lambdas": attributes}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; the functions stay those that this schedule was made with."""
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = functions
        for function, saved in zip(functions, state_dict["lr_lambdas"], strict=True):
            if saved is not None:
                vars(function).update(saved)
