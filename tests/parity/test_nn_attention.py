"""Attention and transformers beside PyTorch's, with the same weights, masks and draws."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import autodiff as ad
import nn
from nn import functional as F

DTYPES = ["float32", "float64"]
# Sums of products in another order; in float32 through up to six normalised layers.
TOLERANCES = {"float32": 2e-5, "float64": 1e-10}
N, L, S, E, HEADS = 2, 3, 5, 8, 2
Build = Callable[[Any], Any]


def pair(array: Any, grad: bool = False) -> tuple[ad.Tensor, torch.Tensor]:
    """The same numbers here and in PyTorch."""
    array = np.asarray(array)
    return ad.tensor(array, requires_grad=grad), torch.tensor(array, requires_grad=grad)


def pairs(dtype: str, *shapes: tuple[int, ...], grad: bool = True) -> list[tuple[ad.Tensor, torch.Tensor]]:
    rng = np.random.default_rng(0)
    return [pair(rng.normal(size=shape).astype(dtype), grad) for shape in shapes]


def assert_close(ours: Any, theirs: Any, dtype: str) -> None:
    if theirs is None:
        assert ours is None
        return
    ours, theirs = ours.detach().numpy(), theirs.detach().numpy()
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


def assert_same(ours: Any, theirs: Any, dtype: str, wanted: list[tuple[Any, Any]]) -> None:
    """The outputs, and from a random gradient of each those of all that is wanted."""
    ours, theirs = (x if isinstance(x, tuple) else (x,) for x in (ours, theirs))
    total, torch_total = 0, 0
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert_close(a, b, dtype)
        if a is not None:
            seed, torch_seed = pair(np.random.default_rng(i).normal(size=a.shape).astype(dtype))
            total, torch_total = total + (a * seed).sum(), torch_total + (b * torch_seed).sum()
    total.backward()
    torch_total.backward()
    for a, b in wanted:
        assert_close(a.grad, b.grad, dtype)


def copied(build: Build, dtype: str) -> tuple[Any, Any]:
    """The same module here and in PyTorch, with weights none of which are 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about nested tensors
        ours, theirs = build(nn).to(getattr(ad, dtype)), build(torch.nn).to(getattr(torch, dtype))
    rng = np.random.default_rng(7)
    state = {name: rng.normal(size=x.shape).astype(dtype) * 0.4 for name, x in ours.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return ours, theirs


def parameters(ours: Any, theirs: Any) -> list[tuple[Any, Any]]:
    return list(zip(ours.parameters(), theirs.parameters(), strict=True))


HIDDEN = np.random.default_rng(3).random((L, S)) < 0.4
HIDDEN[1] = True  # a query that may attend nowhere
ADDED = np.where(np.random.default_rng(4).random((L, S)) < 0.2, -np.inf, np.random.default_rng(5).normal(size=(L, S)))
ATTENTIONS: list[tuple[dict[str, Any], Any]] = [
    ({}, None),
    ({"scale": 0.3}, None),
    ({"scale": 60.0}, None),
    ({"scale": -1.0}, None),
    ({"is_causal": True}, None),
    ({}, ~HIDDEN),
    ({"scale": 60.0}, ~HIDDEN),
    ({}, ADDED),
    ({}, np.full((L, S), -1e9)),
    ({}, np.full((L, 1), -np.inf)),
    ({}, np.random.default_rng(6).random((N, 1, 1, S)) < 0.7),
    ({"dropout_p": 0.4}, ADDED),
    ({"dropout_p": 0.4, "is_causal": True}, None),
    ({"dropout_p": 1.0}, None),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("options", "mask"), ATTENTIONS)
def test_scaled_dot_product_attention(options: dict[str, Any], mask: Any, dtype: str) -> None:
    inputs = pairs(dtype, (N, HEADS, L, 4), (N, HEADS, S, 4), (N, HEADS, S, 6))
    masks = (None, None)
    if mask is not None:
        masks = pair(mask if mask.dtype == bool else mask.astype(dtype))
    ad.manual_seed(0)
    torch.manual_seed(0)
    ours = F.scaled_dot_product_attention(*(a for a, _ in inputs), masks[0], **options)
    theirs = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in inputs), masks[1], **options)
    assert_same(ours, theirs, dtype, inputs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_of_a_mask(dtype: str) -> None:
    inputs = pairs(dtype, (N, HEADS, L, 4), (N, HEADS, S, 4), (N, HEADS, S, 6), (N, 1, L, S))
    ours = F.scaled_dot_product_attention(*(a for a, _ in inputs))
    theirs = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in inputs))
    assert_same(ours, theirs, dtype, inputs)


