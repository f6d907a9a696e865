"""The base of every schedule: the epochs it counts, the rates it sets, saving and loading."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from types import FunctionType
from typing import Any, ClassVar

from autodiff.grad_mode import no_grad
from autodiff.tensor import Tensor
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

    # The attributes that are no part of the state, or have a form of their own there.
    apart: ClassVar[tuple[str, ...]] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"parameter group {index} has no 'initial_lr', which continuing after epoch {last_epoch} needs: "
                    f"load the optimizer's state first, or leave last_epoch at -1 for a new run"
                )
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._last_lr: list[float] = []
        self._get_lr_called_within_step = False
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates of the first epoch; `get_lr` sees ``_is_initial``."""
        self._step_count, self._is_initial = 0, True
        self.step()
        self._is_initial = False

    def get_lr(self) -> Sequence[float]:
        """The rate of each group in the epoch ``last_epoch``; every schedule defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no rates: define get_lr(self) in its class")

    def get_last_lr(self) -> list[float]:
        """The rates that this schedule set last, one for each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch and set its rates; warns if the optimizer has made no step yet.

        Going to another `epoch` warns too, as in PyTorch: there the closed form of a schedule that has one takes the
        place of the rates that others have set.
        """
        # Before epoch 0 is the schedule inside a SequentialLR that takes its first step back.
        if self._step_count == 1 and self.last_epoch >= 0 and not self.optimizer.step_called:
            warnings.warn(
                "scheduler.step() was called before the first optimizer.step(), so that no step has the first rate of "
                "the schedule: call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        if epoch is not None:
            warnings.warn("scheduler.step(epoch) is going away: call scheduler.step()", UserWarning, stacklevel=2)
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed_form: Callable[[], Sequence[float]] = getattr(self, "_get_closed_form_lr", self.get_lr)
        self._set_rates(self.get_lr if epoch is None else closed_form)

    def _set_rates(self, compute: Callable[[], Sequence[float]]) -> None:
        """Give the groups the rates that `compute` returns; ValueError unless there is one for each."""
        self._get_lr_called_within_step = True
        try:
            rates = compute()
        finally:
            self._get_lr_called_within_step = False
        groups = self.optimizer.param_groups
        if len(rates) != len(groups):
            raise ValueError(
                f"{type(self).__name__} has rates for {len(rates)} parameter groups, the optimizer has {len(groups)}: "
                f"make the schedule after the last add_param_group"
            )
        for group, rate in zip(groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = present_rates(self.optimizer)

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "get_lr() computes the rates of the next epoch from those that stand in the optimizer: "
                "call get_last_lr() for the rates that the schedule set last",
                UserWarning,
                stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """A copy of all attributes but the optimizer, whose state is saved by its own `state_dict`."""
        return deepcopy({name: value for name, value in vars(self).items() if name not in self.apart})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; ValueError, and nothing changes, if it is of another schedule.

        The rates themselves are the optimizer's: make the schedule first, then load the states of both.
        """
        self._check_state(state_dict)
        vars(self).update(deepcopy({name: value for name, value in state_dict.items() if name not in self.apart}))

    def _check_state(self, state_dict: Mapping[str, Any]) -> None:
        """ValueError unless `state_dict` is of such a schedule, for as many groups."""
        missing = [name for name in vars(self) if name not in state_dict and name != "optimizer" and name[0] != "_"]
        if missing:
            raise ValueError(f"not the state of a {type(self).__name__}: it lacks {missing}")
        for name in ("base_lrs", "min_lrs"):
            expected, got = len(getattr(self, name, ())), len(state_dict.get(name, ()))
            if expected != got:
                raise ValueError(
                    f"expected {name} for {expected} parameter groups, the loaded state has {got or 'none'}"
                )


def check_optimizer(optimizer: Any) -> None:
    """TypeError unless `optimizer` is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"expected an Optimizer to schedule, got {type(optimizer).__name__}")


def present_rates(optimizer: Optimizer) -> list[float]:
    """The rates that stand in the groups of `optimizer`, as numbers."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Give `group` the learning rate, in place where it has a tensor for it."""
    if isinstance(group["lr"], Tensor):
        with no_grad():
            group["lr"].fill_(float(rate))
    else:
        group["lr"] = float(rate)


def expect(valid: bool, name: str, expected: str, value: Any) -> None:
    """ValueError that says what was expected of the option `name` unless its value is valid."""
    if not valid:
        raise ValueError(f"expected {name} to be {expected}, got {value!r}")


def for_each_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """`value` for every parameter group, or the list that it is; ValueError, naming the option, for another length."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"expected {groups} values of {name}, one for each parameter group, got {len(value)}")
    return list(value)


def saved_function(function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """What a state keeps of a function that a schedule was made with: None, or the attributes of a callable object."""
    return None if isinstance(function, FunctionType) else deepcopy(getattr(function, "__dict__", None))


def restore_function(function: Callable[..., Any] | None, saved: Mapping[str, Any] | None) -> None:
    """Give `function` the attributes that `saved_function` kept."""
    if saved is not None:
        vars(function).update(deepcopy(dict(saved)))
