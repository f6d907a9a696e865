"""Recurrent layers, their cells and packed sequences beside PyTorch's, with the same weights and the same draws."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn

# What PyTorch says of layers with projections once a process.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
DTYPES = ["float32", "float64"]
# Some twenty steps, each of which rounds a few times in an order and with a tanh of its own: the largest differences
# relative to 1 + the value are 2e-15 and 2e-6.
TOLERANCES = {"float32": 2e-5, "float64": 1e-12}
Build = Callable[[Any], Any]

LAYERS: list[Build] = [
    lambda lib: lib.RNN(3, 4),
    lambda lib: lib.RNN(3, 4, 2, "relu", bias=False),
    lambda lib: lib.RNN(3, 4, 2, "tanh", True, True, 0.0, True),
    lambda lib: lib.RNN(3, 4, nonlinearity="relu", bidirectional=True),
    lambda lib: lib.LSTM(3, 4),
    lambda lib: lib.LSTM(3, 4, 3, bias=False, batch_first=True),
    lambda lib: lib.LSTM(3, 4, 2, bidirectional=True, dropout=0.5),
    lambda lib: lib.LSTM(3, 4, 2, True, False, 0.3, True, 2),
    lambda lib: lib.LSTM(3, 4, proj_size=3, bias=False),
    lambda lib: lib.GRU(3, 4),
    lambda lib: lib.GRU(3, 4, 2, bias=False),
    lambda lib: lib.GRU(3, 4, 2, True, True, 0.4, True),
]
CELLS: list[Build] = [
    lambda lib: lib.RNNCell(3, 4),
    lambda lib: lib.RNNCell(3, 4, False, "relu"),
    lambda lib: lib.LSTMCell(3, 4),
    lambda lib: lib.LSTMCell(3, 4, bias=False),
    lambda lib: lib.GRUCell(3, 4),
    lambda lib: lib.GRUCell(3, 4, bias=False),
]


def copied(build: Build, dtype: str) -> tuple[nn.Module, torch.nn.Module]:
    ours, theirs = build(nn).to(getattr(ad, dtype)), build(torch.nn).to(getattr(torch, dtype))
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    return ours, theirs


def flat(result: Any) -> list[Any]:
    if isinstance(result, tuple | list):
        return [tensor for part in result if part is not None for tensor in flat(part)]
    return [result]


def agree(build: Build, dtype: str, run: Callable[[Any, Any, list[Any]], Any], *shapes: tuple[int, ...]) -> None:
    """The outputs, and the gradients of inputs and parameters, in training and in evaluation mode."""
    ours, theirs = copied(build, dtype)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    for training in (True, False):
        found = []
        for lib, module in ((ad, ours), (torch, theirs)):
            lib.manual_seed(3)
            module.train(training).zero_grad()
            inputs = [lib.tensor(array, requires_grad=True) for array in arrays]
            outputs = flat(run(lib, module, inputs))
            smooth = [y for y in outputs if y.requires_grad]
            weights = [lib.tensor(np.cos(np.arange(y.numel())).reshape(y.shape).astype(dtype)) for y in smooth]
            sum((y * weight).sum() for y, weight in zip(smooth, weights, strict=True)).backward()
            found.append([*outputs, *(x.grad for x in inputs), *(p.grad for p in module.parameters())])
        for a, b in zip(*found, strict=True):
            a, b = a.detach().numpy(), b.detach().numpy()
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


def state_shapes(build: Build, *batch: int) -> list[tuple[int, ...]]:
    module = build(torch.nn)
    layers = (module.num_layers * (1 + module.bidirectional), *batch)
    shapes = [(*layers, module.proj_size or module.hidden_size), (*layers, module.hidden_size)]
    return shapes if module.mode == "LSTM" else shapes[:1]


def given(states: list[Any]) -> Any:
    return None if not states else states[0] if len(states) == 1 else tuple(states)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("with_states", [True, False])
@pytest.mark.parametrize("build", LAYERS)
def test_layers(build: Build, with_states: bool, dtype: str) -> None:
    batched = state_shapes(build, 2 if build(torch.nn).batch_first is False else 5) if with_states else []
    agree(build, dtype, lambda lib, module, xs: module(xs[0], given(xs[1:])), (5, 2, 3), *batched)
    alone = state_shapes(build) if with_states else []
    agree(build, dtype, lambda lib, module, xs: module(xs[0], given(xs[1:])), (6, 3), *alone)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("lengths", "sort"), [([5, 5, 3, 1], True), ([2, 5, 1, 4], False)])
@pytest.mark.parametrize("with_states", [True, False])
@pytest.mark.parametrize("build", LAYERS)
def test_packed(build: Build, with_states: bool, lengths: list[int], sort: bool, dtype: str) -> None:
    def run(lib: Any, module: Any, xs: list[Any]) -> Any:
        tools = (nn if lib is ad else torch.nn).utils.rnn
        packed = tools.pack_padded_sequence(xs[0], lengths, enforce_sorted=sort)
        output, last = module(packed, given(xs[1:]))
        return [output, tools.pad_packed_sequence(output, padding_value=0.5, total_length=7), last]

    agree(build, dtype, run, (5, 4, 3), *(state_shapes(build, 4) if with_states else []))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("with_states", [True, False])
@pytest.mark.parametrize("build", CELLS)
def test_cells(build: Build, with_states: bool, batch: tuple[int, ...], dtype: str) -> None:
    count = (2 if "LSTM" in repr(build(nn)) else 1) * with_states
    agree(
        build,
        dtype,
        lambda lib, module, xs: module(xs[0], given(xs[1:])),
        (*batch, 3),
        *[(*batch, 4)] * count,
    )


@pytest.mark.parametrize("build", [*LAYERS, *CELLS])
def test_initial_values_are_equal_bit_for_bit(build: Build) -> None:
    ad.manual_seed(7)
    torch.manual_seed(7)
    ours, theirs = build(nn), build(torch.nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    if hasattr(theirs, "all_weights"):
        assert ours._flat_weights_names == theirs._flat_weights_names
        shapes = [[tuple(w.shape) for w in weights] for weights in theirs.all_weights]
        assert [[w.shape for w in weights] for weights in ours.all_weights] == shapes
        ours.flatten_parameters()


def test_second_derivatives() -> None:
    for build in LAYERS:
        ours, theirs = copied(build, "float64")
        array = np.random.default_rng(1).normal(size=(3, 2, 3))
        found = []
        for lib, module in ((ad, ours.eval()), (torch, theirs.eval())):
            x = lib.tensor(array, requires_grad=True)
            grad = lib.grad if lib is ad else torch.autograd.grad
            (slope,) = grad((module(x)[0] ** 2).sum(), x, create_graph=True)
            found.append(grad((slope**2).sum(), [x, *module.parameters()], allow_unused=True, materialize_grads=True))
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-10)


ARRAYS = [[np.arange(float(6 * n)).reshape(n, 3, 2) + n for n in lengths] for lengths in ([4, 3, 3, 1], [1, 4, 2])]


@pytest.mark.parametrize(
    ("arrays", "batch_first", "side", "value"),
    [*itertools.product([*ARRAYS, [np.arange(3), np.arange(2)]], [True, False], ["left", "right"], [0.0, 7.0])],
)
def test_padding_and_packing(arrays: list[Any], batch_first: bool, side: str, value: float) -> None:
    found = []
    for lib, tools in ((ad, nn.utils.rnn), (torch, torch.nn.utils.rnn)):
        parts = [lib.tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
        padded = tools.pad_sequence(parts, batch_first, value, side)
        packed = tools.pack_sequence(parts, enforce_sorted=False)
        lengths = lib.tensor([len(part) for part in parts])
        again = tools.pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
        apart = tools.unpad_sequence(tools.pad_sequence(parts, batch_first), lengths, batch_first)
        back = tools.pad_packed_sequence(packed, batch_first, value, 6)
        outputs = flat([padded, packed, again, apart, back, tools.unpack_sequence(packed)])
        smooth = [y for y in outputs if y.requires_grad]
        if smooth:
            sum((y * y).sum() for y in smooth).backward()
        assert packed.double().data.dtype == (ad.float64 if lib is ad else torch.float64)
        found.append([*outputs, *(part.grad for part in parts if part.requires_grad)])
    for a, b in zip(*found, strict=True):
        a, b = a.detach().numpy(), b.detach().numpy()
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def _packed(lib: Any) -> Any:
    return (nn if lib is ad else torch.nn).utils.rnn


ERRORS: list[Callable[[Any, Any], Any]] = [
    lambda lib, m: m.LSTM(3, 0),
    lambda lib, m: m.LSTM(3, 4, proj_size=4),
    lambda lib, m: m.LSTM(3, 4, proj_size=-1),
    lambda lib, m: m.LSTM(3, 4.0),
    lambda lib, m: m.GRU(0, 4),
    lambda lib, m: m.GRU(3, 4, 0),
    lambda lib, m: m.GRU(3, 4, 1, "tanh"),
    lambda lib, m: m.GRU(3, 4, dropout=1.5),
    lambda lib, m: m.GRU(3, 4, dropout=True),
    lambda lib, m: m.RNN(3, 4, batch_first=1),
    lambda lib, m: m.RNN(3, 4, nonlinearity="sigmoid"),
    lambda lib, m: m.RNNBase("LSTMM", 3, 4),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(3)),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(2, 2, 2, 3)),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(2, 2, 4)),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(0, 2, 3)),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(2, 2, 3, dtype=lib.float64)),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(2, 2, 3), lib.zeros(1, 3, 4)),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(2, 3), lib.zeros(1, 1, 4)),
    lambda lib, m: m.RNN(3, 4)(lib.zeros(2, 2, 3), lib.zeros(1, 4)),
    lambda lib, m: m.LSTM(3, 4)(lib.zeros(2, 2, 3), (lib.zeros(1, 2, 4), lib.zeros(1, 2, 3))),
    lambda lib, m: m.LSTM(3, 4, 2)(lib.zeros(2, 2, 3), (lib.zeros(1, 2, 4), lib.zeros(1, 2, 4))),
    lambda lib, m: m.LSTMCell(3, 4)(lib.zeros(2, 4)),
    lambda lib, m: m.LSTMCell(3, 4)(lib.zeros(2, 2, 3)),
    lambda lib, m: m.LSTMCell(3, 4)(lib.zeros(2, 3), (lib.zeros(2, 4), lib.zeros(2, 3))),
    lambda lib, m: m.GRUCell(3, 4)(lib.zeros(2, 3), lib.zeros(3, 4)),
    lambda lib, m: m.GRUCell(3, 4)(lib.zeros(3), lib.zeros(2, 4)),
    lambda lib, m: _packed(lib).pack_padded_sequence(lib.zeros(3, 2, 1), [1, 3]),
    lambda lib, m: _packed(lib).pack_padded_sequence(lib.zeros(3, 2, 1), [3, 0]),
    lambda lib, m: _packed(lib).pack_padded_sequence(lib.zeros(3, 2, 1), [3]),
    lambda lib, m: _packed(lib).pad_sequence([]),
    lambda lib, m: _packed(lib).pad_sequence([lib.zeros(2), lib.zeros(2, 2)]),
    lambda lib, m: _packed(lib).pad_sequence([lib.zeros(2)], padding_side="up"),
    lambda lib, m: _packed(lib).pad_packed_sequence(_packed(lib).pack_sequence([lib.zeros(3)]), total_length=2),
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors(call: Callable[[Any, Any], Any]) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        call(torch, torch.nn)
    with pytest.raises((ValueError, TypeError, RuntimeError), match="expected"):
        call(ad, nn)


def test_dropout_of_one_layer_warns() -> None:
    for lib in (nn, torch.nn):
        with pytest.warns(UserWarning, match="layer"):
            lib.LSTM(3, 4, dropout=0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lib.LSTM(3, 4, 2, dropout=0.5)
