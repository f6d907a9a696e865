"""The rates that schedules set, alone, together and after loading."""

import math
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
import optim
from autodiff.tensor import Tensor
from optim import lr_scheduler
from optim.swa_utils import SWALR

Schedule = lr_scheduler.LRScheduler
Make = Callable[[optim.Optimizer], Schedule]

# Each with the rate of an epoch, by that of the start.
FORMS: dict[str, tuple[Make, Callable[[int], float]]] = {
    "StepLR": (lambda o: lr_scheduler.StepLR(o, 3, gamma=0.3), lambda epoch: 0.3 ** (epoch // 3)),
    "MultiStepLR": (
        lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 5, 9], gamma=0.5),
        lambda epoch: 0.5 ** sum(epoch >= milestone for milestone in (2, 5, 5, 9)),
    ),
    "ExponentialLR": (lambda o: lr_scheduler.ExponentialLR(o, 0.9), lambda epoch: 0.9**epoch),
    "LambdaLR": (lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)), lambda epoch: 1 / (1 + epoch)),
    "MultiplicativeLR": (lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.5), lambda epoch: 0.5**epoch),
    "ConstantLR": (lambda o: lr_scheduler.ConstantLR(o, 0.3, 4), lambda epoch: 0.3 if epoch < 4 else 1.0),
    "LinearLR": (
        lambda o: lr_scheduler.LinearLR(o, 0.2, 0.9, 10),
        lambda epoch: 0.2 + 0.7 * min(epoch, 10) / 10,
    ),
    "PolynomialLR": (
        lambda o: lr_scheduler.PolynomialLR(o, 30, 2.0),
        lambda epoch: (1 - min(epoch, 30) / 30) ** 2,
    ),
    "CosineAnnealingLR": (
        lambda o: lr_scheduler.CosineAnnealingLR(o, 12),
        lambda epoch: (1 + math.cos(math.pi * epoch / 12)) / 2,
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 12),
        lambda epoch: (1 + math.cos(math.pi * (epoch % 12) / 12)) / 2,
    ),
    "SWALR": (lambda o: SWALR(o, 0.0, 10, "linear"), lambda epoch: 1 - min(epoch, 10) / 10),
}


def sequence(o: optim.Optimizer) -> Schedule:
    warmup, decay = lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.CosineAnnealingLR(o, 20)
    return lr_scheduler.SequentialLR(o, [warmup, decay, lr_scheduler.ExponentialLR(o, 0.9)], [5, 15])


def chain(o: optim.Optimizer) -> Schedule:
    return lr_scheduler.ChainedScheduler([sequence(o), lr_scheduler.StepLR(o, 4, 0.5), FORMS["MultiplicativeLR"][0](o)])


SCHEDULES: dict[str, Make] = {
    **{name: make for name, (make, _) in FORMS.items()},
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, [0.5, 0.7], 4, 7, mode="triangular2"),
    "CyclicLR by steps": lambda o: lr_scheduler.CyclicLR(o, [0.1, 0.2], 0.5, 3, mode="exp_range", gamma=0.9),
    "CyclicLR of its own scale": lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.5, 3, scale_fn=lambda cycle: 1 / cycle),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, [0.5, 0.1], epochs=5, steps_per_epoch=9, three_phase=True),
    "SWALR on a cosine": lambda o: SWALR(o, [0.05, 0.1], 12),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1, min_lr=1e-3),
    "SequentialLR": sequence,
    "ChainedScheduler": chain,
    "SequentialLR of a chain": lambda o: lr_scheduler.SequentialLR(o, [chain(o), FORMS["StepLR"][0](o)], [20]),
}


def new_optimizer(*rates: float) -> optim.Optimizer:
    groups = [{"params": ad.zeros(2, requires_grad=True), "lr": rate} for rate in rates or (0.8,)]
    return optim.SGD(groups)


