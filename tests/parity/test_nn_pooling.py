"""Pooling beside PyTorch's: values, indices, gradients, ties, NaN, printing, errors."""

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F
from tests.parity.test_nn import DTYPES, Build, assert_close, assert_same_gradients, copied, pair

T = torch.nn.functional
# Means of some dozen numbers in another order, and roots of them.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}
assert_near = partial(assert_close, tolerances=TOLERANCES)

MODULES: list[tuple[Build, tuple[int, ...]]] = [
    (lambda lib: lib.MaxPool1d(2), (2, 3, 8)),
    (lambda lib: lib.MaxPool1d(3, stride=2, padding=1, dilation=2, ceil_mode=True), (3, 9)),
    (lambda lib: lib.MaxPool2d(2), (2, 3, 6, 8)),
    (lambda lib: lib.MaxPool2d(2), (2, 3, 7, 5)),
    (lambda lib: lib.MaxPool2d(3, 2, 1), (2, 3, 7, 8)),
    (lambda lib: lib.MaxPool2d((2, 3), (1, 2), (1, 0), (1, 2), ceil_mode=True), (3, 6, 8)),
    (lambda lib: lib.MaxPool2d((1, 2), stride=(3, 2)), (2, 1, 7, 8)),
    (lambda lib: lib.MaxPool3d(2), (2, 3, 4, 5, 6)),
    (lambda lib: lib.MaxPool3d((2, 3, 1), (1, 2, 3), (1, 1, 0), ceil_mode=True), (3, 4, 5, 6)),
    (lambda lib: lib.AvgPool1d(2), (2, 3, 8)),
    (lambda lib: lib.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False), (3, 8)),
    (lambda lib: lib.AvgPool2d(2), (2, 3, 6, 8)),
    (lambda lib: lib.AvgPool2d(3, 2, 1), (2, 3, 7, 8)),
    (lambda lib: lib.AvgPool2d(3, 2, 1, count_include_pad=False), (2, 3, 7, 8)),
    (lambda lib: lib.AvgPool2d((3, 2), (2, 3), (1, 0), ceil_mode=True), (3, 6, 7)),
    (lambda lib: lib.AvgPool2d((3, 2), (2, 3), (1, 1), ceil_mode=True, count_include_pad=False), (3, 6, 6)),
    (lambda lib: lib.AvgPool2d(3, 1, 1, divisor_override=5), (2, 3, 5, 5)),
    (lambda lib: lib.AvgPool3d(2), (2, 3, 4, 5, 6)),
    (lambda lib: lib.AvgPool3d((2, 3, 1), (1, 2, 3), (1, 1, 0), True, False), (3, 4, 5, 6)),
    (lambda lib: lib.LPPool1d(2, 3), (2, 3, 9)),
    (lambda lib: lib.LPPool2d(3, (2, 3), stride=2, ceil_mode=True), (2, 3, 6, 7)),
    (lambda lib: lib.LPPool2d(float("inf"), 2), (2, 3, 6, 6)),
    (lambda lib: lib.LPPool2d(-float("inf"), 2, 1), (2, 3, 6, 6)),
    (lambda lib: lib.LPPool3d(4, 2), (1, 2, 4, 4, 4)),
    (lambda lib: lib.AdaptiveMaxPool1d(3), (2, 3, 8)),
    (lambda lib: lib.AdaptiveMaxPool2d((3, None)), (3, 7, 5)),
    (lambda lib: lib.AdaptiveMaxPool2d(4), (2, 3, 8, 12)),
    (lambda lib: lib.AdaptiveMaxPool2d((9, 4)), (2, 3, 6, 6)),
    (lambda lib: lib.AdaptiveMaxPool3d((2, 3, 1)), (2, 3, 5, 4, 3)),
    (lambda lib: lib.AdaptiveAvgPool1d(3), (3, 8)),
    (lambda lib: lib.AdaptiveAvgPool2d(1), (2, 3, 6, 5)),
    (lambda lib: lib.AdaptiveAvgPool2d((3, None)), (2, 3, 7, 5)),
    (lambda lib: lib.AdaptiveAvgPool2d((2, 9)), (2, 3, 6, 6)),
    (lambda lib: lib.AdaptiveAvgPool2d(3), (2, 3, 6, 9)),
    (lambda lib: lib.AdaptiveAvgPool3d((2, 3, 1)), (3, 5, 4, 3)),
    (lambda lib: lib.FractionalMaxPool2d(2, output_size=3), (2, 3, 8, 7)),
    (lambda lib: lib.FractionalMaxPool2d((2, 3), output_ratio=(0.5, 0.7)), (3, 8, 9)),
    (lambda lib: lib.FractionalMaxPool3d(2, output_size=(3, 2, 1)), (2, 3, 6, 5, 4)),
    (lambda lib: lib.FractionalMaxPool3d(2, output_ratio=0.5), (2, 6, 5, 7)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("build", "shape"), MODULES)