SHAPES = [
    ((L, 4), (S, 4), (S, 6)),
    ((N, L, 4), (N, S, 4), (N, S, 4)),
    ((N, 1, L, 4), (1, HEADS, S, 4), (N, HEADS, S, 4)),
    ((L, 4), (N, HEADS, S, 4), (N, HEADS, S, 4)),
    ((N, HEADS, L, 4), (N, HEADS, 0, 4), (N, HEADS, 0, 4)),
    ((N, HEADS, 0, 4), (N, HEADS, S, 4), (N, HEADS, S, 4)),
]


@pytest.mark.parametrize("shapes", SHAPES)
def test_shapes(shapes: Any) -> None:
    inputs = pairs("float64", *shapes)
    ours = F.scaled_dot_product_attention(*(a for a, _ in inputs))
    theirs = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in inputs))
    assert_same(ours, theirs, "float64", inputs)


@pytest.mark.parametrize("heads", [(2, 2), (4, 4), (2, 1), (1, 1)])
def test_grouped_queries(heads: tuple[int, int]) -> None:
    inputs = pairs("float64", (N, 4, L, 4), (N, heads[0], S, 4), (N, heads[1], S, 4))
    ours = F.scaled_dot_product_attention(*(a for a, _ in inputs), enable_gqa=True)
    theirs = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in inputs), enable_gqa=True)
    assert_same(ours, theirs, "float64", inputs)


def test_float16() -> None:
    inputs = pairs("float16", (N, L, 4), (N, S, 4), (N, S, 4), grad=False)
    ours = F.scaled_dot_product_attention(*(a for a, _ in inputs))
    theirs = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in inputs))
    assert ours.dtype == ad.float16
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=4e-3, atol=4e-3)


def test_large_operands_are_computed_in_parts() -> None:
    inputs = pairs("float64", (5, 2, 200, 4), (5, 2, 210, 4), (5, 2, 210, 4))
    mask, torch_mask = pair(np.random.default_rng(0).random((5, 1, 200, 210)) < 0.7)
    ours = F.scaled_dot_product_attention(*(a for a, _ in inputs), mask)
    theirs = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in inputs), torch_mask)
    assert_same(ours, theirs, "float64", inputs)


LAYERS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"kdim": 3, "vdim": 5},
    {"kdim": 3, "vdim": 5, "bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"add_bias_kv": True, "add_zero_attn": True, "bias": False},
    {"dropout": 0.3},
]
PADDING = np.array([[False, True, False, False, False], [False, False, False, True, True]])
PER_HEAD = np.random.default_rng(8).random((N * HEADS, L, S)) < 0.3
PER_HEAD[..., 0] = False
MASKS: list[dict[str, Any]] = [
    {},
    {"key_padding_mask": PADDING},
    {"key_padding_mask": PADDING, "attn_mask": PER_HEAD},
    {"key_padding_mask": np.where(PADDING, -np.inf, 0.5), "attn_mask": ADDED},
    {"attn_mask": HIDDEN},
    {"attn_mask": PER_HEAD},
    {"attn_mask": np.triu(np.ones((L, S), bool), 1), "is_causal": True},
    {"attn_mask": np.triu(np.ones((L, S), bool), 1), "is_causal": True, "key_padding_mask": PADDING},
]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("options", LAYERS)
def test_multi_head_attention(options: dict[str, Any], masks: dict[str, Any], batch_first: bool) -> None:
    """In both modes, with and without weights; the values are another tensor than the keys where they may differ."""
    ours, theirs = copied(lambda lib: lib.MultiheadAttention(E, HEADS, batch_first=batch_first, **options), "float64")
    shapes = [(L, N, E), (S, N, options.get("kdim", E)), (S, N, options.get("vdim", E))]
    if batch_first:
        shapes = [(n, length, size) for length, n, size in shapes]
    given = {key: pair(x) if isinstance(x, np.ndarray) else (x, x) for key, x in masks.items()}
    for training, (need, average) in itertools.product((True, False), ((True, True), (True, False), (False, True))):
        inputs = pairs("float64", *shapes)
        flags = {"need_weights": need, "average_attn_weights": average}
        ad.manual_seed(0)
        torch.manual_seed(0)
        for module in (ours, theirs):
            module.train(training)
            module.zero_grad()
        result = ours(*(a for a, _ in inputs), **{key: a for key, (a, _) in given.items()}, **flags)
        expected = theirs(*(b for _, b in inputs), **{key: b for key, (_, b) in given.items()}, **flags)
        assert_same(result, expected, "float64", inputs + parameters(ours, theirs))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("need_weights", [True, False])