def rates(optimizer: optim.Optimizer, *schedules: Schedule, epochs: int = 12) -> list[list[float]]:
    """The rates of the groups in `epochs` epochs from now on."""
    seen = []
    for _ in range(epochs):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        for schedule in schedules:
            schedule.step()
    return seen


@pytest.mark.parametrize("name", FORMS)
def test_rates_are_the_closed_form(name: str) -> None:
    make, factor = FORMS[name]
    optimizer = new_optimizer(0.8, 0.01)
    schedule = make(optimizer)
    expected = [[0.8 * factor(epoch), 0.01 * factor(epoch)] for epoch in range(101)]
    # Most follow from the rate before, so that 100 roundings add up.
    np.testing.assert_allclose(rates(optimizer, schedule, epochs=100), expected[:100], rtol=2e-14, atol=1e-16)
    np.testing.assert_allclose(schedule.get_last_lr(), expected[100], rtol=2e-14, atol=1e-16)
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.8, 0.01]


def test_schedules_that_multiply_can_be_combined() -> None:
    optimizer = new_optimizer()
    schedules = [FORMS[name][0](optimizer) for name in ("ExponentialLR", "MultiStepLR", "StepLR")]
    factors = [FORMS[name][1] for name in ("ExponentialLR", "MultiStepLR", "StepLR")]
    for epoch, (rate,) in enumerate(rates(optimizer, *schedules, epochs=30)):
        expected = 0.8 * factors[0](epoch) * factors[1](epoch) * factors[2](epoch)
        assert rate == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "ExponentialLR"])
def test_a_rate_that_the_user_sets_is_decayed_from_there(name: str) -> None:
    make, factor = FORMS[name]
    optimizer = new_optimizer(0.8, 0.1)
    schedule = make(optimizer)
    rates(optimizer, schedule, epochs=4)
    optimizer.param_groups[0]["lr"] = 5.0
    for epoch, (first, second) in enumerate(rates(optimizer, schedule), start=4):
        assert first == pytest.approx(5.0 * factor(epoch) / factor(4), rel=1e-14)
        assert second == pytest.approx(0.1 * factor(epoch), rel=1e-14)


class Run:
    """Training of two parameters, of which every step depends on all steps before, at rates of their own."""

    def __init__(self, make: Make, name: str) -> None:
        params = [ad.tensor([0.3, -1.2], dtype=ad.float64, requires_grad=True) for _ in range(2)]
        options = {"momentum": 0.9} if name == "SGD" else {}
        groups = [{"params": p, "lr": rate} for p, rate in zip(params, (0.3, 0.1), strict=True)]
        self.params: list[Tensor] = params
        self.optimizer = getattr(optim, name)(groups, **options)
        self.schedule = make(self.optimizer)

    def train(self, steps: int) -> list[Any]:
        """What every step was made with, and led to."""
        seen = []
        for _ in range(steps):
            loss = sum(((p * p).sum() + p.cos().sum() for p in self.params), ad.zeros(()))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            groups = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
            seen.append((deepcopy(groups), [p.tolist() for p in self.params]))
            if isinstance(self.schedule, lr_scheduler.ReduceLROnPlateau):
                self.schedule.step(loss.item())
            else:
                self.schedule.step()
        return seen


@given(st.sampled_from(sorted(SCHEDULES)), st.sampled_from(("SGD", "Adam")), st.integers(0, 22), st.integers(1, 22))
def test_a_run_that_was_saved_goes_on_bit_for_bit(name: str, optimizer: str, before: int, after: int) -> None:
    make = SCHEDULES[name]
    whole = Run(make, optimizer).train(before + after)

    first = Run(make, optimizer)
    first.train(before)
    file = pickle.dumps((first.params, first.optimizer.state_dict(), first.schedule.state_dict()))

    second = Run(make, optimizer)
    params, optimizer_state, schedule_state = pickle.loads(file)
    for p, saved in zip(second.params, params, strict=True):
        p.data.copy_(saved.data)
    second.optimizer.load_state_dict(optimizer_state)
    second.schedule.load_state_dict(schedule_state)
    assert second.train(after) == whole[before:]
    assert second.schedule.state_dict().keys() == schedule_state.keys()


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_saved_state_is_a_copy(name: str) -> None:
    run = Run(SCHEDULES[name], "SGD")
    run.train(3)
    saved = run.schedule.state_dict()
    before = pickle.dumps(saved)
    run.train(7)
    other = Run(SCHEDULES[name], "SGD")
    other.schedule.load_state_dict(saved)
    other.train(3)
    assert pickle.dumps(saved) == before