def test_modules(build: Build, shape: tuple[int, ...], ties: bool, training: bool, dtype: str) -> None:
    """Where numbers tie, the gradient goes to the same one; random windows are the same after the same seed."""
    ours, theirs = copied(build, dtype)
    ours.train(training)
    theirs.train(training)
    assert repr(ours) == repr(theirs)
    rng = np.random.default_rng(0)
    values = rng.integers(1, 4, shape) if ties else rng.normal(size=shape)
    if "LPPool" in repr(ours):
        # An odd power of negative numbers may leave 0, whose root has no gradient.
        values = np.abs(values) + 0.1
    x, torch_x = pair(values.astype(dtype), grad=True)
    ad.manual_seed(5)
    torch.manual_seed(5)
    y, torch_y = ours(x), theirs(torch_x)
    assert_near(y, torch_y, dtype)
    g, torch_g = pair(rng.normal(size=y.shape).astype(dtype))
    y.backward(g)
    torch_y.backward(torch_g)
    assert_near(x.grad, torch_x.grad, dtype)


@pytest.mark.parametrize("values", ["normal", "ties", "nan", "infinite"])
def test_indices(values: str) -> None:
    """Over all arguments; a NaN is the largest, and of several the last, for the index and the gradient alike."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (2, 2, 6, 7)).astype(float) if values == "ties" else rng.normal(size=(2, 2, 6, 7))
    if values == "nan":
        x[rng.random(x.shape) < 0.2] = np.nan
    if values == "infinite":
        x[rng.random(x.shape) < 0.7] = -np.inf
    calls: list[tuple[str, dict[str, Any]]] = [
        ("max_pool2d", {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": c})
        for k, s, p, d, c in itertools.product((2, (3, 2)), (1, (2, 3)), (0, 1), (1, (1, 2)), (False, True))
    ]
    calls += [("adaptive_max_pool2d", {"output_size": size}) for size in ((3, 7), (4, 3), (9, 2))]
    samples = rng.random((2, 2, 2))
    calls += [("fractional_max_pool2d", {"kernel_size": (2, 3), "output_size": (4, 3), "_random_samples": samples})]
    for name, given in calls:
        options = {key: pair(v) if isinstance(v, np.ndarray) else (v, v) for key, v in given.items()}
        a, torch_a = pair(x, grad=True)
        ours = getattr(F, name)(a, return_indices=True, **{key: v for key, (v, _) in options.items()})
        theirs = getattr(T, name)(torch_a, return_indices=True, **{key: v for key, (_, v) in options.items()})
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine.detach().numpy(), other.detach().numpy(), err_msg=f"{name} {given}")
        plain = getattr(F, name)(a, **{key: v for key, (v, _) in options.items()})
        np.testing.assert_array_equal(plain.detach().numpy(), ours[0].detach().numpy())
        g, torch_g = pair(rng.normal(size=plain.shape))
        theirs[0].backward(torch_g)
        for y in (plain, ours[0]):
            (gradient,) = ad.grad(y, a, g)
            np.testing.assert_allclose(gradient.numpy(), torch_a.grad.numpy(), rtol=1e-12, err_msg=f"{name} {given}")


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_unpooling(ndim: int) -> None:
    rng = np.random.default_rng(0)
    for length, kernel, stride, padding, size in ((8, 2, None, 0, None), (9, 3, 2, 1, None), (8, 3, 2, 0, (8,) * ndim)):
        x, torch_x = pair(rng.normal(size=(2, 3, *(length,) * ndim)), grad=True)
        results = []
        for lib, a in ((nn, x), (torch.nn, torch_x)):
            y, index = getattr(lib, f"MaxPool{ndim}d")(kernel, stride, padding, return_indices=True)(a)
            module = getattr(lib, f"MaxUnpool{ndim}d")(kernel, stride, padding)
            results.append((repr(module), module(y * y, index, output_size=size)))
        (name, y), (torch_name, torch_y) = results
        assert name == torch_name
        assert_near(y, torch_y, "float64")
        g, torch_g = pair(rng.normal(size=y.shape))
        y.backward(g)
        torch_y.backward(torch_g)
        assert_near(x.grad, torch_x.grad, "float64")


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"])
def test_second_derivatives(name: str) -> None:
    x, torch_x = pair(np.random.default_rng(0).normal(size=(2, 2, 6, 7)), grad=True)
    (g,) = ad.grad((getattr(F, name)(x, 3) ** 3).sum(), x, create_graph=True)
    (torch_g,) = torch.autograd.grad((getattr(T, name)(torch_x, 3) ** 3).sum(), torch_x, create_graph=True)
    (g**2).sum().backward()
    (torch_g**2).sum().backward()
    assert_near(x.grad, torch_x.grad, "float64")


@pytest.mark.parametrize(
    "call",
    [
        lambda m, F: F.max_pool2d(m.zeros(3, 3), 2),
        lambda m, F: F.max_pool2d(m.zeros(1, 3, 3), 5),
        lambda m, F: F.max_pool2d(m.zeros(1, 6, 6), 2, padding=2),
        lambda m, F: F.max_pool2d(m.zeros(1, 6, 6), 0),
        lambda m, F: F.max_pool2d(m.zeros(1, 6, 6), 2, stride=0),
        lambda m, F: F.max_pool2d(m.zeros(1, 6, 6), (2, 2, 2)),
        lambda m, F: F.max_pool2d(m.zeros(2, 1, 0, 6), 2),
        lambda m, F: F.avg_pool2d(m.zeros(1, 6, 6), 2, padding=2),
        lambda m, F: F.avg_pool2d(m.zeros(1, 6, 6), 2, divisor_override=0),
        lambda m, F: F.adaptive_avg_pool2d(m.zeros(1, 6, 6), (2, 2, 2)),
        lambda m, F: F.adaptive_max_pool2d(m.zeros(6, 6), 2),
        lambda m, F: F.fractional_max_pool2d(m.zeros(1, 6, 6), 2),
        lambda m, F: F.fractional_max_pool2d(m.zeros(1, 6, 6), 3, output_size=6),
        lambda m, F: F.max_unpool2d(m.zeros(1, 2, 2), m.zeros(1, 2, 2), 2),
        lambda m, F: F.max_unpool2d(m.zeros(1, 2, 2), m.zeros(1, 2, 2).long() + 99, 2),
        lambda m, F: F.max_unpool2d(m.zeros(1, 2, 2), m.zeros(1, 2, 2).long(), 2, output_size=(9, 9)),
    ],
)
def test_errors(call: Any) -> None:
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        call(torch, T)
    with pytest.raises((RuntimeError, ValueError, TypeError), match=r"expected|fit"):
        call(ad, F)


def test_of_repeated_places_the_last_entry_stays() -> None:
    """As in PyTorch with one thread; with more of them, whichever comes last."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    index = np.random.default_rng(1).integers(0, 64, x.shape)
    index[0, 0] = 5
    ours, theirs = pair(x, grad=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        y, torch_y = F.max_unpool2d(ours, ad.tensor(index), 2), T.max_unpool2d(theirs, torch.tensor(index), 2)
    finally:
        torch.set_num_threads(threads)
    assert y.tolist() == torch_y.tolist()
    assert_same_gradients(y, torch_y, "float64", (ours, theirs))
