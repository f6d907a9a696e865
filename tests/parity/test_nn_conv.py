"""Convolutions beside PyTorch's: values, gradients, initial weights, printing, errors."""

import itertools
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
# Sums over some hundred terms in another order; PyTorch may compute small windows by Winograd's algorithm in float32.
TOLERANCES = {"float32": 5e-5, "float64": 1e-12}
assert_near = partial(assert_close, tolerances=TOLERANCES, of_largest=True)

MODULES: list[tuple[Build, tuple[int, ...]]] = [
    (lambda lib: lib.Conv1d(3, 4, 3), (2, 3, 8)),
    (lambda lib: lib.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False), (4, 9)),
    (lambda lib: lib.Conv1d(2, 3, 4, padding="same", dilation=3), (2, 2, 9)),
    (lambda lib: lib.Conv2d(3, 4, 3), (2, 3, 6, 7)),
    (lambda lib: lib.Conv2d(1, 16, 3, padding=1), (20, 1, 28, 28)),
    (lambda lib: lib.Conv2d(16, 32, 5), (9, 16, 12, 12)),
    (lambda lib: lib.Conv2d(32, 32, 3, padding=1), (2, 32, 32, 32)),
    (lambda lib: lib.Conv2d(4, 4, (3, 2), stride=(2, 1), padding=(0, 3), dilation=(1, 2), groups=4), (2, 4, 6, 7)),
    (lambda lib: lib.Conv2d(4, 6, 1), (2, 4, 6, 7)),
    (lambda lib: lib.Conv2d(4, 6, 1, stride=2, padding=1, groups=2), (2, 4, 6, 7)),
    (lambda lib: lib.Conv2d(2, 3, (1, 4), padding="valid"), (2, 6, 7)),
    (lambda lib: lib.Conv2d(2, 3, (3, 1), stride=(2, 1)), (2, 2, 6, 7)),
    (lambda lib: lib.Conv2d(2, 3, (2, 4), padding="same"), (2, 6, 7)),
    (lambda lib: lib.Conv2d(2, 3, 3, padding=(2, 1), stride=2, padding_mode="reflect"), (2, 2, 6, 7)),
    (lambda lib: lib.Conv2d(2, 3, 3, padding=(2, 8), padding_mode="replicate"), (2, 2, 6, 7)),
    (lambda lib: lib.Conv2d(2, 3, 3, padding=(2, 7), padding_mode="circular"), (2, 6, 7)),
    (lambda lib: lib.Conv2d(2, 3, (2, 4), padding="same", padding_mode="circular", dilation=(2, 1)), (2, 2, 6, 7)),
    (lambda lib: lib.Conv3d(2, 3, 2), (2, 2, 3, 4, 5)),
    (lambda lib: lib.Conv3d(4, 2, (2, 1, 3), stride=(1, 2, 3), padding=1, groups=2), (4, 3, 4, 5)),
    (lambda lib: lib.Conv3d(1, 2, 2, padding="same", padding_mode="reflect"), (2, 1, 3, 4, 5)),
    (lambda lib: lib.ConvTranspose1d(3, 4, 3), (2, 3, 8)),
    (lambda lib: lib.ConvTranspose1d(4, 6, 3, 2, padding=2, output_padding=1, groups=2, bias=False), (4, 9)),
    (lambda lib: lib.ConvTranspose1d(3, 2, 3, stride=1, output_padding=2, dilation=3, padding=4), (2, 3, 8)),
    (lambda lib: lib.ConvTranspose2d(3, 4, (2, 3), stride=(3, 2), padding=(1, 0), output_padding=(2, 1)), (3, 4, 5)),
    (lambda lib: lib.ConvTranspose2d(4, 4, 3, stride=2, dilation=2, groups=4), (2, 4, 4, 5)),
    (lambda lib: lib.ConvTranspose2d(4, 2, 1), (2, 4, 4, 5)),
    (lambda lib: lib.ConvTranspose3d(2, 3, 2, stride=2, padding=1, output_padding=1), (2, 2, 3, 2, 3)),
    (lambda lib: lib.Unfold((2, 3), dilation=(2, 1), padding=1, stride=(1, 2)), (2, 3, 5, 6)),
    (lambda lib: lib.Unfold(2), (3, 5, 6)),
    (lambda lib: lib.Fold((5, 6), (2, 3), dilation=(2, 1), padding=1, stride=(1, 2)), (2, 12, 15)),
    (lambda lib: lib.Fold(4, 2, stride=2), (8, 4)),
]


