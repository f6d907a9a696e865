"""`Module`: what is registered, in which order and under which names, modes, conversion, printing, copies."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.tensor import Tensor


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.linear(x))
        return result


class Model(nn.Module):
    """Has a shared block, a parameter, a buffer that is not persistent, and a module that is None."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(ad.ones(2))
        self.first = Block()
        self.again = self.first
        self.last = nn.Linear(2, 1)
        self.register_module("absent", None)
        self.register_parameter("missing", None)
        self.register_buffer("steps", ad.tensor(0))
        self.register_buffer("cache", ad.zeros(2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(self.again(self.first(x * self.scale)))
        return result

    def extra_repr(self) -> str:
        return "kind=test"


BLOCK = ["linear.weight", "linear.bias", "norm.weight", "norm.bias"]
BUFFERS = ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]


def prefixed(prefix: str, names: list[str]) -> list[str]:
    return [f"{prefix}.{name}" for name in names]


def test_names_of_what_is_registered() -> None:
    model = Model()
    inside = ["", "first", "first.linear", "first.norm"]
    assert [name for name, _ in model.named_modules()] == [*inside, "last"]
    assert [name for name, _ in model.named_modules(prefix="m")] == ["m", *prefixed("m", [*inside[1:], "last"])]
    twice = [*inside, "again", "again.linear", "again.norm", "last"]
    assert [name for name, _ in model.named_modules(remove_duplicate=False)] == twice
    assert [name for name, _ in model.named_children()] == ["first", "last"]
    parameters = ["scale", *prefixed("first", BLOCK), "last.weight", "last.bias"]
    assert [name for name, _ in model.named_parameters()] == parameters
    assert [name for name, _ in model.named_parameters(prefix="m")] == prefixed("m", parameters)
    assert [name for name, _ in model.named_parameters(recurse=False)] == ["scale"]
    twice = ["scale", *prefixed("first", BLOCK), *prefixed("again", BLOCK), "last.weight", "last.bias"]
    assert [name for name, _ in model.named_parameters(remove_duplicate=False)] == twice
    assert [name for name, _ in model.named_buffers()] == ["steps", "cache", *prefixed("first", BUFFERS)]
    assert [name for name, _ in model.named_buffers(recurse=False)] == ["steps", "cache"]
    assert len(list(model.parameters())) == len(parameters)
    assert len(list(model.buffers())) == 5
    assert [type(module) for module in model.children()] == [Block, nn.Linear]
    assert len(list(model.modules())) == 5


def test_assigning_registers_and_the_order_is_that_of_registration() -> None:
    module = nn.Module()
    module.late = None
    module.w = nn.Parameter(ad.zeros(1))
    module.b = nn.Parameter(ad.zeros(2))
    module.late = nn.Parameter(ad.zeros(3))
    assert [name for name, _ in module.named_parameters()] == ["w", "b", "late"]
    module.w = nn.Parameter(ad.zeros(4))
    assert [parameter.shape for parameter in module.parameters()] == [(4,), (2,), (3,)]
    module.b = None
    assert [name for name, _ in module.named_parameters()] == ["w", "late"]
    module.b = nn.Parameter(ad.zeros(5))
    assert [name for name, _ in module.named_parameters()] == ["w", "b", "late"]
    del module.w
    assert [name for name, _ in module.named_parameters()] == ["b", "late"]
    module.b = nn.Linear(1, 1)
    assert [name for name, _ in module.named_parameters()] == ["late", "b.weight", "b.bias"]


def test_a_tensor_is_an_attribute_and_a_registered_buffer_stays_one() -> None:
    module = nn.Module()
    module.plain = ad.zeros(2)
    module.register_buffer("mean", ad.zeros(2))
    module.mean = ad.ones(2)
    assert [name for name, _ in module.named_buffers()] == ["mean"]
    module.mean = None
    assert list(module.named_buffers()) == []
    assert list(module.state_dict()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale", ad.zeros(2), r"cannot assign Tensor to Model.scale, a registered parameter: expected nn.Parameter"),
        ("scale", 3, "cannot assign int to Model.scale"),
        ("last", ad.relu, "cannot assign function to Model.last, a registered module: expected an nn.Module"),
        ("steps", 3, "cannot assign int to Model.steps, a registered buffer: expected a tensor"),
    ],
)
def test_what_is_registered_cannot_become_something_else(name: str, value: Any, message: str) -> None:
    model = Model()
    with pytest.raises(TypeError, match=message):
        setattr(model, name, value)
    assert getattr(model, name) is not value


def test_names_that_cannot_be_registered() -> None:
    model = Model()
    for name in ("a.b", ""):
        with pytest.raises(KeyError, match="must not be empty or contain a dot"):
            model.register_parameter(name, None)
    with pytest.raises(KeyError, match="Model already has an attribute 'forward'"):
        model.add_module("forward", nn.Linear(1, 1))
    with pytest.raises(KeyError, match="Model already has an attribute 'training'"):
        model.register_buffer("training", ad.zeros(1))
    with pytest.raises(KeyError, match="Model already has an attribute 'last'"):
        model.register_buffer("last", ad.zeros(1))
    with pytest.raises(TypeError, match="the name of a parameter must be a string, got int"):
        model.register_parameter(3, None)
    with pytest.raises(TypeError, match=r"cannot assign Tensor to Model\.other, a registered parameter"):
        model.register_parameter("other", ad.zeros(1))
    assert "other" not in model._registered


