"""Groups, state, saving and loading, hooks, and what is refused."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
import optim
from autodiff.tensor import Tensor
from tests.optim.cases import OPTIMIZERS

SHAPES = [(3, 2), (2,), (90, 60)]


def parameters(seed: int = 0, dtype: Any = ad.float32) -> list[Tensor]:
    rng = np.random.default_rng(seed)
    return [ad.tensor(rng.standard_normal(shape), dtype=dtype, requires_grad=True) for shape in SHAPES]


def train(optimizer: optim.Optimizer, params: list[Tensor], steps: int) -> None:
    """Descend a function whose gradient depends on the parameters, so that a lost bit would grow."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (params[0] @ params[1]).sin().sum() + (params[2] ** 2).sum() / 2 + params[2].cos().sum()
        loss.backward()
        optimizer.step()


def bits(params: list[Tensor]) -> list[bytes]:
    return [p.array.tobytes() for p in params]


def state_bits(optimizer: optim.Optimizer) -> dict[Any, Any]:
    saved = optimizer.state_dict()["state"]
    return {key: {name: value.array.tobytes() for name, value in state.items()} for key, state in saved.items()}


# Groups


def test_options_of_a_group_take_the_place_of_the_defaults() -> None:
    a, b, c = parameters()
    optimizer = optim.SGD([{"params": [a]}, {"params": [b, c], "lr": 1e-3, "name": "head"}], lr=0.1, momentum=0.9)
    assert [(group["lr"], group["momentum"]) for group in optimizer.param_groups] == [(0.1, 0.9), (1e-3, 0.9)]
    assert optimizer.param_groups[1]["name"] == "head"
    for p in (a, b, c):
        p.grad = ad.ones_like(p)
    before = [p.detach().clone() for p in (a, b, c)]
    optimizer.step()
    for p, old, rate in zip((a, b, c), before, (0.1, 1e-3, 1e-3), strict=True):
        np.testing.assert_array_equal(p.array, old.array - np.float32(rate))


def test_a_dict_given_as_a_group_is_not_changed() -> None:
    given = {"params": parameters()}
    optim.SGD([given], lr=0.1)
    assert given.keys() == {"params"}


def test_a_group_added_later_starts_from_the_first_step() -> None:
    a, b, c = parameters()
    optimizer = optim.Adam([a, b])
    train(optimizer, [a, b, c], 3)
    optimizer.add_param_group({"params": c, "betas": (0.5, 0.5)})
    train(optimizer, [a, b, c], 2)
    steps = [state["step"].item() for state in optimizer.state_dict()["state"].values()]
    assert steps == [5.0, 5.0, 2.0]


def test_names_of_named_parameters_are_kept() -> None:
    named = list(zip(("weight", "bias", "head"), parameters(), strict=True))
    optimizer = optim.SGD(named, lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias", "head"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias", "head"]
    groups = optim.SGD([{"params": named[:1]}, {"params": named[1:]}], lr=0.1).param_groups
    assert [group["param_names"] for group in groups] == [["weight"], ["bias", "head"]]


def test_parameters_may_be_frozen_and_freed_again() -> None:
    a, b, _ = parameters()
    a.requires_grad_(False)
    optimizer = optim.SGD([a, b], lr=0.1)
    frozen = bits([a])
    (a @ b).sum().backward()
    optimizer.step()
    assert bits([a]) == frozen
    a.requires_grad_()
    (a @ b).sum().backward()
    optimizer.step()
    assert bits([a]) != frozen


def test_zero_grad() -> None:
    a, b, c = params = parameters()
    optimizer = optim.SGD(params, lr=0.1)
    (a @ b).sum().backward()
    gradient = a.grad
    assert gradient is not None
    memory = gradient.array
    optimizer.zero_grad(set_to_none=False)
    assert a.grad is gradient
    assert gradient.array is memory
    assert not memory.any()
    assert c.grad is None
    optimizer.zero_grad()
    assert a.grad is None


def test_repr_shows_the_options() -> None:
    text = repr(optim.SGD(parameters(), lr=0.1, momentum=0.9))
    assert text.splitlines()[:2] == ["SGD (", "Parameter Group 0"]
    assert "    lr: 0.1" in text
    assert "    momentum: 0.9" in text


# Saving and loading


