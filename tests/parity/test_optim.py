"""Optimizers beside PyTorch's: 100 steps from the same start, over all options."""

import inspect
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import optim
from optim.elementwise import BLOCK, SMALL

STEPS = 100
SHAPES = [(), (5,), (3, 4), (50,)]
LARGE = [(SMALL,), (SMALL + 1,), (BLOCK + 7,)]
# Both round some ten times a step, in another order, and the gradient carries the difference on. The largest
# difference seen, relative to 1 + the value, is 1.2e-15 in float64 and 1.3e-6 in float32.
TOLERANCES = {"float64": 1e-12, "float32": 1e-5}


def all_options(**choices: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


DECAYS: dict[str, tuple[Any, ...]] = {"weight_decay": (0, 0.1), "maximize": (False, True)}
BETAS: dict[str, tuple[Any, ...]] = {"betas": ((0.9, 0.999), (0.5, 0.8)), "eps": (1e-8, 1e-3), **DECAYS}
CHOICES: dict[str, dict[str, tuple[Any, ...]]] = {
    "SGD": {"lr": (0.03,), "momentum": (0, 0.9), "dampening": (0, 0.3), "nesterov": (False, True), **DECAYS},
    "RMSprop": {
        "lr": (0.01,), "alpha": (0.99, 0.8), "eps": (1e-8, 1e-3), "momentum": (0, 0.5), "centered": (False, True),
        **DECAYS,
    },
    "Adam": {"lr": (0.01,), "amsgrad": (False, True), "decoupled_weight_decay": (False, True), **BETAS},
    "AdamW": {"lr": (0.01,), "amsgrad": (False, True), **BETAS},
    "Adagrad": {
        "lr": (0.05,), "lr_decay": (0, 0.01), "initial_accumulator_value": (0, 0.1), "eps": (1e-10, 1e-3), **DECAYS,
    },
    "Adadelta": {"lr": (1.0, 3.0), "rho": (0.9, 0.5), "eps": (1e-6, 1e-3), **DECAYS},
    "Adamax": {"lr": (0.01,), **BETAS},
    "NAdam": {"lr": (0.01,), "momentum_decay": (4e-3, 0.1), "decoupled_weight_decay": (False, True), **BETAS},
    "RAdam": {"lr": (0.01,), "decoupled_weight_decay": (False, True), **BETAS},
    "Rprop": {
        "lr": (0.01,), "etas": ((0.5, 1.2), (0.3, 1.5)), "step_sizes": ((1e-6, 50), (1e-3, 0.02)),
        "maximize": (False, True),
    },
    "ASGD": {"lr": (0.03,), "lambd": (1e-4, 0.1), "alpha": (0.75, 0.3), "t0": (1e6, 30), **DECAYS},
    "Adafactor": {
        "lr": (0.01, 0.2), "beta2_decay": (-0.8, -0.5), "eps": ((None, 1e-3), (1e-3, 0.1)), "d": (1.0, 2.0), **DECAYS,
    },
}  # fmt: skip
CASES: list[tuple[str, dict[str, Any]]] = [
    *(
        (name, options)
        for name, choices in CHOICES.items()
        for options in all_options(**choices)
        if not options.get("nesterov") or (options["momentum"] and not options["dampening"])
    ),
    *((name, {}) for name in CHOICES),
]
# One case each that keeps all the state an optimizer can have.
RICH: dict[str, dict[str, Any]] = {
    **{name: {} for name in CHOICES},
    "SGD": {"momentum": 0.9, "weight_decay": 0.01, "lr": 0.02},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adam": {"amsgrad": True},
    "ASGD": {"t0": 10},
}


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


def compare(own: Any, other: Any, tolerance: float) -> None:
    """The same parameters, and the same entries of the same shapes and dtypes in the state."""
    for p, q in zip(parameters(own), parameters(other), strict=True):
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=tolerance)
    state, expected = own.state_dict()["state"], other.state_dict()["state"]
    assert state.keys() == expected.keys()
    for number, entries in expected.items():
        assert list(state[number]) == list(entries)
        for key, value in entries.items():
            assert tuple(state[number][key].shape) == tuple(value.shape)
            assert str(state[number][key].dtype) == str(value.dtype).removeprefix("torch.")
            np.testing.assert_allclose(state[number][key].array, value.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_trajectories(name: str, options: dict[str, Any]) -> None:
    compare(*after_training(name, options, "float64", SHAPES), TOLERANCES["float64"])


@pytest.mark.parametrize("name", RICH)
def test_trajectories_in_float32(name: str) -> None:
    compare(*after_training(name, RICH[name], "float32", SHAPES), TOLERANCES["float32"])


@pytest.mark.parametrize("name", RICH)
def test_trajectories_of_large_parameters(name: str) -> None:
    compare(*after_training(name, RICH[name], "float64", LARGE), TOLERANCES["float64"])


# Of the others with these options PyTorch's step fails in the backward pass, or wants a number as rate.
LEARNED: list[tuple[str, dict[str, Any], bool]] = [
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}, True),
    ("Adam", {"lr": 0.1, "eps": 1e-3, "weight_decay": 0.1}, True),
    ("Adam", {"lr": 0.1, "eps": 1e-3, "weight_decay": 0.1, "decoupled_weight_decay": True}, True),
    ("AdamW", {"lr": 0.1, "eps": 1e-3}, True),
    ("RAdam", {"lr": 0.1, "betas": (0.9, 0.8)}, True),
    ("RMSprop", {"lr": 0.02, "eps": 1e-3, "momentum": 0.5}, False),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}, False),
    ("Adadelta", {"lr": 3.0, "eps": 1e-3}, False),
    ("NAdam", {"lr": 0.1, "eps": 1e-3, "weight_decay": 0.1, "decoupled_weight_decay": True}, False),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "t0": 1}, False),
]


