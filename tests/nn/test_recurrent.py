"""Recurrent layers beside their definition, and the sequences that they take."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.op import OPS, OpError
from autodiff.tensor import Tensor
from nn.functional import recurrent
from nn.functional.recurrent import CELLS, composed
from nn.functional.recurrent_cells import Cell, GRUCell, LSTMCell, ReluCell, TanhCell
from nn.functional.small_products import dot_into
from nn.testing.recurrent import CASES
from nn.utils.rnn import (
    PackedSequence,
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)


@pytest.mark.parametrize("block", [1, 32768])
@pytest.mark.parametrize("cell", [TanhCell, ReluCell, LSTMCell, GRUCell])
@settings(max_examples=20)
@given(data=st.data())
def test_each_op_is_its_steps(cell: type[Cell], block: int, data: st.DataObject) -> None:
    """Values and gradients."""
    case = CASES[cell.name](data.draw, OPS[cell.name])
    xs = [None if x is None else ad.tensor(x, requires_grad=True) for x in case.inputs]
    wanted = [x for x in xs if x is not None]
    expected = composed(cell, *xs, **case.params)
    g = ad.tensor(np.cos(np.arange(expected.numel())))
    y = CELLS[cell.name](*xs, **case.params)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrent, "BLOCK", block)
        found = ad.grad(y, wanted, g, retain_graph=True)
        again = ad.grad(y, wanted, g)
    for a, b, c in zip(found, again, ad.grad(expected, wanted, g), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        np.testing.assert_allclose(a.numpy(), c.numpy(), rtol=1e-12, atol=1e-13)


def test_lstm_is_its_formula() -> None:
    layer = nn.LSTM(3, 2).double()
    w_ih, w_hh, b_ih, b_hh = (parameter.detach().numpy() for parameter in layer.parameters())
    x = ad.randn(4, 5, 3, dtype=ad.float64)
    h = c = np.zeros((5, 2))
    for step in x.numpy():
        i, f, g, o = np.split(step @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    output, (last_h, last_c) = layer(x)
    for a, b in ((output[-1], h), (last_h[0], h), (last_c[0], c)):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=1e-12)


def test_a_layer_is_its_cell_step_by_step() -> None:
    layer, cell = nn.GRU(3, 4), nn.GRUCell(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, h = ad.randn(5, 2, 3), None
    for step in x:
        h = cell(step, h)
    np.testing.assert_allclose(layer(x)[1][0].detach().numpy(), h.detach().numpy(), rtol=1e-5, atol=1e-6)  # float32


def test_a_layer_is_one_node() -> None:
    h = nn.GRU(3, 4)(ad.zeros(5, 2, 3))[0].grad_fn
    while h is not None and h.name != "gru":
        h = h.parents()[0]
    assert h is not None
    assert len(h.parents()) == 8


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4), batch_first=st.booleans())
def test_packing_and_padding_are_undone(lengths: list[int], batch_first: bool) -> None:
    parts = [ad.randn(length, 2) for length in lengths]
    packed = pack_sequence(parts, enforce_sorted=False)
    padded, counts = pad_packed_sequence(packed, batch_first)
    assert counts.tolist() == lengths
    for found in (
        unpack_sequence(packed),
        unpad_sequence(pad_sequence(parts, batch_first), counts, batch_first),
        unpad_sequence(padded, lengths, batch_first),
    ):
        assert [part.tolist() for part in found] == [part.tolist() for part in parts]


def test_packed_sequence() -> None:
    packed = pack_sequence([ad.tensor([1.0]), ad.tensor([2.0, 3.0])], enforce_sorted=False)
    assert isinstance(packed, tuple)
    assert PackedSequence((packed.data, packed.batch_sizes)).sorted_indices is None
    assert packed.unsorted_indices.tolist() == [1, 0]
    assert packed.cpu() is packed.float() is packed.pin_memory() is packed
    assert not packed.is_cuda
    assert not packed.is_pinned()
    dtypes = {"double": "float64", "half": "float16", "long": "int64", "int": "int32"}
    dtypes |= {"short": "int16", "char": "int8", "byte": "uint8"}
    for method, dtype in dtypes.items():
        assert getattr(packed, method)().data.dtype == getattr(ad, dtype)
    assert invert_permutation(None) is None


def _refused(call: Any, message: str, error: type[Exception] = OpError) -> None:
    with pytest.raises(error, match=message):
        call()


def test_errors_of_sequences() -> None:
    x = ad.zeros(3, 2, 1)
    _refused(lambda: pack_padded_sequence(x, [4, 1]), r"lengths from 1 to 3, the length of the input, got \[4, 1\]")
    _refused(lambda: pack_padded_sequence(x, [1, 0]), "leave empty sequences out")
    _refused(lambda: pack_padded_sequence(x, [1, 3]), "enforce_sorted=False")
    _refused(lambda: pack_padded_sequence(x, [1.0, 3.0]), "one integer for each, got float64")
    _refused(lambda: pack_padded_sequence(x, [1]), "the lengths of 2 sequences")
    _refused(lambda: pack_padded_sequence(ad.zeros(3), [1]), "a batch of sequences")
    _refused(lambda: pad_sequence(3), "expected a list of tensors, got int")
    _refused(lambda: pad_sequence([]), "got none")
    _refused(lambda: pad_sequence([ad.tensor(1.0)]), r"tensors \(L, \*\)")
    _refused(lambda: pack_sequence([ad.zeros(1), ad.zeros(1, 2)]), "differ in their length L alone")
    _refused(lambda: pad_sequence([ad.zeros(1)], padding_side="up"), '"left" or "right"', ValueError)
    packed = pack_sequence([ad.zeros(3)])
    _refused(lambda: pad_packed_sequence(packed, total_length=2), "at least 3", ValueError)


def test_errors_of_layers() -> None:
    x = ad.zeros(5, 2, 3)
    layer = nn.LSTM(3, 4, batch_first=True)
    _refused(lambda: layer(ad.zeros(3)), r"^LSTM: expected an input \(L, 3\) or \(N, L, 3\), got float32 \(3,\)")
    _refused(lambda: layer(ad.zeros(2, 5, 4)), "expected 3 features along the last axis")
    _refused(lambda: layer(ad.zeros(2, 5, 3, dtype=ad.float64)), r"x.to\(float32\)")
    _refused(lambda: layer(ad.zeros(2, 0, 3)), "at least one step")
    _refused(lambda: layer(x, ad.zeros(1, 2, 4)), r"a pair \(h_0, c_0\), got Tensor", TypeError)
    states = ad.zeros(1, 5, 4), ad.zeros(1, 2, 4)
    _refused(lambda: layer(x, states), r"expected c_0 of float32 \(1, 5, 4\): layers and directions, batch and size")
    _refused(lambda: nn.LSTM(3, 4)(x[0], states), r"expected h_0 of float32 \(1, 4\): layers and directions and size")
    _refused(lambda: nn.LSTMCell(3, 4)(ad.zeros(2, 3), ad.zeros(2, 4)), r"a pair \(h, c\)", TypeError)
    _refused(lambda: nn.GRUCell(3, 4)(ad.zeros(2, 3), ad.zeros(3, 4)), r"a state of float32 \(2, 4\)")
    _refused(lambda: nn.GRUCell(3, 4)(ad.zeros(2, 4)), r"an input \(N, 3\) or \(3,\)")


def test_errors_of_constructors() -> None:
    for error, message, build in (
        (ValueError, "hidden_size to be at least 1, got 0", lambda: nn.GRU(3, 0)),
        (TypeError, "input_size to be an integer, got 3.0", lambda: nn.GRU(3.0, 4)),
        (TypeError, "bias to be True or False, got 'relu'", lambda: nn.GRU(3, 4, 1, "relu")),
        (ValueError, "from 0 to 1; got 1.5", lambda: nn.GRU(3, 4, 2, dropout=1.5)),
        (ValueError, "hidden_size - 1 = 3; got 4", lambda: nn.LSTM(3, 4, proj_size=4)),
        (ValueError, "a mode of RNN_TANH, RNN_RELU, LSTM, GRU; got 'rnn'", lambda: nn.RNNBase("rnn", 3, 4)),
        (ValueError, '"tanh" or "relu", got', lambda: nn.RNN(3, 4, nonlinearity="elu")),
        (ValueError, '"tanh" or "relu", got', lambda: nn.RNNCell(3, 4, nonlinearity="elu")),
    ):
        _refused(build, message, error)
    with pytest.warns(UserWarning, match="there is only one"):
        nn.GRU(3, 4, dropout=0.5)


def test_weights_written_to_between_the_passes_are_refused() -> None:
    layer = nn.RNN(2, 2)
    y: Tensor = layer(ad.ones(3, 1, 2))[0]
    with ad.no_grad():
        layer.weight_hh_l0.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(
    "shape", [(32, 128, 512), (24, 512, 128), (31, 128, 512), (8, 20, 30), (32, 700, 600)], ids=str
)
def test_products_in_parts_of_some_rows(shape: tuple[int, int, int], small: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr("nn.functional.small_products.has_small_products", lambda: small)
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(size).astype(np.float32) for size in ((rows, inner), (inner, columns)))
    out = np.full((rows, columns), np.nan, np.float32)
    dot_into(a, b, out)
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=1e-5, atol=1e-4)
