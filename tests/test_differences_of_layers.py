"""Rows of docs/differences.md about layers and functions of one's own: what happens here, named after the rows."""

import warnings
from typing import Any

import numpy as np
import pytest

import autodiff as ad
import nn
from autodiff.autograd.function import once_differentiable
from autodiff.op import OpError
from nn import functional as F


class Square(ad.Function):
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
    x = ad.tensor(3.0, requires_grad=True)
    assert ad.grad(ByNumber.apply(x), x)[0].item() == 6
    with pytest.raises(RuntimeError, match="once_differentiable"):
        ad.grad(ByNumber.apply(x), x, create_graph=True)


def test_once_differentiable() -> None:
    x = ad.tensor(3.0, requires_grad=True)
    for y in (Once.apply(x), Once.apply(x) * x):
        (g,) = ad.grad(y, x, create_graph=True)
        assert g.requires_grad
        with pytest.raises(RuntimeError, match="differentiate twice"):
            ad.grad(g, x)
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
            called.append(g)
            return g

    x = ad.ones(1, requires_grad=True)
    Stop.apply(Watch.apply(x)).sum().backward()
    assert called == []
    assert x.grad is None


def test_views_from_before() -> None:
    x = ad.ones(3)
    view = x[:2]
    x.requires_grad_()
    assert not view.requires_grad
    with pytest.raises(RuntimeError, match="view of a leaf"):
        view.mul_(2)


def test_detached_bases() -> None:
    base = ad.ones(3, requires_grad=True) * 2
    view = base[:2]
    base.detach_()
    assert not base.requires_grad
    view.mul_(3)
    assert base.tolist() == [6, 6, 2]
    assert base.requires_grad


def test_places_outside_the_shape() -> None:
    with pytest.raises(OpError, match=r"unravel_index expected places in shape \(2, 3\)"):
        ad.unravel_index(ad.tensor(7), (2, 3))


def test_frequencies_in_bags() -> None:
    weight = ad.zeros(4, 1, requires_grad=True)
    index, bags = ad.tensor([0, 0, 1, 3]), ad.tensor([0])
    (g,) = ad.grad(F.embedding_bag(index, weight, bags, mode="sum", scale_grad_by_freq=True).sum(), weight)
    (of_rows,) = ad.grad(F.embedding(index, weight, scale_grad_by_freq=True).sum(), weight)
    assert g.tolist() == of_rows.tolist() == [[1], [1], [0], [1]]


def test_padded_places_of_encoders() -> None:
    ad.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    encoder, padding = nn.TransformerEncoder(layer, 1), ad.tensor([[False, False, True]])
    x = ad.arange(12.0).reshape(1, 3, 4)
    training = encoder(x, src_key_padding_mask=padding)
    with ad.no_grad():
        assert ad.equal(encoder.eval()(x, src_key_padding_mask=padding), training)
    assert bool(training[0, 2].any())


def test_pads_of_any_axes() -> None:
    for shape in ((3,), (3,) * 4, (3,) * 6):
        x = ad.arange(float(3 ** len(shape))).reshape(shape)
        assert ad.equal(F.pad(x, (1, 0), "reflect"), ad.cat([x[..., 1:2], x], -1))
        assert ad.equal(F.pad(x, (1, 0), "circular"), ad.cat([x[..., 2:], x], -1))


def test_integers_in_layers() -> None:
    x = ad.arange(16).reshape(1, 1, 4, 4)
    with pytest.raises(OpError, match=r"floating-point input, got int64; convert it with x\.float"):
        F.avg_pool2d(x, 2)
    with pytest.raises(OpError, match="floating-point"):
        F.lp_pool2d(x, 2, 2)
    for function in (F.softsign, lambda x: F.local_response_norm(x, 2)):
        with pytest.raises(RuntimeError, match=r"floating-point tensor, got int64; convert it with x\.float"):
            function(x)
    assert F.adaptive_max_pool2d(x, 2).tolist() == [[[[5, 7], [13, 15]]]]
    assert F.interpolate(x[0], size=8)[0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert F.one_hot(ad.tensor([1], dtype=ad.int32), 2).tolist() == [[0, 1]]


def test_lengths_of_sequences() -> None:
    for lengths in ([3.5, 2.0], [5, 2]):
        with pytest.raises(OpError, match="lengths"):
            nn.utils.rnn.pack_padded_sequence(ad.ones(3, 2, 1), lengths)


def test_dimensions_of_dropout() -> None:
    for function, shape in ((F.dropout2d, (2, 3)), (F.dropout2d, (2,) * 5), (F.dropout3d, (2, 3, 4))):
        with pytest.raises(OpError, match="use dropout for elements"):
            function(ad.ones(shape))


def test_draws_behind_transposes() -> None:
    x = ad.ones(4, 3)
    assert (x.t() * ad.ones(3, 4)).is_contiguous()
    assert not ad.cat([x.t(), x.t()]).is_contiguous()


def test_old_argument_names() -> None:
    with pytest.raises(TypeError, match="min_value"):
        nn.Hardtanh(min_value=-2.0)  # type: ignore[call-arg]


def test_parameters_only() -> None:
    for call in (lambda: nn.ParameterDict({"a": 3}), lambda: nn.ParameterList(["a"])):
        with pytest.raises(TypeError, match="Parameter expected a tensor"):
            call()


def test_keys_seen_by_hooks() -> None:
    model, seen = nn.Sequential(nn.ReLU(), nn.Linear(1, 1), nn.Linear(1, 1)), []
    model[1].register_load_state_dict_pre_hook(
        lambda module, state, prefix, *rest: seen.append((prefix, sorted(state)))
    )
    model.load_state_dict(model.state_dict())
    assert seen == [("1.", ["1.bias", "1.weight", "2.bias", "2.weight"])]


def test_metadata_of_states() -> None:
    state = nn.Linear(1, 1).state_dict()
    assert type(state) is dict
    assert not hasattr(state, "_metadata")
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": np.full((1, 1), 3.0), "bias": np.zeros(1)})
    assert layer.weight.tolist() == [[3]]


def test_silent_defaults() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.grid_sample(ad.ones(1, 1, 2, 2), ad.zeros(1, 1, 1, 2))
        nn.utils.weight_norm(nn.Linear(1, 1))
        F.dropout2d(ad.ones(2, 3, 4))


def slope(function: Any, value: float, count: int) -> float:
    x = ad.full((count,), value, requires_grad=True)
    (g,) = ad.grad(function(x).sum(), x)
    return g[0].item()  # type: ignore[no-any-return]


@pytest.mark.parametrize("count", [1, 10_000])
def test_activations_at_infinity(count: int) -> None:
    with np.errstate(invalid="ignore"):
        for infinity in (np.inf, -np.inf):
            assert slope(F.softsign, infinity, count) == 0
        for function in (F.elu, F.celu, F.selu, lambda x: F.elu(x, 1.5)):
            assert np.isnan(slope(function, np.nan, count))
        assert F.gelu(ad.full((count,), np.inf))[0].item() == np.inf
