"""Schedules beside PyTorch's: the same rates and momenta bit for bit, alone, together and after loading."""

import math
import warnings
from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.optim import swa_utils

import autodiff as ad
import optim

# PyTorch overlooks the steps that an optimizer made before its schedule was made.
pytestmark = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")

STEPS = 100
SPEED = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
OURS, THEIRS = optim.lr_scheduler, torch.optim.lr_scheduler

# A schedule is told by its name and its options; one made of others by their list and the milestones.
Spec = tuple[str, Any]

rates = st.floats(1e-4, 2.0)
shares = st.floats(0.01, 1.0)
lengths = st.integers(1, 40)


def options(name: str, **choices: Any) -> st.SearchStrategy[Spec]:
    return st.tuples(st.just(name), st.fixed_dictionaries(choices))


PLAIN = {
    "StepLR": options("StepLR", step_size=lengths, gamma=st.floats(0.0, 1.5)),
    "MultiStepLR": options("MultiStepLR", milestones=st.lists(st.integers(0, 90), max_size=5), gamma=shares),
    "ConstantLR": options("ConstantLR", factor=shares, total_iters=lengths),
    "LinearLR": options("LinearLR", start_factor=shares, end_factor=st.floats(0.0, 1.0), total_iters=lengths),
    "ExponentialLR": options("ExponentialLR", gamma=st.floats(0.8, 1.02)),
    "PolynomialLR": options("PolynomialLR", total_iters=lengths, power=st.sampled_from((0.5, 1.0, 2.0, 3.7))),
    "CosineAnnealingLR": options("CosineAnnealingLR", T_max=lengths, eta_min=st.sampled_from((0.0, 1e-5, 0.3))),
    "CosineAnnealingWarmRestarts": options(
        "CosineAnnealingWarmRestarts",
        T_0=lengths,
        T_mult=st.integers(1, 3),
        eta_min=st.sampled_from((0.0, 1e-5, 0.3)),
    ),
    "LambdaLR": options(
        "LambdaLR", lr_lambda=st.sampled_from((lambda e: 0.95**e, lambda e: 1 / (1 + 0.3 * e), lambda e: e // 30))
    ),
    "MultiplicativeLR": options(
        "MultiplicativeLR",
        lr_lambda=st.sampled_from((lambda e: 0.97, lambda e: 1 + 1 / (1 + e), lambda e: e % 2 + 0.5)),
    ),
}
CYCLES = {
    "CyclicLR": options(
        "CyclicLR",
        base_lr=st.floats(1e-4, 0.1),
        max_lr=rates,
        step_size_up=st.integers(1, 30),
        step_size_down=st.none() | st.integers(0, 30),
        mode=st.sampled_from(("triangular", "triangular2", "exp_range")),
        gamma=st.sampled_from((1.0, 0.98)),
        scale_fn=st.sampled_from((None, lambda x: 1 / (1 + x))),
        scale_mode=st.sampled_from(("cycle", "iterations")),
        cycle_momentum=st.booleans(),
        base_momentum=st.sampled_from((0.8, 0.5)),
    ),
    "OneCycleLR": options(
        "OneCycleLR",
        max_lr=rates,
        total_steps=st.integers(STEPS, 200),
        pct_start=st.sampled_from((0.0, 0.05, 0.3, 0.5, 1.0)),
        anneal_strategy=st.sampled_from(("cos", "linear")),
        cycle_momentum=st.booleans(),
        div_factor=st.sampled_from((25.0, 3.0)),
        final_div_factor=st.sampled_from((1e4, 7.0)),
        three_phase=st.booleans(),
    ),
    "SWALR": options(
        "SWALR", swa_lr=rates, anneal_epochs=st.integers(0, 40), anneal_strategy=st.sampled_from(("cos", "linear"))
    ),
}
plain = st.one_of(*PLAIN.values())


@st.composite
def sequences(draw: st.DrawFn, inner: st.SearchStrategy[Spec]) -> Spec:
    """The first schedule may be any, the others cannot be made of others."""
    schedules = [draw(inner), *draw(st.lists(plain, max_size=3))]
    milestones = sorted(draw(st.lists(st.integers(1, 80), min_size=len(schedules) - 1, max_size=len(schedules) - 1)))
    return "SequentialLR", (schedules, milestones)


chains = st.lists(plain, min_size=1, max_size=3).map(lambda specs: ("ChainedScheduler", specs))
nested = st.recursive(
    plain,
    lambda inner: sequences(inner) | st.lists(inner, min_size=1, max_size=3).map(lambda s: ("ChainedScheduler", s)),
    max_leaves=6,
)


def make(spec: Spec, optimizer: Any, last_epoch: int = -1) -> Any:
    name, given_options = spec
    ours = isinstance(optimizer, optim.Optimizer)
    module = OURS if ours else THEIRS
    if name == "SequentialLR":
        schedules, milestones = given_options
        return module.SequentialLR(optimizer, [make(inner, optimizer) for inner in schedules], list(milestones))
    if name == "ChainedScheduler":
        return module.ChainedScheduler([make(inner, optimizer) for inner in given_options], optimizer)
    if name == "SWALR":
        module = optim.swa_utils if ours else swa_utils
    return getattr(module, name)(optimizer, **deepcopy(given_options), last_epoch=last_epoch)


def optimizers(rates: list[float], name: str = "SGD") -> list[Any]:
    """Ours and PyTorch's, which have made a step."""
    momentum = {"momentum": 0.9} if name == "SGD" else {}
    made = [
        getattr(library, name)([{"params": [zeros(2, requires_grad=True)], "lr": rate} for rate in rates], **momentum)
        for library, zeros in ((optim, ad.zeros), (torch.optim, torch.zeros))
    ]
    for optimizer in made:
        optimizer.step()
    return made


def now(optimizer: Any) -> list[tuple[Any, ...]]:
    return [(group["lr"], group.get("momentum"), group.get("betas")) for group in optimizer.param_groups]


def assert_same_run(ours: list[Any], theirs: list[Any], own: Any, other: Any, steps: int = STEPS) -> None:
    """The schedules `ours` on the optimizer `own`, and `theirs` on `other`, are stepped together."""
    assert now(own) == now(other)
    for _ in range(steps):
        for optimizer, schedules in ((own, ours), (other, theirs)):
            optimizer.step()
            for schedule in schedules:
                schedule.step()
        assert now(own) == now(other)
        assert [s.get_last_lr() for s in ours] == [s.get_last_lr() for s in theirs]


group_rates = st.lists(rates, min_size=1, max_size=3)
optimizer_names = st.sampled_from(("SGD", "Adam"))


@pytest.mark.parametrize("name", [*PLAIN, *CYCLES])
def test_rates_and_state(name: str) -> None:
    @settings(SPEED, max_examples=40)
    @given({**PLAIN, **CYCLES}[name], group_rates, optimizer_names)
    def check(spec: Spec, start: list[float], optimizer: str) -> None:
        own, other = optimizers(start, optimizer)
        ours, theirs = make(spec, own), make(spec, other)
        assert_same_run([ours], [theirs], own, other, STEPS - 1)
        assert ours.state_dict() == theirs.state_dict()

    check()


@SPEED
@given(nested, group_rates)
def test_schedules_made_of_others(spec: Spec, start: list[float]) -> None:
    own, other = optimizers(start)
    ours, theirs = make(spec, own), make(spec, other)
    assert_same_run([ours], [theirs], own, other)
    assert ours.state_dict() == theirs.state_dict()


@SPEED
@given(st.lists(nested, min_size=2, max_size=3), group_rates, st.integers(1, 50), rates)
def test_schedules_side_by_side_and_a_rate_that_the_user_sets(
    specs: list[Spec], start: list[float], epoch: int, rate: float
) -> None:
    own, other = optimizers(start)
    ours, theirs = [make(spec, own) for spec in specs], [make(spec, other) for spec in specs]
    assert_same_run(ours, theirs, own, other, epoch)
    own.param_groups[0]["lr"] = other.param_groups[0]["lr"] = rate
    assert_same_run(ours, theirs, own, other, STEPS - epoch)


@SPEED
@given(nested | st.one_of(*CYCLES.values()), group_rates, st.integers(0, 60))
def test_a_run_of_pytorchs_goes_on_here(spec: Spec, start: list[float], epoch: int) -> None:
    own, other = optimizers(start)
    ours, theirs = make(spec, own), make(spec, other)
    for _ in range(epoch):
        theirs.step()
    ours.load_state_dict(theirs.state_dict())
    for group, reached in zip(own.param_groups, other.param_groups, strict=True):
        group.update({name: value for name, value in reached.items() if name in group and name != "params"})
    assert_same_run([ours], [theirs], own, other, 99 - epoch)


@SPEED
@given(plain | CYCLES["CyclicLR"] | CYCLES["OneCycleLR"], group_rates, st.integers(0, 60))
def test_continuing_after_last_epoch(spec: Spec, start: list[float], epoch: int) -> None:
    name, given_options = spec
    made = optimizers(start)
    for optimizer in made:
        for group in optimizer.param_groups:
            group.update(initial_lr=2 * group["lr"], max_lr=1.0, min_lr=1e-3, max_momentum=0.95, base_momentum=0.85)
    ours, theirs = [make(spec, optimizer, last_epoch=epoch) for optimizer in made]
    if name == "CosineAnnealingWarmRestarts" and epoch + 1 >= 2 * given_options["T_0"] and given_options["T_mult"] > 1:
        return  # PyTorch loses count: see the row `warm-restarts` of docs/differences.md
    assert_same_run([ours], [theirs], *made, STEPS - 1 - epoch)


@SPEED
@given(
    PLAIN["CosineAnnealingWarmRestarts"],
    group_rates,
    st.lists(st.none() | st.integers(0, 300) | st.floats(0.0, 300.0), max_size=STEPS),
)
def test_warm_restarts_at_fractional_epochs(spec: Spec, start: list[float], epochs: list[Any]) -> None:
    own, other = optimizers(start)
    ours, theirs = make(spec, own), make(spec, other)
    for epoch in epochs:
        ours.step(epoch)
        theirs.step(epoch)
        if theirs.T_cur >= theirs.T_i:
            return  # Its logarithm was rounded down: see the row `warm-restarts` of docs/differences.md
        assert now(own) == now(other)
        assert ours.state_dict() == theirs.state_dict()


@SPEED
@given(plain | st.one_of(*CYCLES.values()), group_rates, st.lists(st.none() | st.integers(0, 99), max_size=20))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_going_to_an_epoch(spec: Spec, start: list[float], epochs: list[int | None]) -> None:
    own, other = optimizers(start)
    ours, theirs = make(spec, own), make(spec, other)
    for epoch in epochs:
        ours.step(epoch)
        theirs.step(epoch)
        if spec[0] == "CosineAnnealingWarmRestarts" and theirs.T_cur >= theirs.T_i:
            return
        assert now(own) == now(other)


@SPEED
@given(
    st.lists(st.floats(-2, 2) | st.sampled_from((math.inf, math.nan)), min_size=1, max_size=STEPS),
    group_rates,
    st.fixed_dictionaries(
        {
            "mode": st.sampled_from(("min", "max")),
            "factor": st.floats(0, 0.99),
            "patience": st.integers(0, 5),
            "threshold": st.sampled_from((1e-4, 0.3)),
            "threshold_mode": st.sampled_from(("rel", "abs")),
            "cooldown": st.integers(0, 4),
            "min_lr": st.sampled_from((0, 0.05)),
            "eps": st.sampled_from((1e-8, 0.1)),
        }
    ),
)
def test_plateaus(metrics: list[float], start: list[float], given_options: dict[str, Any]) -> None:
    own, other = optimizers(start)
    ours, theirs = OURS.ReduceLROnPlateau(own, **given_options), THEIRS.ReduceLROnPlateau(other, **given_options)
    assert ours.state_dict() == theirs.state_dict()
    for metric in metrics:
        ours.step(metric)
        theirs.step(metric)
        assert now(own) == now(other)
        assert ours.state_dict() == theirs.state_dict()
    again, _ = optimizers(start)
    loaded = OURS.ReduceLROnPlateau(again)
    loaded.load_state_dict(theirs.state_dict())
    assert loaded.state_dict() == theirs.state_dict()


def test_plateaus_with_a_lowest_rate_for_each_group_and_a_group_added_later() -> None:
    for lowest in ([0.2, 0.01], 0.05):
        own, other = optimizers([0.5, 0.4])
        ours, theirs = (
            OURS.ReduceLROnPlateau(own, patience=0, min_lr=lowest),
            THEIRS.ReduceLROnPlateau(other, patience=0, min_lr=lowest),
        )
        for _ in range(3):
            ours.step(1.0)
            theirs.step(1.0)
            assert now(own) == now(other)
        own.add_param_group({"params": ad.ones(1, requires_grad=True), "lr": 0.9})
        other.add_param_group({"params": torch.ones(1, requires_grad=True), "lr": 0.9})
        for schedule in (ours, theirs):
            if isinstance(lowest, list):
                with pytest.raises(RuntimeError):
                    schedule.step(1.0)
            else:
                schedule.step(1.0)
        assert now(own) == now(other)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("LambdaLR", {"lr_lambda": [abs, abs]}),
    ("MultiplicativeLR", {"lr_lambda": [abs, abs]}),
    ("MultiplicativeLR", {"lr_lambda": 0.5}),
    ("ConstantLR", {"factor": 1.5}),
    ("ConstantLR", {"factor": -0.1}),
    ("LinearLR", {"start_factor": 0.0}),
    ("LinearLR", {"start_factor": 1.5}),
    ("LinearLR", {"end_factor": -0.5}),
    ("LinearLR", {"end_factor": 1.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "eta_min": "low"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "mode": "round"}),
    ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": 1.0}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [1.0, 2.0]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "base_momentum": [0.1, 0.2]}),
    ("OneCycleLR", {"max_lr": 1.0}),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 3}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 0}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 2.5}),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 0, "steps_per_epoch": 3}),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 3, "steps_per_epoch": 0}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 1.5}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "step"}),
    ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": 9}),
    ("SWALR", {"swa_lr": 0.1, "anneal_strategy": "step"}),
    ("SWALR", {"swa_lr": 0.1, "anneal_epochs": -1}),
    ("SWALR", {"swa_lr": 0.1, "anneal_epochs": 1.5}),
    ("SWALR", {"swa_lr": [0.1, 0.2]}),
    ("SequentialLR", ([], [])),
    ("SequentialLR", ([("ExponentialLR", {"gamma": 0.5})], [1])),
    ("ChainedScheduler", []),
]


