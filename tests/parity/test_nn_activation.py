"""Activations beside PyTorch's: values, gradients also at the corners, in the tails and of what is not finite."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F
from tests.parity.test_nn import DTYPES, Build, assert_close, assert_same_gradients, copied, pair

T = torch.nn.functional
# All activations that work on each number for itself, with the corners of their arguments.
ELEMENTWISE: list[tuple[str, dict[str, Any], tuple[float, ...]]] = [
    ("relu", {}, (0,)),
    ("relu6", {}, (0, 6)),
    ("leaky_relu", {}, (0,)),
    ("leaky_relu", {"negative_slope": 0.3}, (0,)),
    ("rrelu", {}, (0,)),
    ("rrelu", {"lower": 0.2, "upper": 0.6}, (0,)),
    ("hardtanh", {}, (-1, 1)),
    ("hardtanh", {"min_val": -0.5, "max_val": 2.0}, (-0.5, 2)),
    ("hardsigmoid", {}, (-3, 3)),
    ("hardswish", {}, (-3, 3)),
    ("hardshrink", {}, (-0.5, 0.5)),
    ("hardshrink", {"lambd": 0.0}, (0,)),
    ("softshrink", {}, (-0.5, 0.5)),
    ("softshrink", {"lambd": 1.5}, (-1.5, 1.5)),
    ("threshold", {"threshold": 0.5, "value": -2.0}, (0.5,)),
    ("elu", {}, (0,)),
    ("elu", {"alpha": 1.7}, (0,)),
    ("selu", {}, (0,)),
    ("celu", {}, (0,)),
    ("celu", {"alpha": 1.7}, (0,)),
    ("gelu", {}, ()),
    ("gelu", {"approximate": "tanh"}, ()),
    ("silu", {}, ()),
    ("mish", {}, ()),
    ("softplus", {}, (20,)),
    ("softplus", {"beta": 2.0, "threshold": 5.0}, (2.5,)),
    ("logsigmoid", {}, (0,)),
    ("sigmoid", {}, ()),
    ("tanh", {}, ()),
    ("tanhshrink", {}, ()),
    ("softsign", {}, (0,)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "options", "corners"), ELEMENTWISE)
def test_values_and_gradients(name: str, options: dict[str, Any], corners: tuple[float, ...], dtype: str) -> None:
    """On few numbers and on many, which go other ways; the corners are among them."""
    for count in (40, 9000):
        values = np.random.default_rng(0).normal(size=count) * 4
        values[: len(corners)] = corners
        x, torch_x = pair(values.astype(dtype), grad=True)
        ours, theirs = getattr(F, name)(x, **options), getattr(T, name)(torch_x, **options)
        seed, torch_seed = pair(np.linspace(0.5, 1.5, count).astype(dtype))
        ours.backward(seed)
        theirs.backward(torch_seed)
        # PyTorch keeps 1/6 of hardsigmoid and 1/alpha of celu in float32.
        tolerance = 3e-6 if dtype == "float32" else 1e-7 if name in ("hardsigmoid", "celu") else 1e-14
        for found, expected in ((ours.detach(), theirs.detach()), (x.grad, torch_x.grad)):
            assert str(found.dtype) == dtype
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options", "corners"), ELEMENTWISE)
def test_far_out(name: str, options: dict[str, Any], corners: tuple[float, ...]) -> None:
    """At ±800, where an exponential overflows, at infinities and at NaN the values and gradients are PyTorch's."""
    x, torch_x = pair(np.array([-800.0, 800.0, math.inf, -math.inf, math.nan, -30.0, 30.0]), grad=True)
    # The product of -inf and 0, NaN in both, is a warning of NumPy's.
    with np.errstate(invalid="ignore"):
        ours, theirs = getattr(F, name)(x, **options), getattr(T, name)(torch_x, **options)
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-11)
        ours.backward(ad.ones_like(ours))
    # Where PyTorch gives NaN there may be a limit, and what is made of NaN differs.
    theirs.backward(torch.ones_like(theirs))
    known = np.isfinite(torch_x.grad.numpy()) & ~np.isnan(torch_x.detach().numpy())
    np.testing.assert_allclose(x.grad.numpy()[known], torch_x.grad.numpy()[known], rtol=1e-6, atol=1e-11)


# Where PyTorch defines them: its hardsigmoid has no second derivative, and that of celu is of float32 accuracy.
SMOOTH = [case for case in ELEMENTWISE if case[0] not in ("hardsigmoid", "celu")]


