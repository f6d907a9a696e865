"""Hooks of modules: when they run, with what, what they may replace, and that nothing is left of removed ones."""

import copy
from typing import Any

import pytest

import autodiff as ad
import nn
from autodiff.tensor import Tensor
from nn import module_hooks
from nn.members import Members


class Scale(nn.Module):
    def forward(self, x: Tensor, factor: float = 2.0) -> Tensor:
        return x * factor


def test_hooks_run_in_order_and_prepended_ones_first() -> None:
    layer, seen = Scale(), []
    layer.register_forward_pre_hook(lambda *_: seen.append("pre 1"))
    layer.register_forward_pre_hook(lambda *_: seen.append("pre 0"), prepend=True)
    layer.register_forward_hook(lambda *_: seen.append("post 1"))
    layer.register_forward_hook(lambda *_: seen.append("post 0"), prepend=True)
    layer(ad.ones(1))
    assert seen == ["pre 0", "pre 1", "post 0", "post 1"]


def test_what_hooks_get_and_replace() -> None:
    layer, x = Scale(), ad.ones(1)
    got: list[Any] = []

    def before(module: nn.Module, args: Any, kwargs: Any) -> Any:
        got.append((module, args, kwargs))
        return (args[0] + 1,), {"factor": 10.0}

    def after(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        got.append((args[0].item(), kwargs, output.item()))
        return output + 0.5

    layer.register_forward_pre_hook(before, with_kwargs=True)
    layer.register_forward_pre_hook(lambda module, args: args[0] * 3)
    layer.register_forward_hook(after, with_kwargs=True)
    layer.register_forward_hook(lambda module, args, output: output * 2)
    assert layer(x, factor=3.0).item() == ((1 + 1) * 3 * 10 + 0.5) * 2
    assert got == [(layer, (x,), {"factor": 3.0}), (6.0, {"factor": 10.0}, 60.0)]


def test_removed_hooks_leave_nothing() -> None:
    layer, calls = Scale(), []
    with layer.register_forward_hook(lambda *_: calls.append(1)) as handle:
        layer(ad.ones(1))
    handle.remove()
    layer(ad.ones(1))
    assert calls == [1]
    assert "_call_hooks" not in layer.__dict__


def test_always_called_hooks_run_on_errors_and_other_hooks_do_not() -> None:
    layer, seen = Scale(), []
    layer.register_forward_hook(lambda *args: seen.append("plain"))
    layer.register_forward_hook(lambda module, args, output: seen.append(output), always_call=True)
    with pytest.raises(TypeError, match="Scale"):
        layer(None)
    assert seen == [None]

    def fail(*args: Any) -> None:
        raise ValueError("again")

    layer.register_forward_hook(fail, always_call=True)
    with pytest.raises(TypeError, match="Scale"), pytest.warns(UserWarning, match="another error was on its way"):
        layer(None)


def test_bad_hooks() -> None:
    layer = Scale()
    with pytest.raises(TypeError, match="expected a function as a hook, got int"):
        layer.register_forward_hook(3)  # type: ignore[arg-type]
    layer.register_forward_pre_hook(lambda *_: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"must return None or \(args, kwargs\), got 3"):
        layer(ad.ones(1))


def test_hooks_of_every_module() -> None:
    seen: list[str] = []
    net = nn.Sequential(Scale(), nn.ReLU())
    net[1].register_forward_hook(lambda *_: seen.append("own"))
    handles = [
        module_hooks.register_module_forward_hook(lambda module, *_: seen.append(type(module).__name__)),
        module_hooks.register_module_forward_pre_hook(lambda module, args: seen.append("before")),
    ]
    try:
        net(ad.ones(1))
    finally:
        for handle in handles:
            handle.remove()
    assert seen == ["before", "before", "Scale", "before", "ReLU", "own", "Sequential"]
    Scale()(ad.ones(1))
    assert module_hooks.Hooked._call_hooks is None


def test_copies_have_hooks_of_their_own() -> None:
    layer, seen = Scale(), []
    layer.register_forward_hook(lambda *_: seen.append(1))
    twin = copy.deepcopy(layer)
    twin.register_forward_hook(lambda *_: seen.append(2))
    layer(ad.ones(1))
    assert seen == [1]
    twin(ad.ones(1))
    assert seen == [1, 1, 2]


def test_backward_hooks_see_and_replace_gradients() -> None:
    layer, seen = Scale(), []
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    layer.register_full_backward_pre_hook(lambda module, grads: (grads[0] * 10,))
    layer.register_full_backward_hook(lambda module, inner, outer: seen.append((inner[0].tolist(), outer[0].tolist())))
    handle = layer.register_full_backward_hook(lambda module, inner, outer: (inner[0] + 1,))
    layer(x, factor=3.0).sum().backward()
    assert seen == [([30.0, 30.0], [10.0, 10.0])]
    assert x.grad is not None
    assert x.grad.tolist() == [31.0, 31.0]
    handle.remove()
    layer.register_full_backward_hook(lambda module, inner, outer: (None, None))
    with pytest.raises(RuntimeError, match="must return None or 1 gradients, it returned 2"):
        layer(x).sum().backward()


def test_backward_hooks_without_inputs_that_require_grad_warn() -> None:
    layer, seen = nn.Linear(1, 1), []
    layer.register_full_backward_hook(lambda module, inner, outer: seen.append(inner))
    with pytest.warns(UserWarning, match="sees no gradient of an input"):
        layer(ad.ones(1)).sum().backward()
    assert seen == [(None,)]


def test_state_hooks() -> None:
    net = nn.Sequential(nn.Linear(1, 1))
    seen: list[Any] = []
    net[0].register_state_dict_pre_hook(lambda module, prefix, keep_vars: seen.append((prefix, keep_vars)))
    net[0].register_state_dict_post_hook(lambda module, state, prefix, meta: state.update({prefix + "more": 1}))
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "0.more"]
    assert seen == [("0.", False)]

    def rename(module: nn.Module, state: Any, prefix: str, *others: Any) -> None:
        del state[prefix + "more"]
        state[prefix + "weight"] = state.pop(prefix + "old", state.get(prefix + "weight"))

    net[0].register_load_state_dict_pre_hook(rename)
    net.load_state_dict({"0.old": ad.tensor([[7.0]]), "0.bias": ad.tensor([1.0]), "0.more": 1})
    assert net[0].weight.item() == 7.0
    net[0].register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    net.load_state_dict({"0.weight": ad.tensor([[8.0]]), "0.more": 1})
    assert net[0].weight.item() == 8.0
    with pytest.raises(RuntimeError, match=r"into which what fits has been loaded:\n  unexpected key x \(1,\)"):
        net.load_state_dict({"0.weight": ad.tensor([[9.0]]), "0.more": 1, "x": ad.ones(1)})
    net.register_state_dict_post_hook(lambda *_: {})
    with pytest.raises(RuntimeError, match="must return None"):
        net.state_dict()


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def get_extra_state(self) -> Any:
        return {"count": self.count}

    def set_extra_state(self, state: Any) -> None:
        self.count = state["count"]


