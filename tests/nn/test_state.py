"""State dictionaries: their keys, loading, and what is said of one that does not fit."""

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.tensor import Tensor


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1, bias=False))


KEYS = [
    "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked", "2.weight",
]  # fmt: skip


def values(module: nn.Module) -> dict[str, np.ndarray]:
    return {key: value.numpy().copy() for key, value in module.state_dict().items()}


def test_keys_and_memory() -> None:
    net = model()
    state = net.state_dict()
    assert list(state) == KEYS
    assert not any(tensor.requires_grad for tensor in state.values())
    assert np.shares_memory(state["0.weight"].numpy(), net[0].weight.detach().numpy())
    assert net.state_dict(keep_vars=True)["0.weight"] is net[0].weight
    filled: dict[str, Tensor] = {"first": ad.zeros(1)}
    assert net.state_dict(destination=filled, prefix="net.") is filled
    assert list(filled) == ["first", *(f"net.{key}" for key in KEYS)]


def test_buffers_that_are_not_persistent_are_left_out_and_shared_modules_are_named_twice() -> None:
    net = nn.Module()
    net.register_buffer("cache", ad.zeros(2), persistent=False)
    net.register_buffer("kept", ad.zeros(2))
    net.a = net.b = nn.Linear(1, 1)
    assert list(net.state_dict()) == ["kept", "a.weight", "a.bias", "b.weight", "b.bias"]


def test_loading_copies_into_the_same_parameters() -> None:
    source, target = model(), model().double()
    source[1](source[0](ad.randn(5, 2)))
    before = list(target.parameters())
    result = target.load_state_dict(source.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert result == ([], [])
    assert all(a is b for a, b in zip(before, target.parameters(), strict=True))
    for key, value in values(source).items():
        np.testing.assert_array_equal(target.state_dict()[key].numpy(), value)
    assert target[0].weight.dtype == ad.float64
    assert target[0].weight.requires_grad
    assert target[1].num_batches_tracked.item() == 1
    assert not np.shares_memory(target[0].weight.detach().numpy(), source[0].weight.detach().numpy())


def test_arrays_can_be_loaded() -> None:
    source, target = model(), model()
    target.load_state_dict(values(source))
    np.testing.assert_array_equal(target[2].weight.detach().numpy(), source[2].weight.detach().numpy())


def test_everything_that_does_not_fit_is_listed_and_nothing_is_changed() -> None:
    net = model()
    state = model().state_dict()
    state["0.weight"] = ad.zeros(4, 2)
    state["1.bias"] = [0.0] * 3
    state["2.weight"] = np.zeros((1, 3), np.complex64)
    del state["1.weight"]
    state["extra.weight"] = ad.zeros(5)
    before = values(net)
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    assert str(error.value).splitlines() == [
        "load_state_dict: the state does not fit Sequential, which is left unchanged:",
        "  size mismatch for 0.weight: (3, 2) in the module, (4, 2) in the state",
        "  expected a tensor for 1.bias, got list",
        "  dtype mismatch for 2.weight: float32 in the module, complex64 in the state",
        "  missing key 1.weight (3,)",
        "  unexpected key extra.weight (5,)",
        "strict=False would load only the keys that both have.",
    ]
    for key, value in values(net).items():
        np.testing.assert_array_equal(value, before[key])


def test_partial_loading() -> None:
    net = model()
    state = {"0.bias": ad.ones(3), "other": ad.ones(1)}
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == [key for key in KEYS if key != "0.bias"]
    assert result.unexpected_keys == ["other"]
    assert repr(result).startswith("_IncompatibleKeys(missing_keys=['0.weight', ")
    np.testing.assert_array_equal(net[0].bias.detach().numpy(), np.ones(3))
    with pytest.raises(RuntimeError, match=r"size mismatch for 0.bias: \(3,\) in the module, \(4,\) in the state"):
        net.load_state_dict({"0.bias": ad.ones(4)}, strict=False)


def test_loading_something_else() -> None:
    with pytest.raises(TypeError, match=r"expected a dictionary from names to tensors.*got Sequential"):
        model().load_state_dict(model())


def test_a_loaded_parameter_is_seen_by_a_graph_that_saved_it() -> None:
    net = nn.Linear(2, 1)
    loss = net(ad.ones(1, 2).requires_grad_()).sum()
    net.load_state_dict({"weight": ad.zeros(1, 2), "bias": ad.zeros(1)})
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
