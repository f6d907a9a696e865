"""Modules as functions of their parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.func import functional_call, grad, replace_all_batch_norm_modules_, stack_module_state, vmap


def model() -> nn.Sequential:
    ad.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))


def test_replaces_for_the_call_alone() -> None:
    net, x = model().eval(), ad.randn(5, 3)
    before = dict(net.named_parameters())
    zeros = {name: ad.zeros_like(p) for name, p in before.items()}
    assert functional_call(net, zeros, x).abs().sum().item() == 0
    assert all(p is before[name] for name, p in net.named_parameters())
    np.testing.assert_array_equal(functional_call(net, {}, (x,)).array, net(x).array)
    with pytest.raises(RuntimeError):
        functional_call(net, {"0.weight": ad.ones(2, 2)}, (x,))
    assert net[0].weight is before["0.weight"]
    assert functional_call(net[0], zeros_of(net[0]), kwargs={"input": x}).shape == (5, 4)


def zeros_of(module: Any) -> dict[str, Any]:
    return {name: ad.zeros_like(p) for name, p in module.named_parameters()}


def test_buffers_move_in_what_was_passed() -> None:
    net, x = model(), ad.randn(5, 3)
    own = net[1].running_mean.clone()
    passed = {name: b.clone() for name, b in net.named_buffers()}
    functional_call(net, ({name: p.detach() for name, p in net.named_parameters()}, passed), (x,))
    assert net[1].running_mean.tolist() == own.tolist()
    assert passed["1.running_mean"].tolist() != own.tolist()


def test_gradients_go_to_what_was_passed() -> None:
    net, x = model().eval(), ad.randn(5, 3)
    found = grad(lambda p: functional_call(net, p, (x,)).square().sum())(dict(net.named_parameters()))
    net(x).square().sum().backward()
    for name, p in net.named_parameters():
        np.testing.assert_allclose(found[name].array, p.grad.array, rtol=1e-6)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return self.second(self.first(x))


def test_tied_weights() -> None:
    net, x = Tied(), ad.ones(1, 3)
    two = 2 * ad.eye(3)
    for name in ("first.weight", "second.weight"):
        assert functional_call(net, {name: two}, x).tolist() == [[4.0, 4.0, 4.0]]
        alone = functional_call(net, {name: two}, x, tie_weights=False)
        np.testing.assert_allclose(alone.array, 2 * net.first(x).array, rtol=1e-6)
    functional_call(net, {"first.weight": two}, x, strict=True)
    with pytest.raises(ValueError, match="one tensor in the module"):
        functional_call(net, {"first.weight": two, "second.weight": ad.eye(3)}, x)
    with pytest.raises(RuntimeError, match="missing"):
        functional_call(net, {"first.weight": two}, x, tie_weights=False, strict=True)
    assert net.second.weight is net.first.weight


def test_errors() -> None:
    net, x = model(), ad.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"unexpected \['nothing'\]"):
        functional_call(net, {"nothing": x}, x, strict=True)
    with pytest.raises(ValueError, match="came in two dicts"):
        functional_call(net, ({"0.bias": x}, {"0.bias": x}), x)
    with pytest.raises(RuntimeError, match="at least one model"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="of one class, got Linear, Sequential"):
        stack_module_state([net, net[0]])
    with pytest.raises(RuntimeError, match="training mode"):
        stack_module_state([model(), model().eval()])
    with pytest.raises(RuntimeError, match="require grad in all models"):
        stack_module_state([model(), model().requires_grad_(False)])


def test_stacked_state() -> None:
    models = [model(), model().requires_grad_(True)]
    parameters, buffers = stack_module_state(models)
    assert all(p.requires_grad and p.is_leaf and len(p) == 2 for p in parameters.values())
    assert not any(b.requires_grad for b in buffers.values())
    assert set(buffers) == {name for name, _ in models[0].named_buffers()}


def test_batch_norm_in_training_inside_vmap() -> None:
    net = replace_all_batch_norm_modules_(model())
    assert list(net.named_buffers()) == []
    x = ad.randn(4, 5, 3)
    found = vmap(net)(x)
    np.testing.assert_allclose(found.array, np.stack([net(part).array for part in x]), rtol=1e-5, atol=1e-6)
