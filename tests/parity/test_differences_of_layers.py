"""Rows of docs/differences.md about layers and functions of one's own: what PyTorch does."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x


class ByNumber(Square):
    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2 * ctx.saved_tensors[0].item()


class Once(Square):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2 * ctx.saved_tensors[0]


def test_numbers_in_derivatives() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    (g,) = torch.autograd.grad(ByNumber.apply(x) * x, x, create_graph=True)
    # Of x³ the second derivative at 3 is 18.
    assert torch.autograd.grad(g, x)[0].item() == 12


def test_once_differentiable() -> None:
    x = torch.tensor(3.0, requires_grad=True)
    (g,) = torch.autograd.grad(Once.apply(x), x, create_graph=True)
    assert not g.requires_grad
    (g,) = torch.autograd.grad(Once.apply(x) * x, x, create_graph=True)
    # Of x³ the second derivative at 3 is 18.
    assert torch.autograd.grad(g, x, retain_graph=True)[0].item() == 6
    with pytest.raises(RuntimeError, match="differentiate twice"):
        g.backward()


def test_no_gradient_from_a_function() -> None:
    called = []

    class Stop(Square):
        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return None

    class Watch(Square):
        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            called.append(g.tolist())
            return g

    x = torch.ones(1, requires_grad=True)
    Stop.apply(Watch.apply(x)).sum().backward()
    assert called == [[0]]
    assert x.grad is not None
    assert x.grad.tolist() == [0]


def test_views_from_before() -> None:
    x = torch.ones(3)
    view = x[:2]
    x.requires_grad_()
    assert view.requires_grad
    assert view.grad_fn is None
    with pytest.raises(RuntimeError, match="view of a leaf"):
        view.mul_(2)


def test_detached_bases() -> None:
    base = torch.ones(3, requires_grad=True) * 2
    view = base[:2]
    base.detach_()
    with pytest.raises(RuntimeError, match="view of a leaf"):
        view.mul_(3)


def test_places_outside_the_shape() -> None:
    assert [int(i) for i in torch.unravel_index(torch.tensor(7), (2, 3))] == [0, 1]


def test_frequencies_in_bags() -> None:
    weight = torch.zeros(4, 1, requires_grad=True)
    index, bags = torch.tensor([0, 0, 1, 3]), torch.tensor([0])
    (g,) = torch.autograd.grad(F.embedding_bag(index, weight, bags, mode="sum", scale_grad_by_freq=True).sum(), weight)
    # The second row used has the count of the second index, which is that of row 0.
    assert g.tolist() == [[1], [0.5], [0], [1]]
    (of_rows,) = torch.autograd.grad(F.embedding(index, weight, scale_grad_by_freq=True).sum(), weight)
    assert of_rows.tolist() == [[1], [1], [0], [1]]


@pytest.mark.filterwarnings("ignore:.*nested tensors")
def test_padded_places_of_encoders() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    encoder, padding = nn.TransformerEncoder(layer, 1), torch.tensor([[False, False, True]])
    x = torch.arange(12.0).reshape(1, 3, 4)
    assert encoder(x, src_key_padding_mask=padding)[0, 2].any()
    with torch.no_grad():
        y = encoder.eval()(x, src_key_padding_mask=padding)
    assert y.shape[1] == 2 or not y[0, 2].any()


def test_pads_of_any_axes() -> None:
    for shape in ((3,), (3,) * 4, (3,) * 6):
        for mode in ("reflect", "circular"):
            with pytest.raises(NotImplementedError, match="not supported"):
                F.pad(torch.zeros(shape), (1, 0), mode)


def test_integers_in_layers() -> None:
    x = torch.arange(16).reshape(1, 1, 4, 4)
    assert F.avg_pool2d(x, 2).tolist() == [[[[2, 4], [10, 12]]]]
    assert F.lp_pool2d(x, 2, 2).shape == (1, 1, 2, 2)
    assert F.local_response_norm(x, 2).dtype == torch.float32
    assert F.softsign(x)[0, 0, 0].tolist() == [0.0, 0.5, 0.6666666865348816, 0.75]
    for call in (
        lambda: F.adaptive_max_pool2d(x, 2),
        lambda: F.interpolate(x[0], size=8),
        lambda: F.one_hot(torch.tensor([1], dtype=torch.int32), 2),
    ):
        with pytest.raises((NotImplementedError, RuntimeError)):
            call()


def test_lengths_of_sequences() -> None:
    for lengths in ([3.5, 2.0], [5, 2]):
        packed = nn.utils.rnn.pack_padded_sequence(torch.ones(3, 2, 1), lengths)
        assert packed.batch_sizes.tolist() == [2, 2] + [1] * (int(lengths[0]) - 2)


def test_dimensions_of_dropout() -> None:
    for function, shape in ((F.dropout2d, (2, 3)), (F.dropout2d, (2,) * 5), (F.dropout3d, (2, 3, 4))):
        with pytest.warns(UserWarning, match="deprecated"):
            assert function(torch.ones(shape)).shape == shape


def test_draws_behind_transposes() -> None:
    x = torch.ones(4, 3)
    assert not (x.t() * torch.ones(3, 4)).is_contiguous()
    assert torch.cat([x.t(), x.t()]).is_contiguous()


def test_old_argument_names() -> None:
    with pytest.warns(FutureWarning, match="min_value"):
        assert nn.Hardtanh(min_value=-2.0).min_val == -2


def test_parameters_only() -> None:
    assert nn.ParameterDict({"a": 3})["a"] == 3
    assert nn.ParameterList(["a"])[0] == "a"


def test_keys_seen_by_hooks() -> None:
    model, seen = nn.Sequential(nn.ReLU(), nn.Linear(1, 1), nn.Linear(1, 1)), []
    model[1].register_load_state_dict_pre_hook(
        lambda module, state, prefix, *rest: seen.append((prefix, sorted(state)))
    )
    model.load_state_dict(model.state_dict())
    assert seen == [("1.", ["1.bias", "1.weight"])]


def test_metadata_of_states() -> None:
    state = nn.Linear(1, 1).state_dict()
    assert type(state) is OrderedDict
    assert state._metadata == {"": {"version": 1}}
    with pytest.raises(RuntimeError, match=r"expected torch\.Tensor"):
        nn.Linear(1, 1).load_state_dict({"weight": np.full((1, 1), 3.0), "bias": np.zeros(1)})


def test_silent_defaults() -> None:
    for call in (
        lambda: F.grid_sample(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 1, 2)),
        lambda: nn.utils.weight_norm(nn.Linear(1, 1)),
        lambda: F.dropout2d(torch.ones(2, 3, 4)),
    ):
        with pytest.warns((UserWarning, FutureWarning)):
            call()


def slope(function: Any, value: float, count: int) -> float:
    x = torch.full((count,), value, requires_grad=True)
    (g,) = torch.autograd.grad(function(x).sum(), x)
    return g[0].item()


def test_activations_at_infinity() -> None:
    for infinity in (np.inf, -np.inf):
        assert np.isnan(slope(F.softsign, infinity, 1))
    for function in (F.elu, F.celu):
        assert slope(function, np.nan, 1) == 1
        assert np.isnan(slope(function, np.nan, 10_000))
    values = [F.gelu(torch.full((count,), np.inf))[0].item() for count in (1, 10_000)]
    np.testing.assert_array_equal(values, [np.inf, np.nan])