@pytest.fixture
def double() -> Iterator[None]:
    """The numbers that an optimizer keeps, such as NAdam's mu_product, have the default dtype: here float64."""
    ad.set_default_dtype(ad.float64)
    torch.set_default_dtype(torch.float64)
    yield
    ad.set_default_dtype(ad.float32)
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("name", "options", "of_the_rate"), LEARNED, ids=str)
def test_derivatives_through_steps(name: str, options: dict[str, Any], of_the_rate: bool) -> None:
    """Of a loss after five steps, by the start of the parameters and the learning rate."""
    found = []
    for m, library, grad in ((torch, torch.optim, torch.autograd.grad), (ad, optim, ad.grad)):
        start = m.tensor([0.7, -1.3, 0.4], dtype=m.float64, requires_grad=True)
        rate = m.tensor(options["lr"], dtype=m.float64, requires_grad=True)
        p = start.clone()
        given = options | {"lr": rate} if of_the_rate else options
        optimizer = getattr(library, name)([p], **given, differentiable=True)
        for _ in range(5):
            x = p.clone()  # PyTorch writes into p, whose values the graph of the gradient needs
            (p.grad,) = grad((x.sin() + x * x).sum(), [x], create_graph=True)
            optimizer.step()
        found.append(np.append(*(g.numpy() for g in grad((p**3).sum(), [start, rate], materialize_grads=True))))
    np.testing.assert_allclose(*found, rtol=1e-10)


SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "StepLR": lambda s, o: s.StepLR(o, 5, 0.5),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 13),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, [0.05, 0.02], 31, cycle_momentum=False),
    "SequentialLR": lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)], [4]),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, patience=2),
}


