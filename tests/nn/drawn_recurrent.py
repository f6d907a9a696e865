"""Recurrent layers and cells: batches, single and packed sequences, with states and without."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import autodiff as ad
import nn
from autodiff.tensor import Tensor
from nn.utils.rnn import PackedSequence, pack_padded_sequence

Draw = Callable[[st.SearchStrategy[Any]], Any]
Built = tuple[nn.Module, list[Tensor], list[Tensor]]
sizes = st.integers(1, 2)


def flat(result: Any) -> list[Tensor]:
    """The tensors among nested results."""
    if isinstance(result, PackedSequence):
        return [result.data]
    return [tensor for part in result for tensor in flat(part)] if isinstance(result, tuple) else [result]


class Joined(nn.Module):
    """A layer with all that it gives as one tensor; its input is packed if there are `lengths`."""

    def __init__(self, layer: nn.Module, lengths: list[int] | None) -> None:
        super().__init__()
        self.layer, self.lengths = layer, lengths

    def forward(self, x: Tensor, *states: Tensor) -> Tensor:
        hx = None if not states else states[0] if len(states) == 1 else states
        packed = x if self.lengths is None else pack_padded_sequence(x, self.lengths, self.layer.batch_first, False)
        return ad.cat([part.flatten() for part in flat(self.layer(packed, hx))])


def _tensor(draw: Draw, *shape: int) -> Tensor:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return ad.tensor(rng.uniform(-1, 1, shape), dtype=ad.float64, requires_grad=True)


def _away_from_kinks(draw: Draw, module: nn.Module) -> None:
    """Small weights and large biases of one sign: no argument of max(x, 0) comes near 0."""
    sign = draw(st.sampled_from([-1, 1]))
    with ad.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(parameter * 0.05 if "weight" in name else sign * (1 + parameter.abs()))


def _layer(name: str) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        # Second derivatives of larger layers take seconds a call; the ops are checked at other sizes by themselves.
        layers, both, size = draw(st.sampled_from([(1, False, 2), (2, False, 1), (1, True, 1)]))
        batch, steps, inputs = draw(sizes), draw(sizes), 1
        flags = {"bidirectional": both, "batch_first": draw(st.booleans()), "bias": draw(st.booleans())}
        if name == "RNN":
            flags["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
            flags["bias"] = flags["bias"] or flags["nonlinearity"] == "relu"
        if name == "LSTM":
            flags["proj_size"] = draw(st.integers(0, size - 1))
        module = getattr(nn, name)(inputs, size, layers, **flags).double()
        if flags.get("nonlinearity") == "relu":
            _away_from_kinks(draw, module)
        alone = draw(st.booleans())
        shape = (steps,) if alone else (batch, steps) if flags["batch_first"] else (steps, batch)
        counts = st.lists(st.integers(1, steps), min_size=batch, max_size=batch)
        lengths = None if alone or draw(st.booleans()) else draw(counts)
        xs = [_tensor(draw, *shape, inputs)]
        if draw(st.booleans()):
            rows = (layers * (1 + flags["bidirectional"]), *(() if alone else (batch,)))
            xs += [_tensor(draw, *rows, flags.get("proj_size") or size)]
            xs += [_tensor(draw, *rows, size)] if name == "LSTM" else []
        return Joined(module, lengths), xs, []

    return built


def _cell(name: str) -> Callable[[Draw], Built]:
    def built(draw: Draw) -> Built:
        inputs, size, batch = draw(sizes), draw(sizes), draw(st.sampled_from([(), (1,), (2,)]))
        options = {"nonlinearity": draw(st.sampled_from(["tanh", "relu"]))} if name == "RNNCell" else {}
        relu = options.get("nonlinearity") == "relu"
        module = getattr(nn, name)(inputs, size, bias=relu or draw(st.booleans()), **options).double()
        if relu:
            _away_from_kinks(draw, module)
        states = (1 + (name == "LSTMCell")) * draw(st.booleans())
        return (
            Joined(module, None),
            [_tensor(draw, *batch, inputs), *(_tensor(draw, *batch, size) for _ in range(states))],
            [],
        )

    return built


RECURRENT: dict[str, Callable[[Draw], Built]] = {
    **{name: _layer(name) for name in ("RNN", "LSTM", "GRU")},
    **{name: _cell(name) for name in ("RNNCell", "LSTMCell", "GRUCell")},
}