@pytest.mark.parametrize(("name", "options", "corners"), SMOOTH)
def test_second_derivatives(name: str, options: dict[str, Any], corners: tuple[float, ...]) -> None:
    x, torch_x = pair(np.random.default_rng(0).normal(size=50) * 3, grad=True)
    ours, theirs = getattr(F, name)(x, **options), getattr(T, name)(torch_x, **options)
    (first,) = ad.grad(ours.sum(), x, create_graph=True)
    (torch_first,) = torch.autograd.grad(theirs.sum(), torch_x, create_graph=True)
    if torch_first.requires_grad:
        (second,) = ad.grad((first * first).sum() + (first * x).sum(), x)
        (torch_second,) = torch.autograd.grad(
            (torch_first * torch_first).sum() + (torch_first * torch_x).sum(), torch_x
        )
        np.testing.assert_allclose(second.numpy(), torch_second.numpy(), rtol=1e-11, atol=1e-12)


MODULES: list[tuple[Build, tuple[int, ...]]] = [
    *(
        (lambda lib, name=name: getattr(lib, name)(), (3, 4, 2))
        for name in (
            "CELU",
            "ELU",
            "GELU",
            "GLU",
            "Hardshrink",
            "Hardsigmoid",
            "Hardswish",
            "Hardtanh",
            "LogSigmoid",
            "Mish",
            "PReLU",
            "RReLU",
            "ReLU6",
            "SELU",
            "SiLU",
            "Softplus",
            "Softshrink",
            "Softsign",
            "Tanhshrink",
        )
    ),
    *(
        (lambda lib, name=name: getattr(lib, name)(inplace=True), (3, 4))
        for name in ("CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "Mish", "RReLU", "ReLU6", "SELU", "SiLU")
    ),
    (lambda lib: lib.CELU(0.5), (3, 4)),
    (lambda lib: lib.ELU(0.5), (3, 4)),
    (lambda lib: lib.GELU("tanh"), (3, 4)),
    (lambda lib: lib.GLU(1), (3, 4, 5)),
    (lambda lib: lib.GLU(dim=0), (4,)),
    (lambda lib: lib.Hardshrink(0.2), (3, 4)),
    (lambda lib: lib.Softshrink(0.2), (3, 4)),
    (lambda lib: lib.Hardtanh(-0.3, 0.4), (3, 4)),
    (lambda lib: lib.PReLU(4), (3, 4)),
    (lambda lib: lib.PReLU(4, init=0.7), (3, 4, 2, 2)),
    (lambda lib: lib.PReLU(), (5,)),
    (lambda lib: lib.PReLU(), ()),
    (lambda lib: lib.RReLU(0.1, 0.9), (3, 4)),
    (lambda lib: lib.RReLU(0.3, 0.3), (3, 4)),
    (lambda lib: lib.Softplus(beta=2, threshold=1), (3, 4)),
    (lambda lib: lib.Threshold(0.1, 20), (3, 4)),
    (lambda lib: lib.Threshold(0.1, 20.0, inplace=True), (3, 4)),
    (lambda lib: lib.Softmin(dim=1), (3, 4, 2)),
    (lambda lib: lib.Softmin(-1), (3, 4)),
    (lambda lib: lib.Softmax2d(), (2, 3, 4, 2)),
    (lambda lib: lib.Softmax2d(), (3, 4, 2)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_modules(build: Build, shape: tuple[int, ...], training: bool, dtype: str) -> None:
    ours, theirs = copied(build, dtype)
    ours.train(training)
    theirs.train(training)
    x, torch_x = pair(np.random.default_rng(0).normal(size=shape).astype(dtype), grad=True)
    ad.manual_seed(3)
    torch.manual_seed(3)
    # A leaf cannot be written into.
    y, torch_y = ours(x * 1.0), theirs(torch_x * 1.0)
    assert_close(y, torch_y, dtype)
    parameters = zip(ours.parameters(), theirs.parameters(), strict=True)
    seed, torch_seed = pair(np.random.default_rng(1).normal(size=y.shape).astype(dtype))
    y.backward(seed)
    torch_y.backward(torch_seed)
    tolerance = 5e-6 if dtype == "float32" else 1e-7 if type(ours).__name__ in ("Hardsigmoid", "CELU") else 1e-14
    for a, b in ((x, torch_x), *parameters):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance, atol=tolerance)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_random_slopes_bit_for_bit(dtype: str, seed: int) -> None:
    """Twice, so that the generators are left in the same place too."""
    x, torch_x = pair(np.random.default_rng(seed).normal(size=(30, 20)).astype(dtype))
    ad.manual_seed(seed)
    torch.manual_seed(seed)
    for _ in range(2):
        ours, theirs = F.rrelu(x, training=True), T.rrelu(torch_x, training=True)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_gumbel_softmax(dtype: str) -> None:
    for hard, tau, dim in itertools.product((False, True), (1.0, 0.3), (-1, 0)):
        x, torch_x = pair(np.random.default_rng(0).normal(size=(5, 7)).astype(dtype), grad=True)
        ad.manual_seed(1)
        torch.manual_seed(1)
        ours = F.gumbel_softmax(x, tau, hard, dim=dim)
        theirs = T.gumbel_softmax(torch_x, tau, hard, dim=dim)
        assert_close(ours, theirs, dtype)
        assert_same_gradients(ours, theirs, dtype, (x, torch_x))
    assert ad.rand(3).tolist() == torch.rand(3).tolist()


def test_written_into_the_input() -> None:
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("relu_", ()), ("leaky_relu_", (0.3,)), ("rrelu_", (0.2, 0.4)), ("hardtanh_", (-0.5, 0.7)), ("elu_", (1.3,)),
        ("threshold_", (0.2, 5.0)), ("selu_", ()), ("celu_", (1.2,)),
    ]  # fmt: skip
    for name, arguments in calls:
        x, torch_x = pair(np.random.default_rng(0).normal(size=20).astype(np.float32))
        ours, theirs = getattr(F, name)(x, *arguments), getattr(T, name)(torch_x, *arguments)
        assert ours is x
        assert_close(x, theirs, "float32")


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, f: f.glu(lib.ones(3)),
        lambda lib, f: f.glu(lib.tensor(1.0)),
        lambda lib, f: f.prelu(lib.ones(2, 3), lib.ones(2)),
        lambda lib, f: f.prelu(lib.ones(3), lib.ones(3)),
        lambda lib, f: f.prelu(lib.ones(2, 3, 4), lib.ones(3, 1)),
        lambda lib, f: f.gelu(lib.ones(2), approximate="erf"),
        lambda lib, f: f.hardtanh(lib.ones(2), 2.0, 1.0),
        lambda lib, f: f.softshrink(lib.ones(2), -1.0),
        lambda lib, f: f.celu(lib.ones(2), 0.0),
        lambda lib, f: f.rrelu(lib.ones(2), 1.0, 0.5),
        lambda lib, f: f.silu(lib.tensor([1])),
        lambda lib, f: f.elu(lib.tensor([1])),
        lambda lib, f: f.hardsigmoid(lib.tensor([1])),
        lambda lib, f: (nn if lib is ad else torch.nn).Softmax2d()(lib.ones(2, 3)),
        lambda lib, f: (nn if lib is ad else torch.nn).Hardtanh(1.0, 1.0),
    ],
)
def test_errors_in_both(call: Any) -> None:
    with pytest.raises((RuntimeError, ValueError, AssertionError)):
        call(torch, T)
    with pytest.raises((RuntimeError, ValueError), match="expected"):
        call(ad, F)


