"""Optimizers and schedules beside PyTorch's: 100 steps from the same start, over all options."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import optim
from optim.elementwise import BLOCK, SMALL

STEPS = 100
# What PyTorch's schedules note while a method runs.
SWITCHES = ("_get_lr_called_within_step", "_is_initial")
SHAPES = [(), (5,), (3, 4), (50,)]
LARGE = [(SMALL,), (SMALL + 1,), (BLOCK + 7,)]
# Both round some ten times a step, in another order, and the gradient carries the difference on. The largest
# difference seen, relative to 1 + the value, is 1.2e-15 in float64 and 1.3e-6 in float32.
TOLERANCES = {"float64": 1e-13, "float32": 1e-5}


def all_options(**choices: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


CASES: list[tuple[str, dict[str, Any]]] = [
    *(
        ("SGD", options)
        for options in all_options(
            lr=(0.03,),
            momentum=(0, 0.9),
            dampening=(0, 0.3),
            weight_decay=(0, 0.1),
            nesterov=(False, True),
            maximize=(False, True),
        )
        if not options["nesterov"] or (options["momentum"] and not options["dampening"])
    ),
    *(
        ("RMSprop", options)
        for options in all_options(
            lr=(0.01,),
            alpha=(0.99, 0.8),
            eps=(1e-8, 1e-3),
            weight_decay=(0, 0.1),
            momentum=(0, 0.5),
            centered=(False, True),
            maximize=(False, True),
        )
    ),
    *(
        (name, options)
        for name in ("Adam", "AdamW")
        for options in all_options(
            lr=(0.01,),
            betas=((0.9, 0.999), (0.5, 0.8)),
            eps=(1e-8, 1e-3),
            weight_decay=(0, 0.1),
            amsgrad=(False, True),
            maximize=(False, True),
        )
    ),
    *((name, {}) for name in ("SGD", "RMSprop", "Adam", "AdamW")),
]


def gradient(p: Any, noise: Any) -> Any:
    """Of a bumpy bowl, from the parameter that has been reached, so that an error of a step is carried on."""
    return np.sin(3 * p) + p + noise


def after_training(name: str, options: dict[str, Any], dtype: str, shapes: list[tuple[int, ...]]) -> tuple[Any, Any]:
    """Our optimizer and PyTorch's after 100 steps."""
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    ours = [ad.from_numpy(np.array(array)).requires_grad_() for array in start]
    theirs = [torch.from_numpy(np.array(array)).requires_grad_() for array in start]
    own, other = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    sign = -1 if options.get("maximize") else 1
    for _ in range(STEPS):
        for p, q in zip(ours, theirs, strict=True):
            noise = rng.standard_normal(p.shape).astype(dtype)
            p.grad = ad.from_numpy(np.asarray(sign * gradient(p.array, noise), dtype))
            q.grad = torch.from_numpy(np.asarray(sign * gradient(q.detach().numpy(), noise), dtype))
        own.step()
        other.step()
    return own, other


def parameters(optimizer: Any) -> list[Any]:
    return [p.detach().numpy() for group in optimizer.param_groups for p in group["params"]]


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_trajectories(name: str, options: dict[str, Any], dtype: str) -> None:
    own, other = after_training(name, options, dtype, SHAPES)
    for p, q in zip(parameters(own), parameters(other), strict=True):
        np.testing.assert_allclose(p, q, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])
    state, expected = own.state_dict()["state"], other.state_dict()["state"]
    assert state.keys() == expected.keys()
    for number, entries in expected.items():
        assert list(state[number]) == list(entries)
        for key, value in entries.items():
            assert tuple(state[number][key].shape) == tuple(value.shape)
            assert str(state[number][key].dtype) == str(value.dtype).removeprefix("torch.")
            np.testing.assert_allclose(
                state[number][key].array, value.numpy(), rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype]
            )


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_trajectories_of_large_parameters(name: str) -> None:
    options = {"lr": 0.02, "weight_decay": 0.01, **({"momentum": 0.9} if name in ("SGD", "RMSprop") else {})}
    own, other = after_training(name, options, "float64", LARGE)
    for p, q in zip(parameters(own), parameters(other), strict=True):
        np.testing.assert_allclose(p, q, rtol=TOLERANCES["float64"], atol=TOLERANCES["float64"])


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_defaults_are_pytorchs(name: str) -> None:
    own = getattr(optim, name)([ad.zeros(2, requires_grad=True)]).state_dict()["param_groups"][0]
    other = getattr(torch.optim, name)([torch.zeros(2, requires_grad=True)]).state_dict()["param_groups"][0]
    # The rest chooses among PyTorch's own implementations.
    assert own == {key: other[key] for key in other if key not in ("foreach", "fused", "capturable", "differentiable")}


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_the_state_of_pytorch_can_be_loaded(name: str) -> None:
    options = {"lr": 0.02, **({"momentum": 0.9} if name in ("SGD", "RMSprop") else {"amsgrad": True})}
    _, other = after_training(name, options, "float64", SHAPES)
    saved = other.state_dict()
    state = {n: {k: v.numpy() for k, v in entries.items()} for n, entries in saved["state"].items()}
    params = [ad.from_numpy(q.copy()).requires_grad_() for q in parameters(other)]
    loaded = getattr(optim, name)(params)
    loaded.load_state_dict({"state": state, "param_groups": saved["param_groups"]})
    for p, q in zip(params, other.param_groups[0]["params"], strict=True):
        p.grad, q.grad = ad.ones_like(p), torch.ones_like(q)
    loaded.step()
    other.step()
    for p, q in zip(params, other.param_groups[0]["params"], strict=True):
        np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=1e-14, atol=1e-14)


