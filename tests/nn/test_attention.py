"""Attention: what its weights are, what masks do, and the gradients of all of its modules."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.tensor import Tensor
from nn import functional as F


def _tensor(rng: np.random.Generator, *shape: int) -> Tensor:
    return ad.tensor(rng.uniform(-2, 2, shape), dtype=ad.float64, requires_grad=True)


def test_weights_are_what_the_formula_says() -> None:
    rng = np.random.default_rng(0)
    q, k, v = _tensor(rng, 2, 3, 4), _tensor(rng, 2, 5, 4), _tensor(rng, 2, 5, 6)
    scores = np.einsum("nld,nsd->nls", q.detach().numpy(), k.detach().numpy()) / 2
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    y = F.scaled_dot_product_attention(q, k, v)
    np.testing.assert_allclose(y.detach().numpy(), weights @ v.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("factor", [1.0, 1e3])
def test_no_place_sees_a_later_one(factor: float) -> None:
    rng = np.random.default_rng(0)
    x = _tensor(rng, 4, 3)
    y = F.scaled_dot_product_attention(x * factor, x, x, is_causal=True)
    for place in range(4):
        (g,) = ad.grad(y[place].sum(), x, retain_graph=True)
        assert not g[place + 1 :].any()


def test_where_nothing_may_be_attended_to() -> None:
    """The outputs are 0, but with the weights, as in PyTorch, NaN; the gradients of all others are what they were."""
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    x, hidden = ad.randn(2, 3, 4), ad.zeros(3, 3, dtype=ad.bool)
    hidden[1] = True
    outputs, _ = attention(x, x, x, attn_mask=hidden, need_weights=False)
    expected, _ = attention(x, x, x, need_weights=False)
    np.testing.assert_array_equal(outputs[:, 1].detach().numpy(), np.zeros((2, 4), np.float32))
    np.testing.assert_allclose(outputs[:, 0].detach().numpy(), expected[:, 0].detach().numpy(), rtol=1e-5, atol=1e-6)
    assert attention(x, x, x, attn_mask=hidden)[1][:, 1].isnan().all()


def test_copies_of_a_layer_share_nothing() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 8)
    encoder = nn.TransformerEncoder(layer, 2)
    weights = [encoder.layers[0].linear1.weight, encoder.layers[1].linear1.weight, layer.linear1.weight]
    assert len({id(weight) for weight in weights}) == 3
    weights[0].data.fill_(0)
    np.testing.assert_array_equal(weights[1].detach().numpy(), weights[2].detach().numpy())


def test_the_causal_mask() -> None:
    mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=ad.float64)
    np.testing.assert_array_equal(mask.numpy(), np.triu(np.full((3, 3), -np.inf), 1))
    assert mask.dtype == ad.float64


def _self_attention(**options: Any) -> Callable[[np.random.Generator], tuple[nn.Module, list[Tensor]]]:
    return lambda rng: (nn.MultiheadAttention(4, 2, **options), [_tensor(rng, 2, 2, 4)] * 3)


MODULES: dict[str, Callable[[np.random.Generator], tuple[nn.Module, list[Tensor]]]] = {
    "MultiheadAttention": _self_attention(),
    "MultiheadAttention with more keys": _self_attention(add_bias_kv=True, add_zero_attn=True, bias=False),
    "MultiheadAttention of others": lambda rng: (
        nn.MultiheadAttention(4, 2, kdim=3, vdim=2, batch_first=True),
        [_tensor(rng, 1, 2, 4), _tensor(rng, 1, 3, 3), _tensor(rng, 1, 3, 2)],
    ),
    "TransformerEncoderLayer": lambda rng: (
        nn.TransformerEncoderLayer(4, 2, 3, 0.0, nn.Tanh(), layer_norm_eps=0.1),
        [_tensor(rng, 2, 1, 4)],
    ),
    "TransformerDecoderLayer": lambda rng: (
        nn.TransformerDecoderLayer(4, 2, 3, 0.0, "gelu", layer_norm_eps=0.1, norm_first=True),
        [_tensor(rng, 2, 1, 4), _tensor(rng, 3, 1, 4)],
    ),
    "TransformerEncoder": lambda rng: (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 1, 2, 0.0, "gelu", 0.1), 2),
        [_tensor(rng, 2, 1, 2)],
    ),
    "TransformerDecoder": lambda rng: (
        nn.TransformerDecoder(nn.TransformerDecoderLayer(2, 1, 2, 0.0, "gelu", 0.1), 1),
        [_tensor(rng, 2, 1, 2), _tensor(rng, 2, 1, 2)],
    ),
    "Transformer": lambda rng: (
        nn.Transformer(2, 1, 1, 1, 2, 0.0, "gelu", layer_norm_eps=0.1),
        [_tensor(rng, 2, 1, 2), _tensor(rng, 2, 1, 2)],
    ),
}


@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=1)
@given(seed=st.integers(0, 2**32 - 1))
def test_first_and_second_derivatives(name: str, seed: int) -> None:
    module, inputs = MODULES[name](np.random.default_rng(seed))
    module.double()
    same = inputs[1:] and inputs[0] is inputs[1]
    moving = inputs[:1] if same else list(inputs)
    count = len(moving)

    def function(*xs: Tensor) -> Tensor:
        y = module(*[xs[0]] * 3) if same else module(*xs[:count])
        return y if isinstance(y, Tensor) else ad.cat([part.flatten() for part in y])

    moving += module.parameters()
    assert ad.gradcheck(function, moving, method="richardson", atol=1e-8, rtol=1e-7)
    # Of the stacks by the inputs alone: by all of their parameters it takes half a minute.
    moving = moving if name.startswith("Multi") else moving[:count]
    assert ad.gradgradcheck(function, moving, method="richardson", atol=1e-7, rtol=1e-6)