def test_state_dict_has_pytorchs_structure() -> None:
    a, b, c = params = parameters()
    optimizer = optim.Adam([{"params": [a]}, {"params": [b, c], "lr": 0.5}], lr=0.1)
    assert optimizer.state_dict()["state"] == {}
    train(optimizer, params, 2)
    saved = optimizer.state_dict()
    assert saved.keys() == {"state", "param_groups"}
    assert [(group["params"], group["lr"]) for group in saved["param_groups"]] == [([0], 0.1), ([1, 2], 0.5)]
    assert list(saved["state"]) == [0, 1, 2]
    for p, state in zip(params, saved["state"].values(), strict=True):
        assert list(state) == ["step", "exp_avg", "exp_avg_sq"]
        assert state["step"].item() == 2.0
        assert (state["step"].shape, state["step"].dtype) == ((), ad.float32)
        assert state["exp_avg"].shape == p.shape
        assert state["exp_avg"] is optimizer.state[p]["exp_avg"]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [ad.float32, ad.float64])
def test_a_run_that_was_saved_goes_on_bit_for_bit(name: str, dtype: Any) -> None:
    straight = parameters(dtype=dtype)
    whole = OPTIMIZERS[name](straight)
    train(whole, straight, 12)

    params = parameters(dtype=dtype)
    first = OPTIMIZERS[name](params)
    train(first, params, 7)
    file = pickle.dumps((params, first.state_dict()))
    loaded, saved = pickle.loads(file)
    second = OPTIMIZERS[name](loaded)
    second.load_state_dict(saved)
    train(second, loaded, 5)

    assert bits(loaded) == bits(straight)
    assert state_bits(second) == state_bits(whole)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_loading_copies(name: str) -> None:
    params, others = parameters(), parameters()
    first, second = OPTIMIZERS[name](params), OPTIMIZERS[name](others)
    train(first, params, 3)
    before = state_bits(first)
    second.load_state_dict(first.state_dict())
    train(second, others, 3)
    rate = first.param_groups[0]["lr"]
    second.param_groups[0]["lr"] = 7.0
    assert state_bits(first) == before
    assert first.param_groups[0]["lr"] == rate


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_copies_and_pickles_go_on_by_themselves(name: str) -> None:
    params = parameters()
    optimizer = OPTIMIZERS[name](params)
    train(optimizer, params, 3)
    twins = [copy.deepcopy((params, optimizer)), pickle.loads(pickle.dumps((params, optimizer)))]
    train(optimizer, params, 2)
    for own, twin in twins:
        train(twin, own, 2)
        assert bits(own) == bits(params)
        assert state_bits(twin) == state_bits(optimizer)


def test_loading_converts_to_the_dtype_of_the_parameters() -> None:
    params, wide = parameters(), parameters(dtype=ad.float64)
    first, second = optim.Adam(params), optim.Adam(wide)
    train(first, params, 2)
    second.load_state_dict(first.state_dict())
    state = second.state[wide[0]]
    assert (state["exp_avg"].dtype, state["step"].dtype) == (ad.float64, ad.float32)


def test_options_are_loaded_with_what_the_user_added() -> None:
    params = parameters()
    first, second = optim.SGD(params, lr=0.1), optim.SGD(params, lr=0.2)
    first.param_groups[0]["initial_lr"] = 0.3
    second.load_state_dict(first.state_dict())
    assert (second.param_groups[0]["lr"], second.param_groups[0]["initial_lr"]) == (0.1, 0.3)
    assert second.param_groups[0]["params"][0] is params[0]


def spoil_number_of_groups(saved: dict[str, Any]) -> None:
    saved["param_groups"].append(saved["param_groups"][0])


def spoil_number_of_parameters(saved: dict[str, Any]) -> None:
    saved["param_groups"][0]["params"] = [0, 1]


def spoil_shape(saved: dict[str, Any]) -> None:
    saved["state"][2]["exp_avg_sq"] = ad.zeros(60, 90)


def spoil_number(saved: dict[str, Any]) -> None:
    saved["state"][1]["step"] = ad.zeros(2)


def spoil_key(saved: dict[str, Any]) -> None:
    saved["state"][5] = saved["state"][0]


def spoil_options(saved: dict[str, Any]) -> None:
    del saved["param_groups"][0]["betas"]


def spoil_rate(saved: dict[str, Any]) -> None:
    saved["param_groups"][0]["lr"] = -1.0


def spoil_names(saved: dict[str, Any]) -> None:
    saved["param_groups"][0]["param_names"] = ["w", "bias", "head"]