def continued(optimizer: optim.Optimizer, name: str) -> Schedule:
    options: dict[str, tuple[Any, ...]] = {
        "StepLR": (3, 0.3),
        "MultiStepLR": ([2, 6, 6, 9], 0.5),
        "ExponentialLR": (0.9,),
        "LambdaLR": (FORMS["LambdaLR"][1],),
        "LinearLR": (0.2, 0.9, 10),
        "PolynomialLR": (30, 2.0),
        "CosineAnnealingLR": (12,),
        "CosineAnnealingWarmRestarts": (12,),
    }
    return getattr(lr_scheduler, name)(optimizer, *options[name], last_epoch=3)


@pytest.mark.parametrize(
    "name", [name for name in FORMS if name not in ("MultiplicativeLR", "ConstantLR", "SWALR", "MultiStepLR")]
)
def test_a_new_schedule_continues_after_last_epoch(name: str) -> None:
    # As the optimizer's state has it that was saved behind the schedule's step: the rate is that of the next epoch.
    _, factor = FORMS[name]
    optimizer = new_optimizer()
    optimizer.param_groups[0].update(initial_lr=0.8, lr=0.8 * factor(4))
    schedule = continued(optimizer, name)
    for epoch, (rate,) in enumerate(rates(optimizer, schedule), start=4):
        assert rate == pytest.approx(0.8 * factor(epoch), rel=1e-13, abs=1e-15)


def test_a_function_for_each_group() -> None:
    optimizer = new_optimizer(1.0, 1.0)
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda epoch: 0.5**epoch, lambda epoch: 1.0])
    assert rates(optimizer, schedule, epochs=3) == [[1.0, 1.0], [0.5, 1.0], [0.25, 1.0]]


def test_callable_objects_are_saved_and_functions_are_not() -> None:
    class Warmup:
        def __init__(self, epochs: int) -> None:
            self.epochs = epochs

        def __call__(self, epoch: int) -> float:
            return min(1.0, (epoch + 1) / self.epochs)

    optimizer = new_optimizer(1.0, 1.0)
    saved = lr_scheduler.LambdaLR(optimizer, [Warmup(4), lambda epoch: 1.0]).state_dict()
    assert saved["lr_lambdas"] == [{"epochs": 4}, None]
    other = lr_scheduler.LambdaLR(optimizer, [Warmup(9), lambda epoch: 2.0])
    other.load_state_dict(saved)
    assert rates(optimizer, other, epochs=5)[1:] == [[0.5, 2.0], [0.75, 2.0], [1.0, 2.0], [1.0, 2.0]]
    assert saved["lr_lambdas"] == [{"epochs": 4}, None]


def test_a_gamma_of_zero_switches_off() -> None:
    optimizer = new_optimizer(1.0)
    assert rates(optimizer, lr_scheduler.StepLR(optimizer, 2, gamma=0.0), epochs=5) == [[1], [1], [0], [0], [0]]


def test_stepping_the_schedule_first_warns() -> None:
    optimizer = new_optimizer()
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.9)
    with pytest.warns(UserWarning, match=r"call optimizer.step\(\) first"):
        schedule.step()


def test_rates_are_for_as_many_groups_as_the_schedule_was_made_for() -> None:
    for name in ("LambdaLR", "MultiplicativeLR", "CosineAnnealingWarmRestarts"):
        optimizer = new_optimizer()
        optimizer.step()
        schedule = FORMS[name][0](optimizer)
        optimizer.add_param_group({"params": ad.zeros(1, requires_grad=True)})
        with pytest.raises(ValueError, match=f"{name} has rates for 1 parameter groups, the optimizer has 2: make the"):
            schedule.step()