def test_integers() -> None:
    i, torch_i = pair(np.array([1, -2, 8]))
    for functions, x in ((F, i), (T, torch_i)):
        for function in (functions.leaky_relu, functions.leaky_relu_, functions.rrelu):
            with pytest.raises(RuntimeError, match=r"floating-point|not implemented for 'Long'"):
                function(x)
    for name, arguments in (("relu6", ()), ("hardtanh", ()), ("threshold", (0, 7)), ("relu", ())):
        ours, theirs = getattr(F, name)(i, *arguments), getattr(T, name)(torch_i, *arguments)
        assert ours.tolist() == theirs.tolist()
        assert str(ours.dtype) in str(theirs.dtype)


def _norms_after_a_gradient_penalty(library: Any, nn: Any, activation: str) -> list[float | None]:
    library.manual_seed(0)
    x = library.randn(6, 1, 8, 8, requires_grad=True)
    layers = nn.Conv2d(1, 3, 3), getattr(nn, activation)(), nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(32, 1)
    critic = nn.Sequential(*layers)
    (slopes,) = library.autograd.grad(critic(x).sum(), x, create_graph=True)
    ((slopes.flatten(1).norm(2, dim=1) - 1) ** 2).mean().backward()
    return [None if p.grad is None else p.grad.norm().item() for p in critic.parameters()]


@pytest.mark.parametrize("activation", ["ReLU", "LeakyReLU", "Hardtanh", "ReLU6", "PReLU", "Tanh", "ELU", "Identity"])
def test_which_gradients_a_gradient_penalty_leaves_out(activation: str) -> None:
    theirs = _norms_after_a_gradient_penalty(torch, torch.nn, activation)
    ours = _norms_after_a_gradient_penalty(ad, nn, activation)
    assert [norm is None for norm in ours] == [norm is None for norm in theirs]
    np.testing.assert_allclose(*([n or 0.0 for n in norms] for norms in (ours, theirs)), rtol=1e-4)