def spoil_structure(saved: dict[str, Any]) -> None:
    del saved["state"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_number_of_groups, "number of parameter groups: expected 1, got 2"),
        (spoil_number_of_parameters, "group 0 has 3 parameters, the loaded one 2"),
        (spoil_shape, r"'exp_avg_sq' of parameter head .* expected shape \(90, 60\), .* \(60, 90\)"),
        (spoil_number, r"'step' of parameter bias .* expected shape \(\), .* \(2,\)"),
        (spoil_key, r"parameter 5, expected one of \[0, 1, 2\]"),
        (spoil_options, r"lacks the options \['betas'\].*another Adam"),
        (spoil_rate, "invalid lr in parameter group 0.* -1.0"),
        (spoil_names, r"lacks weight \(3, 2\); it has w \(3, 2\) instead"),
        (spoil_structure, r"without \['state'\]"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    spoil: Callable[[dict[str, Any]], None], message: str
) -> None:
    params = parameters()
    optimizer = optim.Adam(zip(("weight", "bias", "head"), params, strict=True))
    train(optimizer, params, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    spoil(saved)
    for value in saved.get("state", {}).get(0, {}).values():
        value.array[...] = 9.0
    before, groups = state_bits(optimizer), copy.deepcopy(optimizer.state_dict()["param_groups"])
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert state_bits(optimizer) == before
    assert optimizer.state_dict()["param_groups"] == groups


def test_the_state_of_another_optimizer_is_refused() -> None:
    params = parameters()
    saved = optim.RMSprop(params).state_dict()
    with pytest.raises(ValueError, match="betas"):
        optim.Adam(params).load_state_dict(saved)


# Closures and hooks


def test_a_closure_is_called_with_recording_on_and_its_loss_returned() -> None:
    x = ad.tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([x], lr=0.25)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with ad.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 4.0
    assert x.item() == 1.0


def test_hooks_run_before_and_after_every_step_until_they_are_removed() -> None:
    x = ad.tensor([1.0], requires_grad=True)
    x.grad = ad.ones(1)
    optimizer = optim.SGD([x], lr=1.0)
    seen: list[tuple[str, float]] = []
    before = optimizer.register_step_pre_hook(lambda *_: seen.append(("before", x.item())))
    after = optimizer.register_step_post_hook(lambda *_: seen.append(("after", x.item())))
    optimizer.step()
    before.remove()
    optimizer.step()
    after.remove()
    after.remove()
    optimizer.step()
    assert seen == [("before", 1.0), ("after", 0.0), ("after", -1.0)]


def test_a_hook_may_give_the_step_other_arguments() -> None:
    optimizer = optim.SGD(parameters(), lr=1.0)
    optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: ((), {"closure": lambda: 5.0}))
    assert optimizer.step() == 5.0


def test_a_hook_that_returns_something_else_is_refused() -> None:
    optimizer = optim.SGD(parameters(), lr=1.0)
    optimizer.register_step_pre_hook(lambda *_: 3)
    with pytest.raises(TypeError, match=r"None or \(args, kwargs\), got 3"):
        optimizer.step()


def test_hooks_run_once_around_a_step_that_a_subclass_defines() -> None:
    class Own(optim.Optimizer):
        def step(self, closure: Any = None) -> str:
            return "own"

    class Extended(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    for optimizer in (Own(parameters(), {}), Extended(parameters())):
        calls: list[int] = []
        optimizer.register_step_post_hook(lambda *_, calls=calls: calls.append(1))
        optimizer.step()
        assert calls == [1]


def test_hooks_run_again_after_a_step_that_failed() -> None:
    optimizer = optim.SGD(parameters(), lr=1.0)
    calls: list[int] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append(1))
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    optimizer.step()
    assert calls == [1, 1]


# What is refused


def constant() -> Tensor:
    return ad.ones(2)


def computed() -> Tensor:
    return ad.ones(2, requires_grad=True) * 2