def test_a_typo_names_the_attribute_that_was_meant() -> None:
    with pytest.raises(AttributeError, match=r"'Linear' object has no attribute 'wieght'\. Did you mean 'weight'\?"):
        _ = nn.Linear(1, 1).wieght
    with pytest.raises(AttributeError, match=r"'Linear' object has no attribute 'zzz'$"):
        _ = nn.Linear(1, 1).zzz
    assert not hasattr(nn.Linear(1, 1), "_repr_html_")


def test_forgetting_to_initialise_the_base_is_said() -> None:
    class Forgetful(nn.Module):
        def __init__(self, value: Any) -> None:
            self.value = value

    for value, what in ((nn.Linear(1, 1), "module"), (nn.Parameter(ad.zeros(1)), "parameter")):
        message = rf"cannot assign {what} 'value' .*: call super\(\).__init__\(\) first in Forgetful.__init__\(\)"
        with pytest.raises(AttributeError, match=message):
            Forgetful(value)
    with pytest.raises(AttributeError, match=r"Forgetful.__init__\(\) must call super\(\).__init__\(\) first"):
        Forgetful(3).eval()


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ([nn.Linear(1, 1)], r"Model.layers is a plain list that holds modules.*use nn.ModuleList"),
        ((nn.Linear(1, 1), 3), r"Model.layers is a plain tuple that holds modules.*use nn.ModuleList"),
        ({"a": nn.Linear(1, 1)}, r"Model.layers is a plain dict that holds modules.*use nn.ModuleDict"),
        ([["relu", [nn.Linear(1, 1)]]], r"Model.layers is a plain list that holds modules.*use nn.ModuleList"),
        ([nn.Parameter(ad.zeros(1))], r"Model.layers is a plain list that holds parameters.*use nn.ParameterList"),
        ({"a": nn.Parameter(ad.zeros(1))}, r"Model.layers is a plain dict .*use nn.ParameterDict"),
    ],
)
def test_modules_in_a_plain_container_warn(value: Any, advice: str) -> None:
    model = Model()
    with pytest.warns(UserWarning, match=advice) as caught:
        model.layers = value
    assert caught[0].filename == __file__
    assert model.layers is value


def test_plain_containers_of_other_things_or_of_what_is_registered_do_not_warn() -> None:
    model = Model()
    model.widths = [1, 2, "three", [ad.zeros(1)]]
    model.shortcuts = [model.last, model.first.linear]
    model.trained = list(model.parameters())
    model.nothing = {}


def test_training_mode() -> None:
    model = Model()
    assert model.training
    assert model.eval() is model
    assert [module.training for module in model.modules()] == [False] * 5
    model.train()
    assert [module.training for module in model.modules()] == [True] * 5
    with pytest.raises(ValueError, match=r"train\(\) expected True or False, got"):
        model.train(ad.zeros(3))


def test_apply_reaches_children_first() -> None:
    seen: list[str] = []
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


def test_requires_grad_and_zero_grad() -> None:
    model = nn.Linear(2, 1)
    model(ad.ones(3, 2)).sum().backward()
    assert model.weight.grad is not None
    model.zero_grad(set_to_none=False)
    np.testing.assert_array_equal(model.weight.grad.numpy(), np.zeros((1, 2)))
    model.zero_grad()
    assert model.weight.grad is None
    assert model.requires_grad_(False) is model
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model(ad.ones(3, 2)).requires_grad


def test_conversion_keeps_the_parameters_and_converts_what_is_floating() -> None:
    model = Model()
    parameters = list(model.parameters())
    model(ad.ones(3, 2)).sum().backward()
    for convert, dtype in (
        (model.double, ad.float64),
        (model.half, ad.float16),
        (model.float, ad.float32),
        (lambda: model.to(ad.float64), ad.float64),
        (lambda: model.to(dtype=ad.float32, device="cpu"), ad.float32),
        (lambda: model.to(ad.zeros(1, dtype=ad.float64)), ad.float64),
        (lambda: model.type(ad.float32), ad.float32),
    ):
        assert convert() is model
        assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
        assert {p.dtype for p in parameters} == {p.grad.dtype for p in parameters if p.grad is not None} == {dtype}
        assert model.cache.dtype == model.first.norm.running_mean.dtype == dtype
        assert model.steps.dtype == model.first.norm.num_batches_tracked.dtype == ad.int64
    model.zero_grad()
    model.double()(ad.ones(3, 2, dtype=ad.float64)).sum().backward()
    assert model.scale.grad is not None
    assert model.scale.grad.dtype == ad.float64
    assert model.to("cpu") is model
    with pytest.raises(TypeError, match=r"floating-point dtype such as ad\.float64, got int64"):
        model.to(ad.int64)
    with pytest.raises(RuntimeError, match="cuda"):
        model.to("cuda")


