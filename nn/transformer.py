"""The transformer: layers of attention and feedforward networks, stacks of them, and the two stacks together."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Tensor
from nn import functional as F
from nn import init
from nn.attention import MultiheadAttention
from nn.containers import ModuleList
from nn.dropout import Dropout
from nn.linear import Linear
from nn.module import Module
from nn.normalization import LayerNorm

Activation = str | Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


def _activation(activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(f'activation expected "relu", "gelu" or a function of a tensor, got {activation!r}')
    return ACTIVATIONS[activation]


class _Layer(Module):
    """What the layers of encoder and decoder are made of, in PyTorch's order, with one or two attentions."""

    attentions: int

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        for name in ("self_attn", "multihead_attn")[: self.attentions]:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **made))
        self.linear1 = Linear(d_model, dim_feedforward, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **made)
        self.norm_first = norm_first
        # One for each attention and one for the feedforward network.
        for i in range(self.attentions + 1):
            setattr(self, f"norm{i + 1}", LayerNorm(d_model, layer_norm_eps, **made))
        for i in range(self.attentions + 1):
            setattr(self, f"dropout{i + 1}", Dropout(dropout))
        self.activation = _activation(activation)

    def _sa_block(self, x: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool) -> Tensor:
        return _attended(self.self_attn, self.dropout1, x, x, mask, padding, is_causal)

    def _ff_block(self, x: Tensor) -> Tensor:
        x = self.linear2(self.dropout(self.activation(self.linear1(x))))
        dropped: Tensor = getattr(self, f"dropout{self.attentions + 1}")(x)
        return dropped


def _attended(
    attention: Module,
    dropout: Module,
    x: Tensor,
    memory: Tensor,
    mask: Tensor | None,
    padding: Tensor | None,
    is_causal: bool,
) -> Tensor:
    attended, _ = attention(
        x, memory, memory, attn_mask=mask, key_padding_mask=padding, need_weights=False, is_causal=is_causal
    )
    dropped: Tensor = dropout(attended)
    return dropped


class TransformerEncoderLayer(_Layer):
    """Self-attention and then a feedforward network, each added to its input and normalised.

    Takes and gives (S, N, d_model), (N, S, d_model) if `batch_first`, or (S, d_model). With `norm_first` the inputs of
    the two are normalised and not the sums. `src_mask`, `src_key_padding_mask` and `is_causal` are the masks of
    `MultiheadAttention`. Source: Vaswani et al. 2017; with `norm_first` Xiong et al. 2020.

    >>> import autodiff as ad, nn
    >>> nn.TransformerEncoderLayer(8, 2, 16)(ad.zeros(5, 3, 8)).shape
    (5, 3, 8)
    """

    attentions = 1

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        masks = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            src = src + self._sa_block(self.norm1(src), *masks)
            return src + self._ff_block(self.norm2(src))
        src = self.norm1(src + self._sa_block(src, *masks))
        normalised: Tensor = self.norm2(src + self._ff_block(src))
        return normalised


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to `memory`, and a feedforward network, each added to its input and normalised.

    Takes a target (T, N, d_model) and a memory (S, N, d_model), with N first if `batch_first`, or without N, and gives
    the shape of the target. With `norm_first` the inputs of the three are normalised and not the sums. The masks are
    those of `MultiheadAttention`, `tgt_...` in the first attention and `memory_...` in the second.
    Source: Vaswani et al. 2017.

    >>> import autodiff as ad, nn
    >>> nn.TransformerDecoderLayer(8, 2, 16)(ad.zeros(5, 3, 8), ad.zeros(6, 3, 8)).shape
    (5, 3, 8)
    """

    attentions = 2

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        across = memory, memory_mask, memory_key_padding_mask, memory_is_causal
        if self.norm_first:
            tgt = tgt + self._sa_block(self.norm1(tgt), *own)
            tgt = tgt + self._mha_block(self.norm2(tgt), *across)
            return tgt + self._ff_block(self.norm3(tgt))
        tgt = self.norm1(tgt + self._sa_block(tgt, *own))
        tgt = self.norm2(tgt + self._mha_block(tgt, *across))
        normalised: Tensor = self.norm3(tgt + self._ff_block(tgt))
        return normalised

    def _mha_block(
        self, x: Tensor, memory: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool
    ) -> Tensor:
        return _attended(self.multihead_attn, self.dropout2, x, memory, mask, padding, is_causal)


class TransformerEncoder(Module):
    """`num_layers` deep copies of a layer one after the other, and then `norm` if it is given.

    `is_causal` says that `mask` is causal. `enable_nested_tensor` and `mask_check` are accepted and change nothing.

    >>> import autodiff as ad, nn
    >>> nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), num_layers=2)(ad.zeros(5, 3, 8)).shape
    (5, 3, 8)
    """

    norm: Module | None

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList([deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """`num_layers` deep copies of a layer one after the other, all attending to `memory`, and then `norm` if given.

    >>> import autodiff as ad, nn
    >>> decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), num_layers=2)
    >>> decoder(ad.zeros(5, 3, 8), ad.zeros(6, 3, 8)).shape
    (5, 3, 8)
    """

    norm: Module | None

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList([deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder of `src`, whose output is the memory of a decoder of `tgt`.

    Takes (S, N, d_model) and (T, N, d_model), with N first if `batch_first`, or without N; gives the shape of `tgt`.
    All matrices start by Xavier's uniform distribution. OpError for other shapes. Source: Vaswani et al. 2017.

    >>> import autodiff as ad, nn
    >>> model = nn.Transformer(8, 2, 1, 1, 16)
    >>> model(ad.zeros(6, 3, 8), ad.zeros(5, 3, 8)).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        of_layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first)
        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(*of_layer, **made)
            norm = LayerNorm(d_model, layer_norm_eps, **made)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        self.encoder = custom_encoder
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*of_layer, **made)
            norm = LayerNorm(d_model, layer_norm_eps, **made)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm)
        self.decoder = custom_decoder
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        axis = 0 if self.batch_first else 1
        fits = src.ndim in (2, 3) and src.ndim == tgt.ndim and src.shape[-1] == tgt.shape[-1] == self.d_model
        if not fits or (src.ndim == 3 and src.shape[axis] != tgt.shape[axis]):
            order = "(N, length," if self.batch_first else "(length, N,"
            raise OpError(
                f"expected src and tgt {order} {self.d_model}) of one batch, or without N, got {describe(src)} and "
                f"{describe(tgt)}"
            )
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        output: Tensor = self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip
        return output

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The mask (sz, sz) by which each place attends to none after it: -inf above the diagonal, 0 elsewhere.

        >>> import nn
        >>> nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        return ad.full((sz, sz), float("-inf"), device=device, dtype=dtype).triu(1)