def test_self_attention_of_one_sample(need_weights: bool, dtype: str) -> None:
    ours, theirs = copied(lambda lib: lib.MultiheadAttention(E, HEADS, batch_first=True), dtype)
    x, padding = pairs(dtype, (L, E))[0], pair(np.array([0.0, -np.inf, 0.5], dtype))
    mask = pair(np.random.default_rng(0).normal(size=(HEADS, L, L)).astype(dtype))
    options = [{"key_padding_mask": padding[i], "attn_mask": mask[i], "need_weights": need_weights} for i in (0, 1)]
    result, expected = ours(x[0], x[0], x[0], **options[0]), theirs(x[1], x[1], x[1], **options[1])
    assert_same(result, expected, dtype, [x, *parameters(ours, theirs)])


def test_static_keys_and_values() -> None:
    ours, theirs = copied(lambda lib: lib.MultiheadAttention(E, HEADS), "float64")
    x, k, v = pairs("float64", (L, N, E), (N * HEADS, S, 4), (N * HEADS, S, 4))

    def call(functional: Any, m: Any, i: int) -> Any:
        return functional.multi_head_attention_forward(
            x[i], x[i], x[i], E, HEADS, m.in_proj_weight, m.in_proj_bias, None, None, False, 0.0,
            m.out_proj.weight, m.out_proj.bias, static_k=k[i], static_v=v[i],
        )  # fmt: skip

    assert_same(call(F, ours, 0), call(torch.nn.functional, theirs, 1), "float64", [x, k, v])


STYLES: list[dict[str, Any]] = [
    {},
    {"norm_first": True, "activation": "gelu"},
    {"batch_first": True, "bias": False, "layer_norm_eps": 0.1},
    {"dropout": 0.3, "norm_first": True, "batch_first": True},
]