def test_get_by_path() -> None:
    model = Model()
    assert model.get_submodule("") is model
    assert model.get_submodule("first.linear") is model.first.linear
    assert model.get_parameter("first.linear.bias") is model.first.linear.bias
    assert model.get_parameter("scale") is model.scale
    assert model.get_buffer("first.norm.running_var") is model.first.norm.running_var
    with pytest.raises(
        AttributeError, match=r"no submodule 'first.lin': there is no 'lin' in Block \(its modules: linear"
    ):
        model.get_submodule("first.lin")
    with pytest.raises(AttributeError, match="no submodule 'absent'"):
        model.get_submodule("absent")
    with pytest.raises(AttributeError, match=r"no parameter 'last.w': .* \(its parameters: weight, bias\)"):
        model.get_parameter("last.w")
    with pytest.raises(AttributeError, match="no buffer 'scale'"):
        model.get_buffer("scale")


def test_repr() -> None:
    assert repr(Model()) == (
        "Model(\n"
        "  kind=test\n"
        "  (first): Block(\n"
        "    (linear): Linear(in_features=2, out_features=2, bias=True)\n"
        "    (norm): BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
        "  )\n"
        "  (again): Block(\n"
        "    (linear): Linear(in_features=2, out_features=2, bias=True)\n"
        "    (norm): BatchNorm1d(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
        "  )\n"
        "  (last): Linear(in_features=2, out_features=1, bias=True)\n"
        "  (absent): None\n"
        ")"
    )
    assert repr(nn.Module()) == "Module()"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_share_nothing_and_keep_sharing_inside(duplicate: Any) -> None:
    model = Model()
    model.first.linear.weight.requires_grad_(False)
    twin = duplicate(model)
    assert type(twin) is Model
    assert twin.again is twin.first
    assert [name for name, _ in twin.named_parameters()] == [name for name, _ in model.named_parameters()]
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert type(theirs) is nn.Parameter
        assert ours.requires_grad == theirs.requires_grad
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
        assert not np.shares_memory(ours.detach().numpy(), theirs.detach().numpy())
    model.eval()
    twin.eval()
    x = ad.randn(4, 2)
    np.testing.assert_array_equal(model(x).detach().numpy(), twin(x).detach().numpy())
    twin(x).sum().backward()
    assert twin.scale.grad is not None
    assert model.scale.grad is None


def test_a_shallow_copy_registers_for_itself() -> None:
    model = Model()
    twin = copy.copy(model)
    twin.extra = nn.Linear(1, 1)
    del twin.last
    assert twin.first is model.first
    assert [name for name, _ in model.named_children()] == ["first", "last"]
    assert [name for name, _ in twin.named_children()] == ["first", "extra"]


def test_forward_is_what_a_call_runs_and_its_absence_is_said() -> None:
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\): define forward"):
        nn.Module()(3)
    linear = nn.Linear(2, 2)
    linear.forward = lambda x: x + 1
    np.testing.assert_array_equal(linear(ad.zeros(2)).numpy(), np.ones(2))


def test_parameter() -> None:
    data = ad.zeros(2)
    parameter = nn.Parameter(data)
    assert isinstance(parameter, Tensor)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert repr(parameter) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    with ad.no_grad():
        parameter.add_(1)
    np.testing.assert_array_equal(data.numpy(), np.ones(2))
    assert type(parameter + 1) is Tensor
    assert nn.Parameter().shape == (0,)
    with ad.no_grad():
        assert nn.Parameter(data).requires_grad
    with pytest.raises(TypeError, match=r"expected a tensor, got list: write nn.Parameter\(ad.tensor"):
        nn.Parameter([1.0])
    with pytest.raises(RuntimeError, match="floating-point"):
        nn.Parameter(ad.tensor([1]))


def test_a_buffer_registers_itself() -> None:
    module, x = nn.Module(), ad.ones(2)
    module.kept, module.passing = nn.Buffer(x), nn.Buffer(x, persistent=False)
    assert list(module.state_dict()) == ["kept"]
    assert [name for name, _ in module.named_buffers()] == ["kept", "passing"]
    x += 1
    assert module.kept.tolist() == [2, 2]
    module.kept = nn.Buffer(x, persistent=False)
    assert list(module.state_dict()) == []
    with pytest.raises(TypeError, match=r"Buffer expected a tensor, got list: write nn\.Buffer\(ad\.tensor"):
        nn.Buffer([1.0])  # type: ignore[arg-type]


def test_memory_is_where_it_is() -> None:
    module = nn.Linear(2, 3)
    weight = module.weight.detach().clone()
    assert module.to_empty(device="cpu") is module
    assert ad.equal(module.weight, weight)
    with pytest.raises(RuntimeError, match="expected device 'cpu'"):
        module.to_empty(device="cuda")
