"""Attention: means of values, weighted by how well their keys fit a query."""

import math
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Tensor, wrap
from nn.functional.attention_weights import attention_weights
from nn.functional.dropout import dropout
from nn.functional.linear import linear


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale Q Kᵀ + mask) V, of (..., L, E), (..., S, E) and (..., S, Ev) the result (..., L, Ev).

    `scale` is 1/√E by default. A mask broadcasts to (..., L, S): of bools it is True where a query may attend, of
    floats it is added; with `is_causal` each query attends to the keys up to its own place. A query that may attend
    nowhere gets 0. Dropout applies whenever `dropout_p` is more than 0. With `enable_gqa` the heads, dimension -3, of
    keys and values are repeated to as many as the query has. OpError for other shapes and dtypes.
    Source: Vaswani et al. 2017.

    >>> import autodiff as ad
    >>> scaled_dot_product_attention(ad.ones(2, 1), ad.zeros(2, 1), ad.tensor([[0.0], [4.0]]), is_causal=True)
    tensor([[0.],
            [2.]])
    """
    _check_operands(query, key, value)
    if is_causal:
        if attn_mask is not None:
            raise OpError("scaled_dot_product_attention expected an attn_mask or is_causal=True, got both")
        attn_mask = _up_to_own_place(query, key)
    if enable_gqa:
        key, value = (_repeat_heads(x, query) for x in (key, value))
    mask = None if attn_mask is None else _additive("attn_mask", attn_mask, query, hidden=False)
    return _attend(query, key, value, mask, dropout_p, scale, safe=True)[0]


def _up_to_own_place(query: Tensor, key: Tensor) -> Tensor:
    return ad.ones(query.shape[-2], key.shape[-2], dtype=ad.bool).tril()


def _check_operands(query: Tensor, key: Tensor, value: Tensor) -> None:
    fits = query.dtype == key.dtype == value.dtype and query.dtype.kind == "f"
    if not fits or min(query.ndim, key.ndim, value.ndim) < 2:
        raise OpError(
            "scaled_dot_product_attention expected floating-point query (..., L, E), key (..., S, E) and value "
            f"(..., S, Ev) of one dtype, got {describe(query)}, {describe(key)} and {describe(value)}"
        )


def _repeat_heads(x: Tensor, query: Tensor) -> Tensor:
    if min(x.ndim, query.ndim) < 3 or not x.shape[-3] or query.shape[-3] % x.shape[-3]:
        raise OpError(
            "enable_gqa expected heads, dimension -3, whose number in the query is a multiple of that in key and "
            f"value, got {describe(query)} and {describe(x)}"
        )
    return x.repeat_interleave(query.shape[-3] // x.shape[-3], -3)


def _additive(name: str, mask: Tensor, query: Tensor, hidden: bool) -> Tensor:
    """The mask as what is added to scores: one of bools is -inf where it is `hidden`, and 0 elsewhere."""
    if mask.dtype.kind == "b":
        return wrap(np.where(mask.array == hidden, -np.inf, 0.0).astype(query.dtype))
    if mask.dtype != query.dtype and mask.dtype != ad.float32:
        raise OpError(f"{name} expected a mask of bools or of the query's {query.dtype}, got {describe(mask)}")
    return mask.to(query.dtype)


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, scale: float | None, safe: bool
) -> tuple[Tensor, Tensor]:
    """The weighted means and the weights."""
    if scale is None:
        scale = 1 / math.sqrt(max(q.shape[-1], 1))
    weights = dropout(attention_weights(q, k, mask, scale=scale, safe=safe), dropout_p)
    return weights @ v, weights


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    *,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, given its parameters: the outputs, and the weights if `need_weights`.

    Of query (L, N, E), key (S, N, Ek) and value (S, N, Ev) the outputs have the shape (L, N, E), or all of them without
    N; if `batch_first` N comes first. `static_k` and `static_v`, (N · heads, S, E / heads), stand for the projected
    keys and values. OpError for other shapes. Source: Vaswani et al. 2017.
    """
    if query.shape[-1:] != (embed_dim_to_check,) or embed_dim_to_check % num_heads:
        raise OpError(
            f"attention expected a query (..., {embed_dim_to_check}), of numbers that {num_heads} heads can share "
            f"evenly, got {describe(query)}"
        )
    batched = _check_dimensions(query, key, value)
    if not batched:
        batch_first = True
        same = query is key, key is value
        query = query.unsqueeze(0)
        key = query if same[0] else key.unsqueeze(0)
        value = key if same[1] else value.unsqueeze(0)
    axis = 0 if batch_first else 1
    if not query.shape[axis] == key.shape[axis] == value.shape[axis] or key.shape[:2] != value.shape[:2]:
        raise OpError(
            "attention expected query, key and value of one batch, and as many keys as values, got "
            f"{describe(query)}, {describe(key)} and {describe(value)} (batch_first={batch_first})"
        )
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else _thirds(in_proj_weight)
    biases = _thirds(in_proj_bias)
    inputs = zip((query, key, value), weights, biases, strict=True)
    q, k, v = (_heads(linear(x, w, b), num_heads, batch_first) for x, w, b in inputs)
    k, v = (x if static is None else _static(static, x) for x, static in ((k, static_k), (v, static_v)))
    hinted = is_causal and key_padding_mask is None and not need_weights
    mask = _merged_mask(q, k, key_padding_mask, attn_mask, is_causal)
    for present, pair in ((bias_k is not None, (bias_k, bias_v)), (add_zero_attn, (None, None))):
        if present:
            k, v = (_one_more(x, extra) for x, extra in zip((k, v), pair, strict=True))
            mask = None if mask is None else ad.cat([mask, ad.zeros(*mask.shape[:-1], 1, dtype=mask.dtype)], -1)
    if hinted:
        # PyTorch takes the hint in place of the mask, and hides also the keys that were added above.
        mask = _additive("attn_mask", _up_to_own_place(q, k), q, hidden=False)
    outputs, shares = _attend(q, k, v, mask, dropout_p if training else 0.0, None, safe=not need_weights)
    outputs = outputs.permute(2, 0, 1, 3).flatten(2)
    outputs = linear(outputs, out_proj_weight, out_proj_bias)
    if batch_first:
        # In memory the batch stays second, as in PyTorch: a dropout behind this draws in the order of memory.
        outputs = outputs.transpose(0, 1)
    if not batched:
        outputs, shares = outputs.squeeze(0), shares.squeeze(0)
    if not need_weights:
        return outputs, None
    return outputs, shares.mean(-3) if average_attn_weights else shares