def _callable(lib: Any) -> Any:
    return lib.Tanh()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_transformers(style: dict[str, Any], masked: bool, dtype: str) -> None:
    def build(lib: Any) -> Any:
        return lib.Transformer(E, HEADS, 1, 2, 12, **style)

    ours, theirs = copied(build, dtype)
    shapes = [(n, N, E) for n in (S, L)]
    if style.get("batch_first"):
        shapes = [(N, n, E) for n, _, _ in shapes]
    masks = {}
    if masked:
        causal = nn.Transformer.generate_square_subsequent_mask(L, dtype=getattr(ad, dtype)).numpy()
        masks = {"src_key_padding_mask": PADDING, "tgt_mask": causal, "memory_key_padding_mask": PADDING}
    given = {key: pair(x) for key, x in masks.items()}
    for training in (True, False):
        inputs = pairs(dtype, *shapes)
        ad.manual_seed(0)
        torch.manual_seed(0)
        for module in (ours, theirs):
            module.train(training)
            module.zero_grad()
        result = ours(*(a for a, _ in inputs), **{key: a for key, (a, _) in given.items()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about masks of different dtypes
            expected = theirs(*(b for _, b in inputs), **{key: b for key, (_, b) in given.items()})
        assert_same(result, expected, dtype, inputs + parameters(ours, theirs))


def test_hints_of_causality_and_other_activations() -> None:
    def build(lib: Any) -> Any:
        layer = lib.TransformerEncoderLayer(E, HEADS, 12, 0.0, _callable(lib), batch_first=True)
        return lib.TransformerEncoder(layer, 2, lib.LayerNorm(E), enable_nested_tensor=False)

    ours, theirs = copied(build, "float64")
    mask = pair(np.triu(np.full((L, L), -np.inf), 1))
    for options in ({}, {"is_causal": True}, {"is_causal": False}):
        x = pairs("float64", (N, L, E))
        ours.zero_grad()
        theirs.zero_grad()
        result, expected = ours(x[0][0], mask[0], **options), theirs(x[0][1], mask[1], **options)
        assert_same(result, expected, "float64", x + parameters(ours, theirs))


MODULES: list[Build] = [
    *(lambda lib, options=options: lib.MultiheadAttention(E, HEADS, **options) for options in LAYERS),
    lambda lib: lib.TransformerEncoderLayer(E, HEADS, 12),
    lambda lib: lib.TransformerDecoderLayer(E, HEADS, 12, activation=_callable(lib)),
    lambda lib: lib.TransformerEncoder(lib.TransformerEncoderLayer(E, HEADS, 12), 2, lib.LayerNorm(E)),
    lambda lib: lib.TransformerDecoder(lib.TransformerDecoderLayer(E, HEADS, 12), 2),
    lambda lib: lib.Transformer(E, HEADS, 2, 2, 12),
]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("build", MODULES)
def test_initial_weights_bit_for_bit_and_printing(build: Build) -> None:
    for seed in (0, 1):
        ad.manual_seed(seed)
        torch.manual_seed(seed)
        ours, theirs = build(nn), build(torch.nn)
        assert repr(ours) == repr(theirs)
        state, torch_state = ours.state_dict(), theirs.state_dict()
        assert list(state) == list(torch_state)
        for name, value in state.items():
            np.testing.assert_array_equal(value.numpy(), torch_state[name].numpy())
        assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
        np.testing.assert_array_equal(ad.rand(3).numpy(), torch.rand(3).numpy())


def _zeros(lib: Any, *shape: int) -> Any:
    return (ad if lib is nn else torch).zeros(*shape)


def _attention(lib: Any, *shapes: tuple[int, ...], **options: Any) -> Any:
    module = lib.MultiheadAttention(E, HEADS)
    return module(*(_zeros(lib, *s) for s in shapes), **{key: _zeros(lib, *s) for key, s in options.items()})


def _sdpa(lib: Any, *shapes: tuple[int, ...], **options: Any) -> Any:
    return lib.functional.scaled_dot_product_attention(*(_zeros(lib, *shape) for shape in shapes), **options)


X = (L, N, E)
ERRORS: list[Build] = [
    lambda lib: lib.MultiheadAttention(0, 2),
    lambda lib: lib.MultiheadAttention(8, 3),
    lambda lib: lib.TransformerEncoderLayer(8, 2, activation="tanh"),
    lambda lib: _attention(lib, (L, N, 7), (L, N, 7), (L, N, 7)),
    lambda lib: _attention(lib, X, (4, N, E), (5, N, E)),
    lambda lib: _attention(lib, X, (L, 4, E), (L, 4, E)),
    lambda lib: _attention(lib, (1, *X), X, X),
    lambda lib: _attention(lib, X, (L, E), (L, E)),
    lambda lib: _attention(lib, X, X, X, key_padding_mask=(3, 3)),
    lambda lib: _attention(lib, X, X, X, key_padding_mask=(2, 4)),
    lambda lib: _attention(lib, X, X, X, attn_mask=(3, 4)),
    lambda lib: _attention(lib, X, X, X, attn_mask=(2, 3, 3)),
    lambda lib: lib.MultiheadAttention(E, HEADS)(*[_zeros(lib, *X)] * 3, is_causal=True),
    lambda lib: lib.MultiheadAttention(E, HEADS)(*[_zeros(lib, *X)] * 3, attn_mask=_zeros(lib, 3, 3).long()),
    lambda lib: _sdpa(lib, (4,), (4,), (4,)),
    lambda lib: _sdpa(lib, (2, 3, 4), (2, 5, 3), (2, 5, 3)),
    lambda lib: _sdpa(lib, (2, 3, 4), (2, 5, 4), (2, 6, 4)),
    lambda lib: _sdpa(lib, (2, 3, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4), enable_gqa=True),
    lambda lib: _sdpa(lib, (2, 4, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4)),
    lambda lib: _sdpa(lib, (3, 4), (5, 4), (5, 4), enable_gqa=True),
    lambda lib: _sdpa(lib, (2, 3, 4), (2, 5, 4), (2, 5, 4), dropout_p=1.5),
    lambda lib: _sdpa(lib, (2, 3, 4), (2, 3, 4), (2, 3, 4), attn_mask=_zeros(lib, 3, 3), is_causal=True),
    lambda lib: _sdpa(lib, (2, 3, 4), (2, 3, 4), (2, 3, 4), attn_mask=_zeros(lib, 3, 2)),
    lambda lib: _sdpa(lib, (2, 3, 4), (2, 3, 4), (2, 3, 4), attn_mask=_zeros(lib, 3, 3).long()),
    lambda lib: lib.Transformer(E, HEADS, 1, 1, 8)(_zeros(lib, 3, 2, E), _zeros(lib, 3, 1, E)),
    lambda lib: lib.Transformer(E, HEADS, 1, 1, 8)(_zeros(lib, 3, 2, 7), _zeros(lib, 3, 2, 7)),
]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("call", ERRORS)
def test_errors_in_both(call: Build) -> None:
    with pytest.raises((RuntimeError, AssertionError, ValueError, IndexError)):
        call(torch.nn)
    with pytest.raises((RuntimeError, ValueError), match=r"expected|lengths differ|is_causal"):
        call(nn)