@pytest.mark.parametrize("name", CHOICES)
def test_schedules_fill_a_rate_that_is_a_tensor(name: str) -> None:
    for schedule in SCHEDULES.values():
        found = []
        for m, library in ((torch, torch.optim), (ad, optim)):
            params = [m.ones(2, 3, dtype=m.float64).requires_grad_() for _ in range(2)]
            rates = [m.tensor(rate, dtype=m.float64) for rate in (0.1, 0.03)]
            groups = [{"params": [p], "lr": rate} for p, rate in zip(params, rates, strict=True)]
            optimizer = getattr(library, name)(groups)
            scheduler = schedule(library.lr_scheduler, optimizer)
            trace = []
            for _ in range(30):
                for i, p in enumerate(params):
                    p.grad = m.tensor(gradient(p.detach().numpy(), i), dtype=m.float64)
                optimizer.step()
                scheduler.step(*[1.0] * (type(scheduler).__name__ == "ReduceLROnPlateau"))
                assert all(g["lr"] is rate for g, rate in zip(optimizer.param_groups, rates, strict=True))
                trace.append([*(rate.item() for rate in rates), *(p.sum().item() for p in params)])
            found.append(trace)
        np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", RICH)
def test_trajectories_where_the_default_dtype_is_float64(name: str) -> None:
    compare(*after_training(name, RICH[name], "float64", [(5,), (3, 4)]), TOLERANCES["float64"])


@pytest.mark.parametrize("name", [*CHOICES, "LBFGS", "Muon"])
def test_arguments_and_defaults_are_pytorchs(name: str) -> None:
    own, other = (inspect.signature(getattr(module, name).__init__).parameters for module in (optim, torch.optim))
    assert [(p.name, p.kind, p.default) for p in own.values()] == [(p.name, p.kind, p.default) for p in other.values()]
    saved = getattr(optim, name)([ad.zeros(2, 2, requires_grad=True)]).state_dict()
    expected = getattr(torch.optim, name)([torch.zeros(2, 2, requires_grad=True)]).state_dict()
    assert saved["param_groups"] == expected["param_groups"]
    assert {k: list(v) for k, v in saved["state"].items()} == {k: list(v) for k, v in expected["state"].items()}


def to_ours(value: Any) -> Any:
    """A state of PyTorch with our tensors in the place of its."""
    if isinstance(value, torch.Tensor):
        return ad.from_numpy(value.detach().numpy().copy())
    if isinstance(value, dict):
        return {key: to_ours(entry) for key, entry in value.items()}
    return type(value)(map(to_ours, value)) if isinstance(value, list | tuple) else value