@pytest.mark.parametrize(("name", "given_options"), REFUSED, ids=str)
def test_what_both_refuse(name: str, given_options: Any) -> None:
    errors = []
    for optimizer in optimizers([0.1]):
        with pytest.raises((ValueError, TypeError)) as caught:
            make((name, given_options), optimizer)
        errors.append(caught.type)
    assert errors[0] is errors[1]


def test_what_both_refuse_of_optimizers() -> None:
    for module, averaging, optimizer, others, zeros in zip(
        (OURS, THEIRS), (optim.swa_utils, swa_utils), optimizers([0.1]), optimizers([0.1]), (ad.zeros, torch.zeros),
        strict=True,
    ):  # fmt: skip
        for make_schedule in (
            lambda o, m=module: m.StepLR(o, 3),
            lambda o, m=module: m.CyclicLR(o, 0.1, 0.2),
            lambda o, m=module: m.OneCycleLR(o, 0.1, 9),
            lambda o, m=module: m.ReduceLROnPlateau(o),
        ):
            with pytest.raises(TypeError):
                make_schedule("optimizer")
        with pytest.raises(KeyError):
            module.StepLR(optimizer, 3, last_epoch=2)
        exponential, plateau = module.ExponentialLR(optimizer, 0.9), module.ReduceLROnPlateau(optimizer)
        for refused in (plateau, module.ExponentialLR(others, 0.9)):
            with pytest.raises(ValueError):  # noqa: PT011
                module.ChainedScheduler([exponential, refused])
            with pytest.raises(ValueError):  # noqa: PT011
                module.SequentialLR(optimizer, [exponential, refused], [3])
        with pytest.raises(TypeError):
            module.ChainedScheduler([exponential, 0.5])
        for wrong in ({"factor": 1.0}, {"mode": "best"}, {"threshold_mode": "share"}, {"min_lr": [0.1, 0.2]}):
            with pytest.raises(ValueError):  # noqa: PT011
                module.ReduceLROnPlateau(optimizer, **wrong)
        with pytest.raises(ValueError, match=r"-1"):
            module.CosineAnnealingWarmRestarts(optimizer, 3).step(-1)
        past = module.OneCycleLR(optimizer, 0.1, 3)
        for _ in range(3):
            past.step()
        with pytest.raises(ValueError, match="3"):
            past.step()
        without = (optim if module is OURS else torch.optim).SGD([zeros(1, requires_grad=True)])
        without.defaults.pop("momentum")
        for cyclic in (lambda o, m=module: m.CyclicLR(o, 0.1, 1.0), lambda o, m=module: m.OneCycleLR(o, 1.0, 9)):
            with pytest.raises(ValueError, match="momentum"):
                cyclic(without)
        assert averaging.SWALR(optimizer, 0.1).get_last_lr() == [group["lr"] for group in optimizer.param_groups]


def messages(action: Any) -> list[type[Warning]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [warning.category for warning in caught]


def test_what_both_warn_about() -> None:
    for module, library, zeros in ((OURS, optim, ad.zeros), (THEIRS, torch.optim, torch.zeros)):
        optimizer = library.SGD([zeros(1, requires_grad=True)], lr=0.1)
        schedule = module.StepLR(optimizer, 3)
        assert messages(schedule.step) == [UserWarning]
        assert messages(schedule.step) == []
        assert messages(schedule.get_lr) == [UserWarning]
        assert messages(lambda s=schedule: s.step(5)) == [UserWarning]
        assert messages(lambda m=module, o=optimizer: m.ReduceLROnPlateau(o).step(0.5, 3)) == [UserWarning]
        assert messages(lambda m=module, o=optimizer: m.CosineAnnealingWarmRestarts(o, 3).step(2.5)) == []
        optimizer.step()
        assert messages(module.ExponentialLR(optimizer, 0.5).step) == []
