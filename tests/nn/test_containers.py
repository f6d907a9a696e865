"""Containers: indexing, order, names, printing."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn


def names(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_children()]


def widths(container: Any) -> list[int]:
    return [layer.out_features for layer in container]


def layers(count: int) -> list[nn.Linear]:
    return [nn.Linear(1, width) for width in range(1, count + 1)]


def test_sequential_calls_each_on_the_result_of_the_one_before() -> None:
    first, last = nn.Linear(2, 3), nn.Linear(3, 1)
    model = nn.Sequential(first, nn.ReLU(), last)
    x = ad.randn(5, 2)
    np.testing.assert_array_equal(model(x).detach().numpy(), last(first(x).relu()).detach().numpy())
    assert nn.Sequential()(x) is x


def test_sequential_names_and_slices() -> None:
    a, b, c = layers(3)
    model = nn.Sequential(OrderedDict([("first", a), ("second", b), ("third", c)]))
    assert names(model) == ["first", "second", "third"]
    assert model.second is model[1] is b
    assert model[-1] is c
    assert names(model[1:]) == ["second", "third"]
    assert names(nn.Sequential(a, b, c)[1:]) == ["1", "2"]
    assert type(model[:2]) is nn.Sequential
    assert list(model) == [a, b, c]
    assert len(model) == 3
    with pytest.raises(IndexError, match="index 3 is out of range for a Sequential of 3"):
        model[3]


def test_an_element_added_to_a_slice_replaces_nothing() -> None:
    model = nn.Sequential(*layers(3))[1:].append(nn.Linear(1, 9))
    assert widths(model) == [2, 3, 9]


@pytest.mark.parametrize("build", [lambda modules: nn.Sequential(*modules), nn.ModuleList])
def test_lists_of_modules(build: Any) -> None:
    model = build(layers(3))
    assert model.append(nn.Linear(1, 4)) is model
    assert widths(model) == [1, 2, 3, 4]
    model.extend([nn.Linear(1, 5)])
    model.insert(0, nn.Linear(1, 6))
    assert widths(model) == [6, 1, 2, 3, 4, 5]
    del model[1]
    assert widths(model) == [6, 2, 3, 4, 5]
    assert names(model) == ["0", "1", "2", "3", "4"]
    del model[3:]
    assert widths(model) == [6, 2, 3]
    model[0] = nn.Linear(1, 7)
    model[-1] = nn.Linear(1, 8)
    assert widths(model) == [7, 2, 8]
    assert model.pop().out_features == 8
    assert model.pop(0).out_features == 7
    model += [nn.Linear(1, 9)]
    assert widths(model) == [2, 9]
    assert widths(model + build(layers(1))) == [2, 9, 1]
    assert widths(model[::-1]) == [9, 2]
    assert len(list(model.parameters())) == 4
    with pytest.raises(TypeError, match=r"cannot assign int to .*a registered module: expected an nn.Module"):
        model.append(3)
    with pytest.raises(TypeError, match="registered module"):
        model.insert(0, 3)
    with pytest.raises(TypeError, match="registered module"):
        model[0] = 3
    assert widths(model) == [2, 9]


def test_sequential_repeats_the_same_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 2)) * 3
    assert len(model) == 3
    assert model[0] is model[2]
    assert len(list(model.parameters())) == 2


def test_module_list_prints_repeated_blocks_once_and_is_not_called() -> None:
    blocks = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.ReLU())])
    assert repr(blocks) == (
        "ModuleList(\n"
        "  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)\n"
        "  (2): ReLU()\n"
        "  (3): Sequential(\n"
        "    (0): ReLU()\n"
        "  )\n"
        ")"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"
    with pytest.raises(NotImplementedError, match=r"loop over it, or use nn.Sequential"):
        blocks(ad.zeros(2))


def test_a_subclass_of_sequential_may_hold_other_things() -> None:
    class Scaled(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Linear(2, 2), nn.ReLU())
            self.scale = nn.Parameter(ad.ones(2))
            self.register_buffer("steps", ad.tensor(0))

    model = Scaled()
    assert len(model) == 2
    assert model(ad.ones(1, 2)).shape == (1, 2)
    assert list(model.state_dict()) == ["scale", "steps", "0.weight", "0.bias"]


def test_module_dict() -> None:
    model = nn.ModuleDict({"relu": nn.ReLU(), "linear": nn.Linear(1, 1)})
    assert list(model) == list(model.keys()) == ["relu", "linear"]
    assert model["linear"] is model.linear
    assert "relu" in model
    assert "training" not in model
    assert [type(module) for module in model.values()] == [nn.ReLU, nn.Linear]
    model["relu"] = nn.Tanh()
    model.update({"last": nn.Linear(1, 2)})
    assert next(iter(model.items()))[0] == "relu"
    assert names(model) == ["relu", "linear", "last"]
    del model["linear"]
    assert isinstance(model.pop("relu"), nn.Tanh)
    assert names(model) == ["last"]
    model.clear()
    assert len(model) == 0
    assert nn.ModuleDict() != nn.ModuleDict()
    assert len({nn.ModuleDict(), nn.ModuleDict()}) == 2
    with pytest.raises(KeyError, match="already has an attribute 'keys'"):
        model["keys"] = nn.ReLU()
    with pytest.raises(KeyError, match="training"):
        del model["training"]
    with pytest.raises(KeyError):
        model["other"]
    with pytest.raises(TypeError, match="registered module"):
        model["other"] = 3


def test_parameter_list() -> None:
    shared = ad.zeros(2)
    parameters = nn.ParameterList([shared, nn.Parameter(ad.zeros(2, 3))])
    assert [type(parameter) for parameter in parameters] == [nn.Parameter, nn.Parameter]
    assert np.shares_memory(parameters[0].detach().numpy(), shared.numpy())
    parameters.append(ad.ones(1))
    parameters[0] = ad.ones(4)
    assert [p.shape for p in parameters] == [(4,), (2, 3), (1,)]
    assert [p.shape for p in parameters[1:]] == [(2, 3), (1,)]
    assert [name for name, _ in parameters.named_parameters()] == ["0", "1", "2"]
    assert repr(parameters[1:]) == (
        "ParameterList(\n"
        "    (0): Parameter containing: [float32 of size 2x3]\n"
        "    (1): Parameter containing: [float32 of size 1]\n"
        ")"
    )
    with pytest.raises(TypeError, match="Parameter expected a tensor, got int"):
        parameters.append(3)


def test_parameter_dict() -> None:
    parameters = nn.ParameterDict({"scale": ad.ones(2)})
    parameters["shift"] = ad.zeros(2)
    assert [name for name, _ in parameters.named_parameters()] == ["scale", "shift"]
    assert parameters["shift"] is parameters.shift
    assert isinstance(parameters.get("scale"), nn.Parameter)
    assert parameters.get("other") is None
    assert list(nn.ParameterDict([("b", ad.zeros(1)), ("a", ad.zeros(1))])) == ["b", "a"]
    assert "torch.FloatTensor of size 2" in repr(parameters)
    with pytest.raises(TypeError, match="Parameter expected a tensor, got int"):
        parameters["bad"] = 3
