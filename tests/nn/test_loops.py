"""What numba compiles (the extra accel) beside NumPy, and the same loops as Python, where it is not installed."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff import compiled
from autodiff.compiled import loop_named
from autodiff.ops import loops
from nn.functional import loops as loops_of_nn
from nn.functional import recurrent_loops, standardize_loops

F = nn.functional


def affine(x: Any) -> list[Any]:
    return [ad.linspace(-1, 2, x.shape[1], dtype=x.dtype), ad.linspace(0, 1, x.shape[1], dtype=x.dtype)]


def twice(x: Any) -> Any:
    """One sample of twice as many channels as `x` has rows."""
    return ad.cat([x, x * 0.5]).unsqueeze(0)


CALLS: dict[str, Callable[..., Any]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "sigmoid": ad.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "hardswish": F.hardswish,
    "elu": lambda x: F.elu(x, 0.5),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, -2.0),
    "mish": F.mish,
    "softplus": lambda x: F.softplus(x, 2.0, 8.0),
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:], *affine(x)),
    "layer_norm_alone": lambda x: F.layer_norm(x, x.shape[1:]),
    "batch_norm": lambda x: F.batch_norm(x, None, None, *affine(x), training=True),
    "batch_norm_alone": lambda x: F.batch_norm(x, None, None, training=True),
    "batch_norm_1d": lambda x: F.batch_norm(ad.stack([x, x * 0.5]), None, None, *affine(x.T), training=True),
    "group_norm": lambda x: F.group_norm(twice(x), 2, *affine(twice(x))),
    "instance_norm": lambda x: F.instance_norm(ad.stack([x, x * 0.5])),
    "cross_entropy": lambda x: F.cross_entropy(x, ad.arange(len(x)) % x.shape[1]),
}
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 3.0, -3.0, 1e-30, 1e30, -1e30], np.float32)
needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="the extra accel is not installed")


def numbers(shape: tuple[int, ...], dtype: Any) -> Any:
    """Numbers to ±12, where the activations bend and where they are flat."""
    return np.random.default_rng(0).uniform(-12, 12, shape).astype(np.float32).astype(dtype)


def passes(call: Callable[..., Any], x: Any) -> list[Any]:
    """The output and the gradient."""
    x = ad.from_numpy(x).requires_grad_()
    y = call(x)
    g = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32).astype(x.dtype)
    y.backward(ad.from_numpy(np.asarray(g)))
    return [y.detach().numpy(), x.grad.numpy()]


def check_beside_float64(call: Callable[..., Any], shape: tuple[int, ...]) -> None:
    exact = passes(call, numbers(shape, np.float64))
    for found, wanted in zip(passes(call, numbers(shape, np.float32)), exact, strict=True):
        assert found.dtype == np.float32
        # A few places of float32, of which one is 1.2e-7, of the terms that a number is the sum of: up to ten.
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=3e-6)


@needs_numba
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("shape", [(521, 131), (300, 1000)], ids=str)
def test_the_loops_give_the_numbers_of_float64(name: str, shape: tuple[int, ...], monkeypatch: Any) -> None:
    used: list[str] = []
    for module in (
        "autodiff.ops.blocks",
        "autodiff.ops.softmax",
        "nn.functional.class_ops",
        "nn.functional.standardize",
    ):
        monkeypatch.setattr(f"{module}.loop_named", lambda path: used.append(path) or compiled.loop_named(path))
    check_beside_float64(CALLS[name], shape)
    assert used


@needs_numba
@pytest.mark.parametrize("name", CALLS)
def test_threads_give_the_same_bits(name: str) -> None:
    x, before = numbers((521, 1000), np.float32), ad.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            ad.set_num_threads(threads)
            found.append([part.tobytes() for part in passes(CALLS[name], x)])
    finally:
        ad.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", CALLS)
def test_as_python_too(name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(compiled, "_has_numba", lambda: True)
    monkeypatch.setattr(compiled, "LARGE", 8)
    monkeypatch.setattr("autodiff.ops.blocks.LARGE", 8)
    # Imported above, the loops are Python where numba is not.
    assert loops_of_nn.gelu
    assert standardize_loops.rows
    check_beside_float64(CALLS[name], (40, 3))


@needs_numba
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "silu", "gelu", "hardswish", "elu", "mish"])
def test_special_numbers_come_out_as_from_numpy(name: str, monkeypatch: Any) -> None:
    x = np.tile(SPECIAL, compiled.LARGE // 8)
    with np.errstate(all="ignore"):
        found = passes(CALLS[name], x)
        monkeypatch.setattr(compiled, "_has_numba", lambda: False)
        for got, wanted in zip(found, passes(CALLS[name], x), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


def test_the_exponential_is_within_one_place_from_the_least_number_to_infinity() -> None:
    x = np.linspace(-103, 88.7, 4001).astype(np.float32)
    y = np.array([loops.exp(v) for v in x], np.float64)
    exact = np.exp(x.astype(np.float64))
    assert np.max(np.abs(y - exact) / np.spacing(exact.astype(np.float32))) <= 1.1
    with np.errstate(over="ignore", invalid="ignore"):
        edges = [loops.exp(np.float32(v)) for v in (-np.inf, -120.0, 0.0, np.nan, np.inf)]
    np.testing.assert_array_equal(edges, [0, 0, 1, np.nan, np.inf])


@needs_numba
@pytest.mark.parametrize(
    ("shape", "parameters", "call"),
    [
        ((300, 2, 70), (2, 70), lambda x, *parameters: F.layer_norm(x, (2, 70), *parameters)),
        ((300, 140), (140,), lambda x, *parameters: F.batch_norm(x, None, None, *parameters, training=True)),
        ((30, 14, 100), (14,), lambda x, *parameters: F.batch_norm(x, None, None, *parameters, training=True)),
        ((30, 14, 100), (14,), lambda x, *parameters: F.group_norm(x, 7, *parameters)),
    ],
    ids=["rows", "columns", "channels", "groups"],
)
def test_gradients_of_factors_and_shifts(shape: Any, parameters: Any, call: Any, monkeypatch: Any) -> None:
    # Several parts, of which each has sums of its own.
    monkeypatch.setattr("nn.functional.standardize.PART", 5000)
    found = []
    for dtype in (np.float32, np.float64):
        x = ad.from_numpy(numbers(shape, dtype)).requires_grad_()
        weight, bias = (ad.ones(*parameters, dtype=x.dtype).requires_grad_() for _ in range(2))
        g = ad.from_numpy(np.random.default_rng(1).standard_normal(shape[::-1]).astype(np.float32).astype(dtype))
        # A gradient that is not in C's order.
        call(x, weight, bias).backward(g.permute(*range(len(shape))[::-1]))
        found.append([part.grad.numpy() for part in (x, weight, bias)])
    for got, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=2e-5)


@needs_numba
def test_running_averages_of_the_loops() -> None:
    x = ad.from_numpy(numbers((300, 140), np.float32))
    module = nn.BatchNorm1d(140, momentum=1.0)
    module(x)
    np.testing.assert_allclose(module.running_mean.numpy(), x.double().mean(0).numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(module.running_var.numpy(), x.double().var(0).numpy(), rtol=1e-6)


@pytest.mark.parametrize("size", [3, pytest.param(32, marks=needs_numba)])
@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (nn.LSTM, {}),
        (nn.LSTM, {"proj_size": 2, "bidirectional": True}),
        (nn.GRU, {}),
        (nn.GRU, {"bidirectional": True}),
    ],
    ids=str,
)
def test_recurrent_layers(layer: Any, options: dict[str, Any], size: int, monkeypatch: Any) -> None:
    if size == 3:
        # As Python too.
        monkeypatch.setattr(compiled, "_has_numba", lambda: True)
        monkeypatch.setattr(compiled, "LARGE", 8)

    def found(dtype: Any) -> list[Any]:
        ad.manual_seed(0)
        module = layer(6, size, **options).to(dtype)
        steps, batch = (15, 40) if size > 3 else (4, 2)
        x = ad.from_numpy(numbers((steps, batch, 6), dtype) / 12).requires_grad_()
        lengths = [steps] * (batch // 2) + [steps // 2] * (batch // 2)
        y, states = module(nn.utils.rnn.pack_padded_sequence(x, lengths))
        outputs = (y.data, *(states if layer is nn.LSTM else [states]))
        sum(part.square().sum() for part in outputs).backward()
        return [part.detach().numpy() for part in (*outputs, x.grad, *(p.grad for p in module.parameters()))]

    used: list[str] = []
    monkeypatch.setattr("nn.functional.recurrent.loop_named", lambda path: used.append(path) or loop_named(path))
    for got, wanted in zip(found(np.float32), found(np.float64), strict=True):
        # The gradients of the parameters are sums over hundreds of rows.
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=2e-6 * np.abs(wanted).max())
    assert len(set(used)) == 2


def test_the_hyperbolic_tangent_is_within_two_places() -> None:
    x = np.concatenate([np.linspace(-10, 10, 2001), np.geomspace(1e-30, 1, 500)]).astype(np.float32)
    with np.errstate(under="ignore"):
        y = np.array([recurrent_loops.tanh(v) for v in x], np.float64)
    exact = np.tanh(x.astype(np.float64))
    assert np.max(np.abs(y - exact) / np.spacing(np.abs(exact).astype(np.float32))) <= 2