# PyTorch says that it copies the input for an even window with padding="same".
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_modules(build: Build, shape: tuple[int, ...], training: bool, dtype: str) -> None:
    ours, theirs = copied(build, dtype)
    ours.train(training)
    theirs.train(training)
    rng = np.random.default_rng(0)
    x, torch_x = pair(rng.normal(size=shape).astype(dtype), grad=True)
    y, torch_y = ours(x), theirs(torch_x)
    assert_near(y, torch_y, dtype)
    g, torch_g = pair(rng.normal(size=y.shape).astype(dtype))
    y.backward(g)
    torch_y.backward(torch_g)
    for a, b in ((x, torch_x), *zip(ours.parameters(), theirs.parameters(), strict=True)):
        assert_near(a.grad, b.grad, dtype)


@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_initial_weights_printing_and_state(build: Build, shape: tuple[int, ...]) -> None:
    ad.manual_seed(3)
    torch.manual_seed(3)
    ours, theirs = build(nn), build(torch.nn)
    assert repr(ours) == repr(theirs)
    state, torch_state = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(torch_state)
    for name, value in state.items():
        np.testing.assert_array_equal(value.numpy(), torch_state[name].numpy())
    assert ad.rand(3).tolist() == torch.rand(3).tolist()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_lazy(ndim: int, transposed: bool) -> None:
    def build(lib: Any, m: Any) -> Any:
        m.manual_seed(3)
        layer = getattr(lib, f"LazyConv{'Transpose' * transposed}{ndim}d")(4, 2, stride=2, groups=2)
        assert repr(layer).startswith("Lazy")
        layer(m.zeros(6, *(5,) * ndim))
        return layer

    ours, theirs = build(nn, ad), build(torch.nn, torch)
    assert repr(ours) == repr(theirs)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_functions_over_all_arguments() -> None:
    """Two dimensions, every combination of a few strides, paddings, dilations, groups, with and without a bias."""
    rng = np.random.default_rng(0)
    for stride, padding, dilation, groups, biased in itertools.product(
        (1, (2, 3)), (0, (1, 2)), (1, (2, 1)), (1, 2), (False, True)
    ):
        x, torch_x = pair(rng.normal(size=(2, 4, 6, 7)))
        w, torch_w = pair(rng.normal(size=(4, 4 // groups, 3, 2)))
        b, torch_b = pair(rng.normal(size=4)) if biased else (None, None)
        ours = F.conv2d(x, w, b, stride, padding, dilation, groups)
        assert_near(ours, T.conv2d(torch_x, torch_w, torch_b, stride, padding, dilation, groups), "float64")
        b, torch_b = pair(rng.normal(size=w.shape[1] * groups)) if biased else (None, None)
        more = (1, 0) if stride != 1 else 0
        ours = F.conv_transpose2d(x, w, b, stride, padding, more, groups, dilation)
        theirs = T.conv_transpose2d(torch_x, torch_w, torch_b, stride, padding, more, groups, dilation)
        assert_near(ours, theirs, "float64")


def test_second_derivatives() -> None:
    """Of the squared gradient by the input, as in a gradient penalty."""
    rng = np.random.default_rng(0)
    for name, shape in (("conv2d", (3, 2, 3, 2)), ("conv_transpose2d", (2, 3, 3, 2))):
        x, torch_x = pair(rng.normal(size=(2, 2, 5, 6)), grad=True)
        w, torch_w = pair(rng.normal(size=shape), grad=True)
        (g,) = ad.grad((getattr(F, name)(x, w, stride=2, padding=1) ** 3).sum(), x, create_graph=True)
        loss = getattr(T, name)(torch_x, torch_w, stride=2, padding=1)
        (torch_g,) = torch.autograd.grad((loss**3).sum(), torch_x, create_graph=True)
        (g**2).sum().backward()
        (torch_g**2).sum().backward()
        assert_near(x.grad, torch_x.grad, "float64")
        assert_near(w.grad, torch_w.grad, "float64")


def test_output_size() -> None:
    ours, theirs = copied(lambda lib: lib.ConvTranspose2d(2, 3, 3, stride=(2, 3), padding=1), "float64")
    x, torch_x = pair(np.random.default_rng(0).normal(size=(2, 2, 4, 5)))
    for size in ((7, 13), (8, 15), (2, 3, 7, 14)):
        assert_near(ours(x, output_size=size), theirs(torch_x, output_size=list(size)), "float64")


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_fusion(bias: bool, transpose: bool) -> None:
    def build(lib: Any) -> Any:
        conv = lib.ConvTranspose2d if transpose else lib.Conv2d
        return lib.Sequential(conv(2, 3, 3, bias=bias), lib.BatchNorm2d(3), lib.Flatten(), lib.Linear(48, 4, bias=bias))

    ours, theirs = copied(build, "float64")
    x, torch_x = pair(np.random.default_rng(0).normal(size=(2, 2, 6, 6)))
    ours[:2](x)
    theirs[:2](torch_x)
    fused = nn.utils.fuse_conv_bn_eval(ours[0].eval(), ours[1].eval(), transpose)
    torch_fused = torch.nn.utils.fuse_conv_bn_eval(theirs[0].eval(), theirs[1].eval(), transpose)
    for a, b in zip(fused.parameters(), torch_fused.parameters(), strict=True):
        assert_near(a, b, "float64")
    bn, torch_bn = copied(lambda lib: lib.BatchNorm1d(4), "float64")
    rows, torch_rows = pair(np.random.default_rng(0).normal(size=(5, 4)))
    bn(rows)
    torch_bn(torch_rows)
    linear = nn.utils.fuse_linear_bn_eval(ours[3].eval(), bn.eval())
    torch_linear = torch.nn.utils.fuse_linear_bn_eval(theirs[3].eval(), torch_bn.eval())
    for a, b in zip(linear.parameters(), torch_linear.parameters(), strict=True):
        assert_near(a, b, "float64")


@pytest.mark.parametrize(
    "call",
    [
        lambda m, lib, F: F.conv2d(m.zeros(3, 5, 5), m.zeros(2, 4, 3, 3)),
        lambda m, lib, F: F.conv2d(m.zeros(5, 5), m.zeros(2, 4, 3, 3)),
        lambda m, lib, F: F.conv2d(m.zeros(1, 3, 2, 2), m.zeros(2, 3, 3, 3)),
        lambda m, lib, F: F.conv1d(m.zeros(1, 3, 5), m.zeros(2, 3, 3), m.zeros(3)),
        lambda m, lib, F: F.conv1d(m.zeros(1, 3, 5), m.zeros(2, 3, 3), stride=0),
        lambda m, lib, F: F.conv1d(m.zeros(1, 3, 5), m.zeros(2, 3, 3), padding=-1),
        lambda m, lib, F: F.conv1d(m.zeros(1, 3, 5), m.zeros(2, 3, 3), padding=(1, 2)),
        lambda m, lib, F: F.conv1d(m.zeros(1, 3, 5), m.zeros(2, 3, 3), stride=2, padding="same"),
        lambda m, lib, F: F.conv1d(m.zeros(1, 4, 5), m.zeros(3, 2, 3), groups=2),
        lambda m, lib, F: F.conv1d(m.zeros(1, 3, 5), m.zeros(2, 3, 3, dtype=m.float64)),
        lambda m, lib, F: F.conv_transpose1d(m.zeros(1, 3, 5), m.zeros(3, 2, 3), output_padding=1),
        lambda m, lib, F: F.conv_transpose1d(m.zeros(1, 3, 2), m.zeros(3, 2, 3), padding=3),
        lambda m, lib, F: F.fold(m.zeros(1, 12, 11), (4, 5), (2, 2)),
        lambda m, lib, F: F.fold(m.zeros(1, 13, 12), (4, 5), (2, 2)),
        lambda m, lib, F: F.unfold(m.zeros(1, 3, 4, 5), (6, 2)),
        lambda m, lib, F: lib.Conv1d(3, 4, 3, groups=2),
        lambda m, lib, F: lib.Conv1d(3, 4, 3, groups=0),
        lambda m, lib, F: lib.Conv1d(3, 4, 3, padding="some"),
        lambda m, lib, F: lib.Conv1d(3, 4, 3, padding_mode="some"),
        lambda m, lib, F: lib.Conv1d(3, 4, 3, padding="same", stride=2),
        lambda m, lib, F: lib.ConvTranspose1d(3, 4, 3, padding_mode="reflect"),
        lambda m, lib, F: lib.ConvTranspose1d(3, 4, 3)(m.zeros(1, 3, 5), output_size=(15,)),
        lambda m, lib, F: lib.Conv1d(1, 1, 3, padding=4, padding_mode="reflect")(m.zeros(1, 1, 4)),
        lambda m, lib, F: lib.Conv1d(1, 1, 3, padding=5, padding_mode="circular")(m.zeros(1, 1, 4)),
    ],
)
def test_both_refuse(call: Any) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        call(torch, torch.nn, T)
    with pytest.raises((ValueError, RuntimeError)):
        call(ad, nn, F)