def _check_dimensions(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether there is a batch; OpError for what has neither two nor three dimensions."""
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise OpError(
            "attention expected query, key and value of three dimensions each, or of two without a batch, got "
            f"{describe(query)}, {describe(key)} and {describe(value)}"
        )
    return query.ndim == 3


def _thirds(packed: Tensor | None) -> tuple[Any, ...]:
    return (None, None, None) if packed is None else packed.chunk(3)


def _heads(x: Tensor, count: int, batch_first: bool) -> Tensor:
    """(N, heads, L, E / heads) of what was projected."""
    x = x.reshape(*x.shape[:2], count, x.shape[2] // count)
    return x.permute(0, 2, 1, 3) if batch_first else x.permute(1, 2, 0, 3)


def _static(static: Tensor, projected: Tensor) -> Tensor:
    n, heads, _, size = projected.shape
    if static.ndim != 3 or (static.shape[0], static.shape[2]) != (n * heads, size):
        raise OpError(f"attention expected static_k and static_v ({n * heads}, S, {size}), got {describe(static)}")
    return static.reshape(n, heads, static.shape[1], size)


def _one_more(x: Tensor, extra: Tensor | None) -> Tensor:
    """One more key or value behind those of each sample: `extra` (1, 1, E), or zeros."""
    n, heads, _, size = x.shape
    if extra is None:
        return ad.cat([x, ad.zeros(n, heads, 1, size, dtype=x.dtype)], 2)
    return ad.cat([x, extra.reshape(1, heads, 1, size).expand(n, heads, 1, size)], 2)


def _merged_mask(q: Tensor, k: Tensor, padding: Tensor | None, mask: Tensor | None, is_causal: bool) -> Tensor | None:
    """What is added to the scores (N, heads, L, S), if anything; OpError for masks of other shapes."""
    n, heads, rows, _ = q.shape
    columns = k.shape[2]
    if is_causal and mask is None:
        raise OpError(
            "is_causal says that attn_mask is causal, and none came; make one with "
            "nn.Transformer.generate_square_subsequent_mask"
        )
    if mask is not None:
        if mask.shape not in ((rows, columns), (n * heads, rows, columns)):
            raise OpError(f"expected attn_mask {(rows, columns)} or {(n * heads, rows, columns)}, got {describe(mask)}")
        mask = _additive("attn_mask", mask, q, hidden=True)
        mask = mask if mask.ndim == 2 else mask.reshape(n, heads, rows, columns)
    if padding is None:
        return mask
    if padding.shape not in ((n, columns), *(((columns,),) if n == 1 else ())):
        raise OpError(f"expected key_padding_mask {(n, columns)}, got {describe(padding)}")
    padding = _additive("key_padding_mask", padding, q, hidden=True).reshape(n, 1, 1, columns)
    return padding if mask is None else mask + padding
