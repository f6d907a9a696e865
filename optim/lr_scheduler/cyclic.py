"""Schedules that go up and down again, with the momentum the other way round (Smith 2017; Smith and Topin 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

from optim.lr_scheduler.schedule import (
    LRScheduler,
    check_optimizer,
    expect,
    for_each_group,
    restore_function,
    saved_function,
    set_rate,
)
from optim.optimizer import Optimizer


class _Cycle(LRScheduler):
    """A schedule that may cycle the momentum too: the option ``momentum``, or the first of the ``betas``."""

    def _start_momentum(
        self, base_momentum: Any, max_momentum: Any, last_epoch: int
    ) -> tuple[list[float], list[float]]:
        """The lowest and highest momentum of each group; ValueError if the optimizer has none."""
        options = self.optimizer.defaults
        if "momentum" not in options and "betas" not in options:
            raise ValueError(
                f"expected an optimizer with momentum or betas to cycle, got {type(self.optimizer).__name__}: "
                f"pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in options
        lows = for_each_group("base_momentum", self.optimizer, base_momentum)
        highs = for_each_group("max_momentum", self.optimizer, max_momentum)
        if last_epoch == -1:
            for group, low, high in zip(self.optimizer.param_groups, lows, highs, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        return lows, highs

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_Cycle):
    """Goes from ``base_lr`` to ``max_lr`` in ``step_size_up`` steps and back in ``step_size_down``, again and again.

    Call its `step` after every batch. All cycles have the same height (``mode="triangular"``), or half that of the one
    before (``"triangular2"``), or it shrinks by ``gamma`` a step (``"exp_range"``), or is multiplied by ``scale_fn`` of
    the cycle's number, from 1, or of the step's if ``scale_mode="iterations"``. The momentum goes from ``max_momentum``
    to ``base_momentum`` and back. Rates and momenta are numbers or lists of one for each group. ValueError for options
    out of range, and if the optimizer has no momentum to cycle. (Smith, WACV 2017)

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], momentum=0.9)
    >>> scheduler = CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> rates = []
    >>> for step in range(6):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
    """

    apart: ClassVar = ("optimizer", "_scale_fn_custom")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = for_each_group("base_lr", optimizer, base_lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        step_size_down = step_size_up if step_size_down is None else step_size_down
        valid = isinstance(step_size_up, Real) and 0 < float(step_size_up) < math.inf
        expect(valid, "step_size_up", "a number of steps > 0", step_size_up)
        valid = isinstance(step_size_down, Real) and 0 <= float(step_size_down) < math.inf
        expect(valid, "step_size_down", "a number of steps >= 0", step_size_down)
        modes = ("triangular", "triangular2", "exp_range")
        expect(scale_fn is not None or mode in modes, "mode, without a scale_fn,", f"one of {modes}", mode)
        expect(scale_mode in ("cycle", "iterations"), "scale_mode", "'cycle' or 'iterations'", scale_mode)
        self.total_size = float(step_size_up) + float(step_size_down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, rate)
        if cycle_momentum:
            lows, highs = self._start_momentum(base_momentum, max_momentum, last_epoch)
            self.base_momentums, self.max_momentums = lows, highs
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a cycle by the number of the cycle, or by that of the step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        scale: float = 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x
        return scale

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=False)
            for group, low, high in momenta:
                self._set_momentum(group, high - (high - low) * height * scale)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """A copy of all attributes but the optimizer; of ``scale_fn`` the attributes, or None if it is a function."""
        return {**super().state_dict(), "_scale_fn_custom": saved_function(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave; ``scale_fn`` stays the one that this schedule was made with."""
        super().load_state_dict(state_dict)
        restore_function(self._scale_fn_custom, state_dict.get("_scale_fn_custom"))


class OneCycleLR(_Cycle):
    """Goes up to ``max_lr`` and down to nearly 0 in one run of ``total_steps``, or ``epochs * steps_per_epoch``.

    Call its `step` after every batch. It starts at ``max_lr / div_factor``, is at ``max_lr`` after the share
    ``pct_start`` of the steps, and ends ``final_div_factor`` below the start; with ``three_phase`` it is at the start
    again after twice that share. The momentum goes from ``max_momentum`` to ``base_momentum`` and back.
    ``anneal_strategy`` is ``"cos"`` or ``"linear"``. ValueError for options out of range, if the optimizer has no
    momentum to cycle, and after more steps. (Smith and Topin 2017)

    >>> import autodiff as ad, optim
    >>> optimizer = optim.SGD([ad.zeros(2, requires_grad=True)], momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.4)
    >>> rates = []
    >>> for step in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     if step < 4:
    ...         scheduler.step()
    >>> [round(rate, 4) for rate in rates]
    [0.04, 1.0, 0.75, 0.25, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        expect(isinstance(pct_start, Real) and 0 <= pct_start <= 1, "pct_start", "a number from 0 to 1", pct_start)
        expect(anneal_strategy in ("cos", "linear"), "anneal_strategy", "'cos' or 'linear'", anneal_strategy)
        for name, factor in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            expect(isinstance(factor, Real) and 0 < factor < math.inf, name, "a number > 0", factor)
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        highest = for_each_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, highest, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._warn_outside_step()
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR was made for {self.total_steps} steps, and was stepped {self.last_epoch} times: "
                f"call its step once a batch, and make it for all batches of all epochs"
            )
        ends = [phase["end_step"] for phase in self._schedule_phases]
        index = next((i for i, end in enumerate(ends) if self.last_epoch <= end), len(ends) - 1)
        phase, start, end = self._schedule_phases[index], ends[index - 1] if index else 0.0, ends[index]
        # A share of the steps so small that the phase has no length ends it at once.
        passed = (self.last_epoch - start) / (end - start) if end != start else 1.0
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], passed))
            if self.cycle_momentum:
                momenta = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._between(*momenta, passed))
        return rates

    def _between(self, start: float, end: float, passed: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * passed + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * passed) + 1)


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given: dict[str, Any] = {"total_steps": total_steps}
    if total_steps is None:
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        if None in given.values():
            raise ValueError("OneCycleLR expected total_steps, or epochs and steps_per_epoch")
    for name, steps in given.items():
        expect(isinstance(steps, Integral) and int(steps) > 0, name, "an integer > 0", steps)
    return math.prod(given.values())


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """Each with its last step, and what the rates and momenta are at its start and end."""
    peak, end = float(pct_start * total_steps) - 1, total_steps - 1
    rows: list[tuple[Any, ...]] = [
        (peak, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
        (end, "max_lr", "min_lr", "base_momentum", "max_momentum"),
    ]
    if three_phase:
        rows[1:] = [
            (float(2 * pct_start * total_steps) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
            (end, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
        ]
    names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    return [dict(zip(names, row, strict=True)) for row in rows]