def read_only() -> Tensor:
    array = np.ones(2, np.float32)
    tensor = ad.from_numpy(array).requires_grad_()
    array.flags.writeable = False
    return tensor


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (lambda: ad.ones(2, requires_grad=True), TypeError, r"got a Tensor: pass \[tensor\]"),
        (lambda: nn.Linear(1, 1), TypeError, r"got the module Linear: pass model.parameters\(\)"),
        (list, ValueError, "empty parameter list"),
        (lambda: (p for p in ()), ValueError, "empty parameter list"),
        (lambda: [constant()], ValueError, r"none that requires grad: call p.requires_grad_\(\)"),
        (lambda: [computed()], ValueError, "non-leaf Tensor: parameter 0 of group 0 was computed by <MulBackward0>"),
        (lambda: [("w", computed())], ValueError, "'w'"),
        (lambda: [read_only()], ValueError, "read-only memory"),
        (lambda: [*parameters(), np.ones(2)], TypeError, "parameter 3 of group 0 is a ndarray: expected a Tensor"),
        (lambda: [1.0], TypeError, "is a float: expected a Tensor"),
        (lambda: [parameters()[0]] * 2, ValueError, "parameter 1 of group 0 was given before"),
        (lambda: [{"params": [p, p]} for p in parameters()], ValueError, "given before"),
        (lambda: [{"params": p} for p in [parameters()[0]] * 2], ValueError, "parameter 0 of group 1 was given before"),
        (lambda: [{"params": parameters()}, *parameters()], TypeError, "must be a dict .* do not mix"),
        (lambda: [{"params": set(parameters())}], TypeError, "an order that is the same in every run, got a set"),
        (lambda: [("a", parameters()[0]), parameters()[1]], ValueError, "for all parameters or for none, got 1 for 2"),
        (lambda: [{"params": parameters(), "lr": -1.0}], ValueError, "invalid lr in parameter group 0"),
    ],
)
def test_parameters_that_cannot_be_trained(params: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        optim.SGD(params(), lr=0.1)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        *((cls, {"lr": -1e-3}) for cls in (optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW)),
        (optim.SGD, {"lr": float("nan")}),
        (optim.SGD, {"lr": float("inf")}),
        (optim.SGD, {"lr": "0.1"}),
        (optim.SGD, {"lr": None}),
        (optim.SGD, {"lr": ad.tensor([0.1, 0.2])}),
        (optim.SGD, {"lr": ad.tensor(-0.1)}),
        (optim.SGD, {"momentum": -0.1}),
        (optim.SGD, {"weight_decay": -0.1}),
        (optim.SGD, {"nesterov": True}),
        (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
        (optim.RMSprop, {"alpha": 1.5}),
        (optim.RMSprop, {"eps": -1e-8}),
        (optim.RMSprop, {"momentum": -0.1}),
        (optim.RMSprop, {"weight_decay": -0.1}),
        (optim.Adam, {"betas": (1.0, 0.999)}),
        (optim.Adam, {"betas": (0.9, -0.1)}),
        (optim.Adam, {"eps": -1.0}),
        (optim.AdamW, {"weight_decay": float("inf")}),
    ],
)
def test_options_out_of_range(cls: Any, options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(ValueError, match="Nesterov" if name == "nesterov" else f"invalid {name} in parameter group 0"):
        cls(parameters(), **options)


def test_a_rate_that_is_set_later_must_be_finite() -> None:
    a, b, c = params = parameters()
    optimizer = optim.SGD([{"params": [a]}, {"params": [b, c]}], lr=0.1)
    optimizer.param_groups[1]["lr"] = float("nan")
    with pytest.raises(ValueError, match="finite lr in parameter group 1, got nan"):
        train(optimizer, params, 1)


def test_a_gradient_of_another_shape_is_refused() -> None:
    a, b, _ = params = parameters()
    a.grad = ad.ones(2, 3)
    b.grad = ad.ones(2)
    before = bits(params)
    with pytest.raises(
        ValueError, match=r"parameter 0 of group 0, of shape \(3, 2\), to have that shape, got \(2, 3\)"
    ):
        optim.SGD(params, lr=0.1).step()
    assert bits(params) == before


def test_an_optimizer_without_an_update_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match="define update_group"):
        optim.Optimizer(parameters(), {"lr": 0.1}).step()
    p = parameters()[0]
    p.grad = ad.ones_like(p)
    with pytest.raises(NotImplementedError, match="define update"):
        optim.Elementwise([p], {"lr": 0.1}).step()


def test_finite_gradients_whose_squares_are_not_make_a_step_without_a_warning() -> None:
    p = ad.zeros(3, requires_grad=True)
    optimizer = optim.SGD([p], lr=1e-25)
    p.grad = ad.full((3,), 1e25)
    optimizer.step()
    np.testing.assert_allclose(p.detach().array, -1.0, rtol=1e-6)