def test_asking_for_the_next_rates_warns() -> None:
    schedule = lr_scheduler.ExponentialLR(new_optimizer(), 0.5)
    with pytest.warns(UserWarning, match="call get_last_lr"):
        assert schedule.get_lr() == [0.4]
    assert schedule.get_last_lr() == [0.8]


def test_going_to_an_epoch_warns_and_takes_the_closed_form() -> None:
    optimizer = new_optimizer()
    optimizer.step()
    schedule = lr_scheduler.StepLR(optimizer, 2, 0.5)
    with pytest.warns(UserWarning, match=r"step\(epoch\) is going away"):
        schedule.step(5)
    assert (optimizer.param_groups[0]["lr"], schedule.last_epoch) == (0.2, 5)


def test_warm_restarts_go_to_fractional_epochs() -> None:
    optimizer = new_optimizer(1.0)
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, 2, eta_min=0.1)
    for epoch, passed in ((0.5, 0.25), (1.0, 0.5), (2.0, 0.0), (5.0, 0.75), (6.5, 0.0625), (14.0, 0.0), (1.5, 0.75)):
        schedule.step(epoch)
        expected = 0.1 + 0.9 * (1 + math.cos(math.pi * passed)) / 2
        assert schedule.get_last_lr() == [pytest.approx(expected, rel=1e-14)]
        assert schedule.last_epoch == math.floor(epoch)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_rate_that_is_a_tensor_stays_that_tensor(name: str) -> None:
    numbers, tensors = new_optimizer(0.8, 0.01), new_optimizer(0.8, 0.01)
    for optimizer in (numbers, tensors):
        for group in optimizer.param_groups:
            group["momentum"] = 0.9
        optimizer.step()
    given_tensors = [ad.tensor(group["lr"], dtype=ad.float64) for group in tensors.param_groups]
    for group, rate in zip(tensors.param_groups, given_tensors, strict=True):
        group["lr"] = rate
    schedules = [SCHEDULES[name](optimizer) for optimizer in (numbers, tensors)]
    for _ in range(10):
        for schedule in schedules:
            schedule.step(*[1.0] * isinstance(schedule, lr_scheduler.ReduceLROnPlateau))
        assert [rate.item() for rate in given_tensors] == [group["lr"] for group in numbers.param_groups]
    assert all(a["lr"] is b for a, b in zip(tensors.param_groups, given_tensors, strict=True))
    assert all(type(rate) is float for rate in schedules[1].get_last_lr())


def test_momentum_goes_the_other_way() -> None:
    for name in ("SGD", "Adam"):
        optimizer = Run(SCHEDULES["OneCycleLR"], name).optimizer
        momentum = [g["momentum"] if name == "SGD" else g["betas"][0] for g in optimizer.param_groups]
        assert momentum == [0.95, 0.95]
        run = Run(lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.5, 4, max_momentum=[0.9, 0.7]), name)
        run.train(4)
        groups = run.optimizer.param_groups
        assert [g["momentum"] if name == "SGD" else g["betas"][0] for g in groups] == pytest.approx([0.8, 0.8])
        assert name == "SGD" or groups[0]["betas"][1] == 0.999
        assert [group["lr"] for group in groups] == pytest.approx([0.5, 0.5])


def test_a_plateau_of_the_metric() -> None:
    optimizer = new_optimizer(1.0)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=1, cooldown=2)
    seen = []
    for metric in (0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.9, 0.8):
        schedule.step(ad.tensor(metric))
        seen += schedule.get_last_lr()
    # 0.2 for the third time is one too many; of the two epochs after that, and the next, only the last one counts.
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert schedule.best == pytest.approx(0.9)


