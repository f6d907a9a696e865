"""Rows of docs/differences.md about schedules: what PyTorch does there. The functions are named after the rows."""

import pytest
import torch
from torch.optim import lr_scheduler

pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)


def test_options_of_schedules() -> None:
    for make in (
        lambda o: lr_scheduler.StepLR(o, 0),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 0),
        lambda o: lr_scheduler.ConstantLR(o, 0.0, total_iters=1),
    ):
        schedule = make(optimizer())
        with pytest.raises(ZeroDivisionError):
            schedule.step()
    for make, rate in (
        (lambda o: lr_scheduler.LinearLR(o, 0.5, total_iters=0), 0.5),
        (lambda o: lr_scheduler.ConstantLR(o, 0.5, total_iters=2.5), 0.5),
        (lambda o: lr_scheduler.ExponentialLR(o, -1.0), -1.0),
    ):
        schedule = make(optimizer())
        for _ in range(9):
            schedule.step()
        assert schedule.get_last_lr() == [rate]


def test_one_cycle_from_the_top() -> None:
    with pytest.raises(ZeroDivisionError):
        lr_scheduler.OneCycleLR(optimizer(), 0.5, total_steps=10, pct_start=0.1)


def test_warm_restarts() -> None:
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), T_0=1, T_mult=3)
    schedule.step(121)
    assert (schedule.T_cur, schedule.T_i, schedule.get_last_lr()) == (81, 81, [0.0])

    whole = lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), T_0=10, T_mult=2)
    for _ in range(27):
        whole.step()
    later = optimizer()
    later.param_groups[0]["initial_lr"] = 1.0
    continued = lr_scheduler.CosineAnnealingWarmRestarts(later, T_0=10, T_mult=2, last_epoch=26)
    assert (whole.T_cur, continued.T_cur) == (17, 7)


def test_schedules_made_of_others() -> None:
    own = optimizer()
    chain = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(own, 3)])
    schedule = lr_scheduler.SequentialLR(own, [lr_scheduler.StepLR(own, 3), chain], milestones=[2])
    schedule.step()
    with pytest.raises(NotImplementedError):
        schedule.step()


def test_states_of_other_schedules() -> None:
    own = optimizer()
    schedule = lr_scheduler.MultiStepLR(own, [1])
    schedule.load_state_dict(lr_scheduler.StepLR(own, 3).state_dict())
    assert schedule.state_dict()["milestones"] is schedule.milestones


def test_rates_of_tensors() -> None:
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=torch.tensor(0.5))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    assert type(schedule.get_last_lr()[0]) is type(optimizer.param_groups[0]["initial_lr"]) is torch.Tensor