SCHEDULES: dict[str, Callable[[Any, Any], list[Any]]] = {
    "StepLR": lambda s, o: [s.StepLR(o, step_size=7, gamma=0.3)],
    "StepLR, growing": lambda s, o: [s.StepLR(o, 30, 1.5)],
    "MultiStepLR": lambda s, o: [s.MultiStepLR(o, milestones=[0, 3, 11, 11, 40], gamma=0.5)],
    "ExponentialLR": lambda s, o: [s.ExponentialLR(o, gamma=0.97)],
    "LambdaLR": lambda s, o: [s.LambdaLR(o, [lambda epoch: 0.95**epoch, lambda epoch: 1 / (1 + epoch)])],
    "Exponential and steps": lambda s, o: [s.ExponentialLR(o, 0.9), s.MultiStepLR(o, [5, 20, 60], 0.1)],
    "steps of two lengths": lambda s, o: [s.StepLR(o, 4, 0.8), s.StepLR(o, 9, 1.1)],
    "function, then steps": lambda s, o: [s.LambdaLR(o, lambda epoch: 1 + epoch), s.StepLR(o, 5, 0.5)],
}


def optimizers() -> list[Any]:
    return [
        sgd([{"params": [zeros(2, requires_grad=True)], "lr": rate} for rate in (0.4, 1e-3)])
        for sgd, zeros in ((optim.SGD, ad.zeros), (torch.optim.SGD, torch.zeros))
    ]


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates(name: str) -> None:
    own, other = optimizers()
    schedules = SCHEDULES[name](optim.lr_scheduler, own), SCHEDULES[name](torch.optim.lr_scheduler, other)
    for epoch in range(100):
        for optimizer, together in zip((own, other), schedules, strict=True):
            if epoch == 50:
                optimizer.param_groups[0]["lr"] = 0.123
            optimizer.step()
            for schedule in together:
                schedule.step()
        expected = [group["lr"] for group in other.param_groups]
        # PyTorch multiplies the rate of the epoch before, so that its rounding errors pile up: 100 of 1e-16.
        np.testing.assert_allclose([group["lr"] for group in own.param_groups], expected, rtol=2e-14)
        for ours, theirs in zip(*schedules, strict=True):
            np.testing.assert_allclose(ours.get_last_lr(), theirs.get_last_lr(), rtol=2e-14)


@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "ExponentialLR", "LambdaLR"])
def test_the_state_of_a_schedule_has_pytorchs_entries(name: str) -> None:
    own, other = optimizers()
    (ours,), (theirs,) = SCHEDULES[name](optim.lr_scheduler, own), SCHEDULES[name](torch.optim.lr_scheduler, other)
    for _ in range(20):
        for optimizer, schedule in ((own, ours), (other, theirs)):
            optimizer.step()
            schedule.step()
    expected = {key: value for key, value in theirs.state_dict().items() if key not in SWITCHES}
    saved = ours.state_dict()
    assert expected.keys() <= saved.keys()
    assert {key: saved[key] for key in expected if key != "_last_lr"} == {
        key: value for key, value in expected.items() if key != "_last_lr"
    }

    again, _ = optimizers()
    (loaded,) = SCHEDULES[name](optim.lr_scheduler, again)
    loaded.load_state_dict(expected)
    for group, reached in zip(again.param_groups, other.param_groups, strict=True):
        group["lr"] = reached["lr"]
    for _ in range(30):
        for optimizer, schedule in ((again, loaded), (other, theirs)):
            optimizer.step()
            schedule.step()
        np.testing.assert_allclose(loaded.get_last_lr(), theirs.get_last_lr(), rtol=2e-14)