def test_a_first_schedule_made_of_others_does_not_warn_while_it_is_made() -> None:
    SCHEDULES["SequentialLR of a chain"](new_optimizer(0.8, 0.1))


def test_an_own_schedule_needs_only_get_lr() -> None:
    class Inverse(Schedule):
        def get_lr(self) -> list[float]:
            return [rate / (1 + self.last_epoch) for rate in self.base_lrs]

    optimizer = new_optimizer(1.0)
    assert rates(optimizer, Inverse(optimizer), epochs=3) == [[1.0], [0.5], [1 / 3]]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o: lr_scheduler.StepLR("optimizer", 3), TypeError, "expected an Optimizer to schedule, got str"),
        (lambda o: lr_scheduler.StepLR(o, 0), ValueError, "step_size, .* got 0"),
        (lambda o: lr_scheduler.StepLR(o, 1.5), ValueError, "step_size, .* got 1.5"),
        (lambda o: lr_scheduler.ExponentialLR(o, float("nan")), ValueError, "gamma, .* got nan"),
        (lambda o: lr_scheduler.ExponentialLR(o, -0.5), ValueError, "gamma, .* got -0.5"),
        (
            lambda o: lr_scheduler.StepLR(o, 3, last_epoch=2),
            KeyError,
            "no 'initial_lr', which continuing after epoch 2",
        ),
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, "expected 1 values of lr_lambda, .* got 2"),
        (lambda o: lr_scheduler.MultiplicativeLR(o, 0.5), TypeError, "function of the epoch, got 0.5"),
        (lambda o: lr_scheduler.ConstantLR(o, 0.0), ValueError, "factor to be a number > 0 and <= 1, got 0.0"),
        (lambda o: lr_scheduler.ConstantLR(o, total_iters=0), ValueError, "total_iters to be a whole .* got 0"),
        (lambda o: lr_scheduler.LinearLR(o, 2.0), ValueError, "start_factor .* got 2.0"),
        (lambda o: lr_scheduler.LinearLR(o, end_factor=-1), ValueError, "end_factor .* got -1"),
        (lambda o: lr_scheduler.LinearLR(o, total_iters=2.5), ValueError, "total_iters to be a whole .* got 2.5"),
        (lambda o: lr_scheduler.PolynomialLR(o, 0), ValueError, "total_iters to be a whole .* got 0"),
        (lambda o: lr_scheduler.PolynomialLR(o, power=-1.0), ValueError, "power .* got -1.0"),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 0), ValueError, "T_max, .* got 0"),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 9, float("nan")), ValueError, "eta_min, .* got nan"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 1.5), ValueError, "T_0, .* got 1.5"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 0), ValueError, "T_mult, .* got 0"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2).step(-1), ValueError, "epoch to be .* got -1"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, 0), ValueError, "step_size_up .* got 0"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, 3, -2), ValueError, "step_size_down .* got -2"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, mode="round"), ValueError, "mode, .* got 'round'"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, scale_mode="epoch"), ValueError, "scale_mode .* got 'epoch'"),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, [1.0, 2.0]), ValueError, "expected 1 values of max_lr, .* got 2"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0), ValueError, "total_steps, or epochs and steps_per_epoch"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, epochs=0, steps_per_epoch=3), ValueError, "epochs .* got 0"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 9, pct_start=2), ValueError, "pct_start .* got 2"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 9, anneal_strategy="s"), ValueError, "anneal_strategy .* got 's'"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 9, div_factor=0), ValueError, "div_factor .* got 0"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor .* got 1.0"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), ValueError, "mode .* got 'least'"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=-1), ValueError, "patience .* got -1"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, min_lr=[0.1, 0.2]), ValueError, "1 values of min_lr, .* got 2"),
        (lambda o: SWALR(o, 0.1, -1), ValueError, "anneal_epochs .* got -1"),
        (lambda o: SWALR(o, 0.1, anneal_strategy="exp"), ValueError, "anneal_strategy .* got 'exp'"),
        (lambda o: lr_scheduler.ChainedScheduler([]), ValueError, "expected at least one schedule"),
        (lambda o: lr_scheduler.ChainedScheduler([abs]), TypeError, "schedule 0 of ChainedScheduler is a builtin"),
        (
            lambda o: lr_scheduler.ChainedScheduler([SWALR(o, 0.1), lr_scheduler.ReduceLROnPlateau(o)]),
            ValueError,
            "schedule 1 of ChainedScheduler is a ReduceLROnPlateau",
        ),
        (
            lambda o: lr_scheduler.SequentialLR(o, [SWALR(o, 0.1), SWALR(new_optimizer(), 0.1)], [1]),
            ValueError,
            "schedule 1 of SequentialLR, a SWALR, belongs to another optimizer",
        ),
        (lambda o: lr_scheduler.SequentialLR(o, [SWALR(o, 0.1)], [1]), ValueError, "0 for 1 schedules, got 1"),
        (
            lambda o: lr_scheduler.SequentialLR(o, [SWALR(o, 0.1), sequence(o)], [1]),
            NotImplementedError,
            "schedule 1 of SequentialLR is a SequentialLR, .* only the first",
        ),
        (Schedule, NotImplementedError, "define get_lr"),
    ],
)
def test_schedules_that_cannot_be(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(new_optimizer())


def test_the_state_of_another_schedule_is_refused() -> None:
    optimizer = new_optimizer()
    step, exponential = lr_scheduler.StepLR(optimizer, 3), lr_scheduler.ExponentialLR(optimizer, 0.9)
    with pytest.raises(ValueError, match=r"not the state of a StepLR: it lacks \['step_size'\]"):
        step.load_state_dict(exponential.state_dict())
    two = lr_scheduler.ExponentialLR(new_optimizer(0.1, 0.2), 0.9)
    with pytest.raises(ValueError, match="base_lrs for 1 parameter groups, the loaded state has 2"):
        exponential.load_state_dict(two.state_dict())
    assert exponential.base_lrs == [0.8]


def test_the_state_of_other_schedules_inside_is_refused_before_anything_changes() -> None:
    optimizer = new_optimizer()
    make = lr_scheduler.ChainedScheduler
    own = make([lr_scheduler.ExponentialLR(optimizer, 0.9), lr_scheduler.StepLR(optimizer, 3)])
    other = make([lr_scheduler.ExponentialLR(optimizer, 0.5), lr_scheduler.ExponentialLR(optimizer, 0.5)])
    with pytest.raises(ValueError, match=r"not the state of a StepLR: it lacks \['step_size'\]"):
        own.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="states of 2 schedules in that of a ChainedScheduler, got 1"):
        own.load_state_dict(make([lr_scheduler.ExponentialLR(optimizer, 0.5)]).state_dict())
    assert own.state_dict()["_schedulers"][0]["gamma"] == 0.9


def test_a_cycle_needs_a_momentum_and_ends() -> None:
    class Plain(optim.Optimizer):
        def update_group(self, group: dict[str, Any]) -> None:
            pass

    optimizer = Plain([ad.zeros(1, requires_grad=True)], {"lr": 0.1})
    optimizer.step()
    with pytest.raises(ValueError, match="momentum or betas to cycle, got Plain: pass cycle_momentum=False"):
        lr_scheduler.CyclicLR(optimizer, 0.1, 1.0)
    schedule = lr_scheduler.OneCycleLR(optimizer, 1.0, 3, cycle_momentum=False)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match="made for 3 steps, and was stepped 4 times"):
        schedule.step()


def test_a_rate_that_is_not_finite_is_refused_by_the_next_step() -> None:
    optimizer = new_optimizer()
    schedule = lr_scheduler.LambdaLR(optimizer, lambda epoch: float("inf") if epoch else 1.0)
    optimizer.step()
    schedule.step()
    with pytest.raises(ValueError, match=r"finite lr .* got inf"):
        optimizer.step()
