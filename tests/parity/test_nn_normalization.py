"""Normalisation beside PyTorch's: values, gradients, running statistics, in both modes."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F
from tests.parity.test_nn import DTYPES, Build, assert_close, copied, pair

T = torch.nn.functional
# A few roundings of sums over some hundred terms, of another order; float32 has 2^29 times coarser ones.
TOLERANCES = {"float32": 2e-5, "float64": 1e-12}
assert_near = partial(assert_close, tolerances=TOLERANCES, of_largest=True)

MODULES: list[tuple[Build, tuple[int, ...]]] = [
    (lambda lib: lib.BatchNorm1d(4), (3, 4, 5)),
    (lambda lib: lib.BatchNorm1d(128), (40, 128)),
    (lambda lib: lib.BatchNorm2d(4), (3, 4, 5, 2)),
    (lambda lib: lib.BatchNorm2d(4, eps=0.1, momentum=0.3), (3, 4, 1, 1)),
    (lambda lib: lib.BatchNorm2d(4, momentum=None, affine=False), (3, 4, 5, 2)),
    (lambda lib: lib.BatchNorm2d(4, track_running_stats=False, bias=False), (1, 4, 5, 2)),
    (lambda lib: lib.BatchNorm2d(16), (3, 16, 20, 20)),
    (lambda lib: lib.BatchNorm3d(3), (2, 3, 2, 3, 2)),
    (lambda lib: lib.InstanceNorm1d(4), (3, 4, 5)),
    (lambda lib: lib.InstanceNorm1d(4, affine=True), (4, 5)),
    (lambda lib: lib.InstanceNorm2d(4, affine=True, track_running_stats=True), (3, 4, 5, 2)),
    (lambda lib: lib.InstanceNorm2d(4, eps=0.1, momentum=0.4, track_running_stats=True), (4, 5, 2)),
    (lambda lib: lib.InstanceNorm2d(4, affine=True, bias=False), (1, 4, 30, 50)),
    (lambda lib: lib.InstanceNorm3d(3, affine=True), (2, 3, 2, 3, 2)),
    (lambda lib: lib.InstanceNorm3d(3, track_running_stats=True), (3, 2, 3, 2)),
    (lambda lib: lib.LayerNorm(5), (3, 5)),
    (lambda lib: lib.LayerNorm(5), (5,)),
    (lambda lib: lib.LayerNorm(300), (150, 300)),
    (lambda lib: lib.LayerNorm([4, 5], eps=0.1), (2, 3, 4, 5)),
    (lambda lib: lib.LayerNorm((4,), elementwise_affine=False), (3, 4)),
    (lambda lib: lib.LayerNorm(4, bias=False), (3, 2, 4)),
    (lambda lib: lib.RMSNorm(5), (3, 5)),
    (lambda lib: lib.RMSNorm(300), (150, 300)),
    (lambda lib: lib.RMSNorm([4, 5], eps=0.1), (2, 3, 4, 5)),
    (lambda lib: lib.RMSNorm(4, elementwise_affine=False), (3, 4)),
    (lambda lib: lib.GroupNorm(2, 6), (3, 6)),
    (lambda lib: lib.GroupNorm(3, 6, eps=0.1), (3, 6, 4)),
    (lambda lib: lib.GroupNorm(1, 6, affine=False), (3, 6, 4, 2)),
    (lambda lib: lib.GroupNorm(6, 6, bias=False), (3, 6, 4, 2)),
    (lambda lib: lib.GroupNorm(4, 8), (3, 8, 70, 50)),
    (lambda lib: lib.LocalResponseNorm(2), (3, 4, 5)),
    (lambda lib: lib.LocalResponseNorm(3, alpha=0.5, beta=0.6, k=2.0), (3, 4, 5, 2)),
    (lambda lib: lib.LocalResponseNorm(7, alpha=0.5), (3, 4, 5, 2, 1)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_modules(build: Build, shape: tuple[int, ...], training: bool, dtype: str) -> None:
    """Over three batches, with parameters that are not those at the start; then the state."""
    ours, theirs = copied(build, dtype)
    rng = np.random.default_rng(0)
    for p, torch_p in zip(ours.parameters(), theirs.parameters(), strict=True):
        values = rng.normal(size=p.shape).astype(dtype)
        with ad.no_grad(), torch.no_grad():
            p.copy_(ad.tensor(values))
            torch_p.copy_(torch.tensor(values))
    assert repr(ours) == repr(theirs)
    for step in range(3):
        ours.train(training or step < 2)
        theirs.train(training or step < 2)
        x, torch_x = pair((rng.normal(size=shape) * 2 + 1).astype(dtype), grad=True)
        y, torch_y = ours(x), theirs(torch_x)
        assert_near(y, torch_y, dtype)
        ours.zero_grad()
        theirs.zero_grad()
        seed, torch_seed = pair(rng.normal(size=shape).astype(dtype))
        y.backward(seed)
        torch_y.backward(torch_seed)
        assert_near(x.grad, torch_x.grad, dtype)
        for p, torch_p in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert_near(p.grad, torch_p.grad, dtype)
    state, torch_state = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(torch_state)
    for name, value in state.items():
        assert_near(value, torch_state[name], dtype)


FUNCTIONS: list[tuple[Any, tuple[int, ...]]] = [
    (lambda f, x, w, b: f.layer_norm(x, x.shape[1:]), (3, 4, 5)),
    (lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True), (3, 4, 5)),
    (lambda f, x, w, b: f.batch_norm(x, None, None, None, b, True), (3, 4)),
    (lambda f, x, w, b: f.batch_norm(x, b.detach(), w.detach().abs(), w, None), (3, 4, 5)),
    (lambda f, x, w, b: f.batch_norm(x, b.detach(), w.detach().abs(), None, b), (3, 4, 5)),
    (lambda f, x, w, b: f.instance_norm(x, weight=w, bias=b), (3, 4, 5)),
    (lambda f, x, w, b: f.instance_norm(x, b.detach(), w.detach().abs(), w, b, use_input_stats=False), (3, 4, 5)),
    (lambda f, x, w, b: f.group_norm(x, 2, w, b), (3, 4, 5)),
    (lambda f, x, w, b: f.normalize(x), (3, 4)),
    (lambda f, x, w, b: f.normalize(x, p=1.0, dim=0), (3, 4)),
    (lambda f, x, w, b: f.normalize(x, p=3.0, dim=-1, eps=2.0), (3, 4)),
    (lambda f, x, w, b: f.local_response_norm(x, 3, 0.5, 0.6, 0.7), (3, 4, 5)),
]


@pytest.mark.parametrize(("call", "shape"), FUNCTIONS)
def test_functions_to_the_second_order(call: Any, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    pairs = [pair(rng.normal(size=s), grad=True) for s in (shape, (4,), (4,))]
    ours, theirs = call(F, *(a for a, _ in pairs)), call(T, *(b for _, b in pairs))
    assert_near(ours, theirs, "float64")
    seed, torch_seed = pair(rng.normal(size=shape))
    (first,) = ad.grad(ours, pairs[0][0], seed, create_graph=True)
    (torch_first,) = torch.autograd.grad(theirs, pairs[0][1], torch_seed, create_graph=True)
    assert_near(first, torch_first, "float64")
    if not first.requires_grad:
        # An input that is only shifted and scaled by constants.
        return
    second = ad.grad((first * first).sum(), [a for a, _ in pairs], allow_unused=True)
    torch_second = torch.autograd.grad((torch_first**2).sum(), [b for _, b in pairs], allow_unused=True)
    for a, b in zip(second, torch_second, strict=True):
        if a is not None and b is not None:
            assert_near(a, b, "float64")


def test_float16() -> None:
    """Computed in float32 and rounded once, as in PyTorch."""
    values = (np.random.default_rng(0).normal(size=(4, 64)) * 30 + 100).astype(np.float16)
    x, torch_x = pair(values)
    for call in (
        lambda f, x: f.layer_norm(x, (64,)),
        lambda f, x: f.rms_norm(x, (64,)),
        lambda f, x: f.group_norm(x, 4),
    ):
        np.testing.assert_array_max_ulp(call(F, x).numpy(), call(T, torch_x).numpy(), maxulp=1)


def test_a_mean_far_from_zero() -> None:
    """The variance is that of the deviations, so that a mean a thousand times larger costs no digits but its own.

    A float32 near 1000 has a step of 6e-5, and a mean is off by a few of them.
    """
    x = np.random.default_rng(0).normal(size=(256, 256)) + 1000
    for function in (lambda v: F.layer_norm(v, (256,)), lambda v: F.batch_norm(v, None, None, training=True)):
        exact = function(ad.tensor(x.astype(np.float32)).double()).numpy()
        np.testing.assert_allclose(function(ad.tensor(x.astype(np.float32))).numpy(), exact, rtol=0, atol=5e-4)


LAZY = [(f"Lazy{kind}Norm{d}d", (3, 4, 5, 2, 2)[: d + 2]) for kind in ("Batch", "Instance") for d in (1, 2, 3)]


@pytest.mark.parametrize(("name", "shape"), LAZY)
def test_lazy(name: str, shape: tuple[int, ...]) -> None:
    ours, theirs = getattr(nn, name)(eps=0.1, bias=False), getattr(torch.nn, name)(eps=0.1, bias=False)
    x, torch_x = pair(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for _ in range(2):
        assert_near(ours(x), theirs(torch_x), "float32")
        assert repr(ours) == repr(theirs)
        for key, value in theirs.state_dict().items():
            assert_near(ours.state_dict()[key], value, "float32")
    fresh = getattr(nn, name)(bias=False)
    fresh.load_state_dict(ours.state_dict())
    assert fresh(x).shape == x.shape
    assert fresh.num_features == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, n: n.BatchNorm2d(3)(lib.ones(2, 3)),
        lambda lib, n: n.BatchNorm3d(3)(lib.ones(2, 3, 1, 1)),
        lambda lib, n: n.BatchNorm2d(3)(lib.ones(1, 3, 1, 1)),
        lambda lib, n: n.InstanceNorm2d(3)(lib.ones(2, 3)),
        lambda lib, n: n.InstanceNorm2d(3, affine=True)(lib.ones(2, 4, 2, 2)),
        lambda lib, n: n.InstanceNorm1d(3)(lib.ones(2, 3, 1)),
        lambda lib, n: n.LayerNorm(3)(lib.ones(2, 4)),
        lambda lib, n: n.LayerNorm((2, 3))(lib.ones(3)),
        lambda lib, n: n.RMSNorm(3)(lib.ones(2, 4)),
        lambda lib, n: n.GroupNorm(2, 3),
        lambda lib, n: n.GroupNorm(2, 4)(lib.ones(2, 6, 3)),
        lambda lib, n: n.GroupNorm(2, 4)(lib.ones(4)),
        lambda lib, n: n.functional.group_norm(lib.ones(1, 1), 1),
        lambda lib, n: n.functional.layer_norm(lib.ones(2, 3), (3,), lib.ones(2)),
        lambda lib, n: n.LocalResponseNorm(2)(lib.ones(2, 3)),
    ],
)
def test_errors_in_both(call: Any) -> None:
    with pytest.raises((RuntimeError, ValueError)):
        call(torch, torch.nn)
    with pytest.raises((RuntimeError, ValueError), match="expected"):
        call(ad, nn)
