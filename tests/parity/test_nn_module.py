"""`Module` beside PyTorch's: hooks, states, printing, and that every public method is there."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn

LIBRARIES: list[tuple[Any, Any]] = [(ad, nn), (torch, torch.nn)]

# What a tensor on one device of one process has no use for, TorchScript, and what PyTorch itself has deprecated.
ABSENT = {
    "T_destination",
    "dump_patches",
    "ipu",
    "mtia",
    "register_backward_hook",
    "xpu",
    "call_super_init",
}


def test_every_public_method_is_there() -> None:
    public = {name for name in dir(torch.nn.Module) if not name.startswith("_")}
    assert {name for name in public if not hasattr(nn.Module, name)} == ABSENT


def both(program: Any) -> None:
    """The program gives the same plain values with both libraries."""
    ours, theirs = (program(lib, modules) for lib, modules in LIBRARIES)
    assert ours == theirs


def filled(lib: Any, modules: Any) -> Any:
    """A network whose weights are all 0.5."""
    net = modules.Sequential(modules.Linear(2, 3), modules.ReLU(), modules.Linear(3, 1, bias=False))
    with lib.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.5)
    return net


def test_forward_hooks() -> None:
    def program(lib: Any, modules: Any) -> list[Any]:
        net, log = filled(lib, modules), []
        net.register_forward_pre_hook(lambda m, args: log.append(("pre", args[0].tolist())))
        net.register_forward_pre_hook(lambda m, args, kwargs: ((args[0] * 2,), kwargs), with_kwargs=True, prepend=True)
        net.register_forward_hook(lambda m, args, y: log.append(("post", args[0].tolist(), y.tolist())))
        handle = net[0].register_forward_hook(lambda m, args, y: y + 1)
        log.append(net(lib.ones(2)).tolist())
        handle.remove()
        log.append(net(lib.ones(2)).tolist())
        return log

    both(program)


def test_hooks_that_are_always_called() -> None:
    def program(lib: Any, modules: Any) -> list[Any]:
        net, log = filled(lib, modules), []
        net.register_forward_hook(lambda m, args, y: log.append(("always", y)), always_call=True)
        net.register_forward_hook(lambda m, args, y: log.append("not always"))
        with pytest.raises(Exception, match=r"."):
            net(None)
        return log

    both(program)


def test_backward_hooks() -> None:
    def program(lib: Any, modules: Any) -> list[Any]:
        class Several(modules.Module):  # type: ignore[misc]
            def forward(self, a: Any, k: int, b: Any, c: Any) -> Any:
                return a * b.detach() * 2 + c, a * 3, k

        def listed(gradients: Any) -> list[Any]:
            return [None if g is None else g.tolist() for g in gradients]

        module, log = Several(), []
        module.register_full_backward_hook(lambda m, inner, outer: log.append((listed(inner), listed(outer))))
        module.register_full_backward_pre_hook(lambda m, outer: log.append(listed(outer)))
        a, b = (lib.tensor(x, requires_grad=True) for x in ([1.0, 2.0], [3.0, 4.0]))
        module(a, 7, b, lib.tensor([5.0, 5.0]))[0].sum().backward()
        net = filled(lib, modules)
        net.register_full_backward_hook(lambda m, inner, outer: (inner[0] * 2,))
        net.register_full_backward_pre_hook(lambda m, outer: (outer[0] * 3,))
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        net(x).sum().backward()
        log += [a.grad.tolist(), x.grad.tolist(), net[0].weight.grad.tolist()]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            net[2].register_full_backward_hook(lambda m, inner, outer: log.append(listed(inner)))
            net[2](lib.ones(3)).sum().backward()
        return [*log, len(caught)]

    both(program)


def drop_bias(module: Any, state: Any, prefix: str, metadata: Any) -> None:
    del state[prefix + "bias"]


def test_state_hooks() -> None:
    def program(lib: Any, modules: Any) -> list[Any]:
        net, log = filled(lib, modules), []
        net[0].register_state_dict_pre_hook(lambda m, prefix, keep: log.append((prefix, keep)))
        net[0].register_state_dict_post_hook(drop_bias)
        net[2]._register_state_dict_hook(lambda m, state, prefix, meta: log.append((prefix, meta["version"])))
        log.append(list(net.state_dict(prefix="net.")))

        def before(m: Any, state: Any, prefix: str, meta: Any, strict: bool, *lists: Any) -> None:
            log.append((sorted(state), prefix, strict, *map(list, lists)))
            state[prefix + "bias"] = lib.ones(3)

        net[0].register_load_state_dict_pre_hook(before)
        # A hook on an inner module sees all keys here, and in PyTorch those found so far.
        net[0].register_load_state_dict_post_hook(lambda m, keys: log.append(type(m).__name__))
        net.register_load_state_dict_post_hook(lambda m, keys: log.append((type(m).__name__, *map(list, keys))))
        log.append(tuple(net.load_state_dict({"0.weight": lib.ones(3, 2)}, strict=False)))
        return [*log, net[0].bias.tolist(), net[0].weight.tolist()]

    both(program)


def test_extra_state_and_assigning() -> None:
    def program(lib: Any, modules: Any) -> list[Any]:
        class Extra(modules.Linear):  # type: ignore[misc]
            kept: Any = 3

            def get_extra_state(self) -> Any:
                return self.kept

            def set_extra_state(self, state: Any) -> None:
                self.kept = state

        layer = Extra(2, 1)
        state = layer.state_dict()
        state["_extra_state"], state["weight"] = 9, lib.ones(1, 2, dtype=lib.float64)
        layer.load_state_dict(state, assign=True)
        weight = layer.weight
        missing = layer.load_state_dict({}, strict=False)
        return [layer.kept, list(state), str(weight.dtype).removeprefix("torch."), weight.requires_grad, *missing]

    both(program)


def test_set_submodule_and_dir() -> None:
    def program(lib: Any, modules: Any) -> list[Any]:
        net = modules.Sequential(modules.Sequential(modules.ReLU()))
        net.set_submodule("0.0", modules.Tanh())
        net.set_submodule("0.new", modules.Identity())
        return [
            repr(net),
            "0" in dir(net),
            "new" in dir(net[0]),
            net.share_memory() is net,
            net.cpu() is net,
        ]

    both(program)


def test_weights_of_a_half_precision_module() -> None:
    for _, modules in LIBRARIES:
        layer = modules.Linear(2, 3).half()
        assert str(layer.weight.dtype).removeprefix("torch.") == "float16"
        before = layer.weight.detach().numpy()
        np.testing.assert_array_equal(layer.float().half().weight.detach().numpy(), before)