def to_torch(value: Any) -> Any:
    if isinstance(value, ad.Tensor):
        return torch.from_numpy(value.array.copy())
    if isinstance(value, dict):
        return {key: to_torch(entry) for key, entry in value.items()}
    return type(value)(map(to_torch, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", RICH)
def test_states_can_be_exchanged(name: str) -> None:
    """Each continues from the other's state as the other does."""
    own, other = after_training(name, RICH[name], "float64", SHAPES)
    ours = getattr(optim, name)([ad.from_numpy(q.copy()).requires_grad_() for q in parameters(other)])
    theirs = getattr(torch.optim, name)([torch.from_numpy(p.copy()).requires_grad_() for p in parameters(own)])
    ours.load_state_dict(to_ours(other.state_dict()))
    theirs.load_state_dict(to_torch(own.state_dict()))
    for optimizer in (own, other, ours, theirs):
        ones = torch.ones_like if isinstance(optimizer, torch.optim.Optimizer) else ad.ones_like
        for p in optimizer.param_groups[0]["params"]:
            p.grad = ones(p)
        optimizer.step()
    compare(ours, other, 1e-12)
    # Loading makes PyTorch's counters float64, except "step", and its next step rounds them less.
    tolerance = 1e-7 if name in ("NAdam", "ASGD") else 1e-13
    for p, q in zip(parameters(own), parameters(theirs), strict=True):
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=tolerance)


def rosenbrock(x: Any) -> Any:
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def minimized(
    module: Any, ml: Any, tensor: Callable[[Any], Any], steps: int, **options: Any
) -> tuple[Any, list[float]]:
    """The optimizer after `steps` of L-BFGS down Rosenbrock's valley, cut in two parameters; and the losses."""
    start = np.array([-1.2, 1.0, 0.3, -0.5, 0.8, 0.1])
    params = [tensor(start[:2].copy()).requires_grad_(), tensor(start[2:].reshape(2, 2).copy()).requires_grad_()]
    optimizer = module.LBFGS(params, **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = rosenbrock(ml.cat([p.reshape(-1) for p in params]))
        loss.backward()
        return loss

    return optimizer, [float(optimizer.step(closure)) for _ in range(steps)]


# PyTorch's L-BFGS takes float(loss), of which PyTorch warns.
FLOAT_OF_LOSS = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
HISTORIES: dict[str, tuple[Any, ...]] = {"history_size": (100, 3), "max_iter": (20, 4), "max_eval": (None, 7)}
LBFGS = [
    *all_options(line_search_fn=("strong_wolfe",), lr=(1, 0.5), **HISTORIES),
    # Without a line search a step of 1 leaves the valley for infinity.
    *all_options(line_search_fn=(None,), lr=(1e-3,), **HISTORIES),
]


@FLOAT_OF_LOSS
def test_lbfgs() -> None:
    for options in LBFGS:
        own, losses = minimized(optim, ad, ad.from_numpy, 6, **options)
        other, expected = minimized(torch.optim, torch, torch.from_numpy, 6, **options)
        # Roundings of 1e-16, which differ between processors, grow along the curved valley, whose scale is 1.
        np.testing.assert_allclose(losses, expected, rtol=1e-8, atol=1e-12, err_msg=str(options))
        for p, q in zip(parameters(own), parameters(other), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-8, atol=1e-8, err_msg=str(options))
        state, theirs = own.state_dict()["state"][0], other.state_dict()["state"][0]
        assert state.keys() == theirs.keys()
        assert (state["n_iter"], state["func_evals"]) == (theirs["n_iter"], theirs["func_evals"])
        for name, value in theirs.items():
            np.testing.assert_allclose(numbers_of(state[name]), numbers_of(value), rtol=1e-5, atol=1e-9)


def numbers_of(value: Any) -> np.ndarray:
    """All numbers of an entry of L-BFGS's state, which is a number, a tensor or a list of them, or of None."""
    if isinstance(value, list):
        return np.concatenate([np.zeros(0), *(numbers_of(entry) for entry in value if entry is not None)])
    return np.asarray(value.detach().numpy() if hasattr(value, "detach") else value, np.float64).reshape(-1)


@FLOAT_OF_LOSS
@pytest.mark.parametrize("line_search_fn", ["strong_wolfe", None])
def test_states_of_lbfgs_can_be_exchanged(line_search_fn: str | None) -> None:
    options = {"line_search_fn": line_search_fn, "lr": 1 if line_search_fn else 1e-3, "max_iter": 5}
    own, _ = minimized(optim, ad, ad.from_numpy, 2, **options)
    other, _ = minimized(torch.optim, torch, torch.from_numpy, 2, **options)
    own.load_state_dict(to_ours(other.state_dict()))
    other.load_state_dict(to_torch(own.state_dict()))
    for optimizer, ml in ((own, ad), (other, torch)):

        def closure(optimizer: Any = optimizer, ml: Any = ml) -> Any:
            optimizer.zero_grad()
            loss = rosenbrock(ml.cat([p.reshape(-1) for p in optimizer.param_groups[0]["params"]]))
            loss.backward()
            return loss

        optimizer.step(closure)
    for p, q in zip(parameters(own), parameters(other), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.02},
        *all_options(
            lr=(0.05,), momentum=(0.95, 0.5), nesterov=(False, True), weight_decay=(0.0, 0.1),
            adjust_lr_fn=(None, "original", "match_rms_adamw"),
        ),
        {"lr": 0.02, "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-3},
    ],
    ids=str,
)  # fmt: skip
def test_muon(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch iterates in bfloat16; this is left out here, where that dtype does not exist."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())
    compare(*after_training("Muon", options, "float64", [(3, 4), (5, 2), (6, 6)]), TOLERANCES["float64"])
