"""Rows of docs/differences.md about schedules: what happens here. The functions are named after the rows."""

from collections.abc import Callable
from typing import Any

import pytest

import autodiff as ad
import optim
from optim import lr_scheduler


def optimizer() -> optim.Optimizer:
    made = optim.SGD([ad.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    made.step()
    return made


def test_options_of_schedules() -> None:
    wrong: list[Callable[[Any], Any]] = [
        lambda o: lr_scheduler.StepLR(o, 0),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 0),
        lambda o: lr_scheduler.ConstantLR(o, 0.0),
        lambda o: lr_scheduler.LinearLR(o, total_iters=0),
        lambda o: lr_scheduler.ConstantLR(o, total_iters=2.5),
        lambda o: lr_scheduler.ExponentialLR(o, -0.5),
    ]
    for make in wrong:
        with pytest.raises(ValueError, match=r"expected .* got"):
            make(optimizer())


def test_one_cycle_from_the_top() -> None:
    schedule = lr_scheduler.OneCycleLR(optimizer(), 0.5, total_steps=10, pct_start=0.1)
    assert schedule.get_last_lr() == [0.5]
    schedule.step()
    assert 0.4 < schedule.get_last_lr()[0] < 0.5


def test_warm_restarts() -> None:
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), T_0=1, T_mult=3)
    schedule.step(121)
    assert (schedule.T_cur, schedule.T_i, schedule.get_last_lr()) == (0, 243, [1.0])

    whole = lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), T_0=10, T_mult=2)
    for _ in range(27):
        whole.step()
    later = optimizer()
    later.param_groups[0]["initial_lr"] = 1.0
    continued = lr_scheduler.CosineAnnealingWarmRestarts(later, T_0=10, T_mult=2, last_epoch=26)
    for _ in range(50):
        assert continued.get_last_lr() == whole.get_last_lr()
        whole.step()
        continued.step()


def test_schedules_made_of_others() -> None:
    own = optimizer()
    steps = lr_scheduler.StepLR(own, 3)
    for inner in (
        lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(own, 3)]),
        lr_scheduler.SequentialLR(own, [lr_scheduler.StepLR(own, 3)], []),
    ):
        with pytest.raises(NotImplementedError, match="only the first may be made of others"):
            lr_scheduler.SequentialLR(own, [steps, inner], milestones=[2])


def test_states_of_other_schedules() -> None:
    own = optimizer()
    schedule = lr_scheduler.MultiStepLR(own, [1])
    with pytest.raises(ValueError, match="not the state of a MultiStepLR"):
        schedule.load_state_dict(lr_scheduler.StepLR(own, 3).state_dict())
    assert schedule.state_dict()["milestones"] is not schedule.milestones


def test_rates_of_tensors() -> None:
    optimizer = optim.SGD([ad.ones(1, requires_grad=True)], lr=ad.tensor(0.5))
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    assert type(schedule.get_last_lr()[0]) is type(optimizer.param_groups[0]["initial_lr"]) is float