def test_extra_state() -> None:
    source, target = nn.Sequential(Counter()), nn.Sequential(Counter())
    source[0].count = 5
    state = source.state_dict()
    assert state == {"0._extra_state": {"count": 5}}
    target.load_state_dict(state)
    assert target[0].count == 5
    with pytest.raises(RuntimeError, match=r"missing key 0._extra_state"):
        target.load_state_dict({})
    assert target.load_state_dict({}, strict=False).missing_keys == ["0._extra_state"]


def test_assigning_a_state() -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.requires_grad_(False)
    given = ad.ones(1, 2, dtype=ad.float64)
    layer.load_state_dict({"weight": given}, assign=True)
    assert layer.weight.dtype == ad.float64
    assert type(layer.weight) is nn.Parameter
    assert not layer.weight.requires_grad
    given.fill_(3.0)
    assert layer.weight.tolist() == [[3.0, 3.0]]


def test_replacing_a_submodule() -> None:
    net = nn.Sequential(nn.Sequential(nn.ReLU()))
    net.set_submodule("0.0", nn.Tanh())
    assert type(net[0][0]) is nn.Tanh
    with pytest.raises(AttributeError, match="has no submodule 'other'"):
        net.set_submodule("0.other", nn.Tanh(), strict=True)
    with pytest.raises(ValueError, match="an empty name"):
        net.set_submodule("", nn.Tanh())
    with pytest.raises(ValueError, match=r"expected an nn.Module for '0', got int"):
        net.set_submodule("0", 3)  # type: ignore[arg-type]


def test_devices_and_dtypes_that_do_not_exist() -> None:
    layer = nn.Linear(1, 1)
    assert layer.cpu() is layer.share_memory() is layer
    layer.compile()
    with pytest.raises(TypeError, match="bfloat16 is not available"):
        layer.bfloat16()
    with pytest.raises((RuntimeError, ValueError), match="cpu"):
        layer.cuda()
    assert "0" not in dir(nn.Sequential(layer))
    assert isinstance(layer, Members)
