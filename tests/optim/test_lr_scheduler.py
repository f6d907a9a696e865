"""The rates that schedules set, alone, together and after loading."""

import json
from collections.abc import Callable
from typing import Any

import pytest

import autodiff as ad
import optim
from optim import lr_scheduler

Schedule = lr_scheduler.LRScheduler
Make = Callable[[optim.Optimizer], Schedule]
SCHEDULES: dict[str, tuple[Make, Callable[[int], float]]] = {
    "StepLR": (lambda o: lr_scheduler.StepLR(o, 3, gamma=0.3), lambda epoch: 0.3 ** (epoch // 3)),
    "MultiStepLR": (
        lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 5, 9], gamma=0.5),
        lambda epoch: 0.5 ** sum(epoch >= milestone for milestone in (2, 5, 5, 9)),
    ),
    "ExponentialLR": (lambda o: lr_scheduler.ExponentialLR(o, 0.9), lambda epoch: 0.9**epoch),
    "LambdaLR": (lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)), lambda epoch: 1 / (1 + epoch)),
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


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_the_closed_form(name: str) -> None:
    make, factor = SCHEDULES[name]
    optimizer = new_optimizer(0.8, 0.01)
    schedule = make(optimizer)
    # Exact: computed from the base rate, and not from the rate of the epoch before.
    assert rates(optimizer, schedule, epochs=200) == [[0.8 * factor(e), 0.01 * factor(e)] for e in range(200)]
    assert schedule.get_last_lr() == [0.8 * factor(200), 0.01 * factor(200)]
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.8, 0.01]


def test_schedules_that_multiply_can_be_combined() -> None:
    optimizer = new_optimizer()
    schedules = [SCHEDULES[name][0](optimizer) for name in ("ExponentialLR", "MultiStepLR", "StepLR")]
    factors = [SCHEDULES[name][1] for name in ("ExponentialLR", "MultiStepLR", "StepLR")]
    for epoch, (rate,) in enumerate(rates(optimizer, *schedules, epochs=30)):
        expected = 0.8 * factors[0](epoch) * factors[1](epoch) * factors[2](epoch)
        assert rate == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "ExponentialLR"])
def test_a_rate_that_the_user_sets_is_decayed_from_there(name: str) -> None:
    make, factor = SCHEDULES[name]
    optimizer = new_optimizer(0.8, 0.1)
    schedule = make(optimizer)
    rates(optimizer, schedule, epochs=4)
    optimizer.param_groups[0]["lr"] = 5.0
    for epoch, (first, second) in enumerate(rates(optimizer, schedule), start=4):
        assert first == pytest.approx(5.0 * factor(epoch) / factor(4), rel=1e-14)
        assert second == pytest.approx(0.1 * factor(epoch), rel=1e-14)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_was_saved_goes_on_bit_for_bit(name: str) -> None:
    make, _ = SCHEDULES[name]
    straight = new_optimizer(0.8, 0.3)
    expected = rates(straight, make(straight), epochs=20)

    first = new_optimizer(0.8, 0.3)
    schedule = make(first)
    rates(first, schedule, epochs=8)
    file = json.dumps({key: value for key, value in schedule.state_dict().items() if key != "milestones"})
    saved, optimizer_state = {**schedule.state_dict(), **json.loads(file)}, first.state_dict()

    second = new_optimizer(0.7, 0.2)
    continued = make(second)
    second.load_state_dict(optimizer_state)
    continued.load_state_dict(saved)
    assert rates(second, continued) == expected[8:]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_new_schedule_continues_after_last_epoch(name: str) -> None:
    _, factor = SCHEDULES[name]
    optimizer = new_optimizer()
    optimizer.param_groups[0].update(initial_lr=0.8, lr=0.8 * factor(4))
    options: dict[str, Callable[[], Schedule]] = {
        "StepLR": lambda: lr_scheduler.StepLR(optimizer, 3, 0.3, last_epoch=4),
        "MultiStepLR": lambda: lr_scheduler.MultiStepLR(optimizer, [2, 5, 5, 9], 0.5, last_epoch=4),
        "ExponentialLR": lambda: lr_scheduler.ExponentialLR(optimizer, 0.9, last_epoch=4),
        "LambdaLR": lambda: lr_scheduler.LambdaLR(optimizer, SCHEDULES["LambdaLR"][1], last_epoch=4),
    }
    schedule = options[name]()
    for epoch, (rate,) in enumerate(rates(optimizer, schedule), start=5):
        assert rate == pytest.approx(0.8 * factor(epoch), rel=1e-14)


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
        (lambda o: lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, "expected 1 functions, .* got 2"),
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


def test_a_rate_that_is_not_finite_is_refused_by_the_next_step() -> None:
    optimizer = new_optimizer()
    schedule = lr_scheduler.LambdaLR(optimizer, lambda epoch: float("inf") if epoch else 1.0)
    optimizer.step()
    schedule.step()
    with pytest.raises(ValueError, match=r"finite lr .* got inf"):
        optimizer.step()
