"""Recurrent layers over sequences."""

import math
import warnings
from typing import Any

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Tensor
from nn import init
from nn.functional.dropout import dropout as drop
from nn.functional.recurrent import GATES, recur
from nn.module import Module
from nn.parameter import Parameter
from nn.utils.rnn import PackedSequence

_KERNELS = {"RNN_TANH": "rnn_tanh", "RNN_RELU": "rnn_relu", "LSTM": "lstm", "GRU": "gru"}
_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
States = tuple[Tensor, ...]


class RNNBase(Module):
    """What `RNN`, `LSTM` and `GRU` share: the parameters of all layers and directions, and the way through them.

    `mode` is "RNN_TANH", "RNN_RELU", "LSTM" or "GRU". ValueError for sizes that are not positive.

    >>> RNNBase("GRU", 10, 20).weight_ih_l0.shape
    (60, 10)
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        gates, state = GATES[_KERNELS[mode]] * hidden_size, proj_size or hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            inputs = state * (1 + bidirectional) if layer else input_size
            shapes = dict(zip(_KINDS, [(gates, inputs), (gates, state), (gates,), (gates,)], strict=False))
            if not bias:
                del shapes["bias_ih"], shapes["bias_hh"]
            if proj_size:
                shapes["weight_hr"] = proj_size, hidden_size
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                names = {f"{kind}_l{layer}{suffix}": shape for kind, shape in shapes.items()}
                for name, shape in names.items():
                    setattr(self, name, Parameter(ad.empty(*shape, device=device, dtype=dtype)))
                self._all_weights.append([*names])
        self.reset_parameters()

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Does nothing: on a CPU the parameters need not lie in one piece of memory."""

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The outputs of all steps, and the last state of each layer and direction."""
        output, (state,) = self._run(input, None if hx is None else (hx,))
        return output, state

    def _run(self, input: Any, given: States | None) -> tuple[Any, States]:
        if isinstance(input, PackedSequence):
            order, back = input.sorted_indices, input.unsorted_indices
            states = self._states(input.data, int(input.batch_sizes[0]), given, None, order)
            rows, last = self._through_layers(input.data, input.batch_sizes.tolist(), states)
            last = last if back is None else tuple(x.index_select(1, back) for x in last)
            return PackedSequence(rows, input.batch_sizes, order, back), last
        alone = input.ndim == 2
        if input.ndim not in (2, 3):
            raise OpError(f"expected an input {self._expected(False)} or {self._expected(True)}, got {describe(input)}")
        x = input.unsqueeze(1) if alone else input.transpose(0, 1) if self.batch_first else input
        steps, batch = x.shape[:2]
        states = self._states(input, batch, given, 1 if alone else None, None)
        if not steps:
            raise OpError(f"expected a sequence of at least one step, got {describe(input)}")
        rows, last = self._through_layers(x.reshape(steps * batch, self.input_size), [batch] * steps, states)
        y = rows.reshape(steps, batch, rows.shape[1])
        if alone:
            return y.squeeze(1), tuple(part.squeeze(1) for part in last)
        return y.transpose(0, 1) if self.batch_first else y, last

    def _expected(self, batched: bool) -> str:
        axes = ("N, L" if self.batch_first else "L, N") if batched else "L"
        return f"({axes}, {self.input_size})"

    def _states(
        self, input: Tensor, batch: int, given: States | None, axis: int | None, order: Tensor | None
    ) -> States:
        """The initial states, (layers * directions, batch, size) each; `axis` is where they have no batch."""
        weight = self.weight_ih_l0
        if input.shape[-1] != self.input_size:
            raise OpError(f"expected {self.input_size} features along the last axis, got an input {describe(input)}")
        if input.dtype != weight.dtype:
            raise OpError(
                f"expected an input of the parameters' dtype {weight.dtype}, got {input.dtype}; convert it with "
                f"x.to({weight.dtype}), or the model with model.to({input.dtype})"
            )
        layers, shapes = self.num_layers * (1 + self.bidirectional), [self.proj_size or self.hidden_size]
        if self.mode == "LSTM":
            shapes.append(self.hidden_size)
        if given is None:
            return tuple(ad.zeros(layers, batch, size, dtype=input.dtype) for size in shapes)
        for name, state, size in zip(("h_0", "c_0"), given, shapes, strict=False):
            expected = (layers, size) if axis else (layers, batch, size)
            if state.shape != expected or state.dtype != input.dtype:
                raise OpError(
                    f"expected {name} of {input.dtype} {expected}: layers and directions"
                    f"{'' if axis else ', batch'} and size; got {describe(state)}"
                )
        if axis:
            return tuple(state.unsqueeze(axis) for state in given)
        return given if order is None else tuple(state.index_select(1, order) for state in given)

    def _through_layers(self, rows: Tensor, sizes: list[int], states: States) -> tuple[Tensor, States]:
        """The outputs (rows, size) of the last layer, and the last states of all."""
        directions = 1 + self.bidirectional
        last: list[States] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                number = layer * directions + direction
                # Only those that there are: the error for another looks for similar names, which takes 0.06 ms.
                suffix, names = f"_l{layer}{'_reverse' if direction else ''}", self._all_weights[number]
                weights = [getattr(self, kind + suffix) if kind + suffix in names else None for kind in _KINDS]
                own = [state[number] for state in states]
                y, *end = recur(_KERNELS[self.mode], rows, own, weights, sizes, reverse=bool(direction))
                outputs.append(y)
                last.append(tuple(end))
            rows = outputs[0] if directions == 1 else ad.cat(outputs, 1)
            if self.dropout and layer < self.num_layers - 1:
                rows = drop(rows, self.dropout, self.training)
        return rows, tuple(ad.stack(parts) for parts in zip(*last, strict=True))

    def extra_repr(self) -> str:
        shown = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        shown["bidirectional"] = False
        named = [f"{name}={getattr(self, name)}" for name, usual in shown.items() if getattr(self, name) != usual]
        return ", ".join([str(self.input_size), str(self.hidden_size), *named])


def _check(
    mode: str, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool, dropout: float,
    proj_size: int,
) -> None:  # fmt: skip
    if mode not in _KERNELS:
        raise ValueError(f"expected a mode of {', '.join(_KERNELS)}; got {mode!r}")
    for name, flag in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(flag, bool):
            raise TypeError(f"expected {name} to be True or False, got {flag!r}; name the arguments behind num_layers")
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if not isinstance(size, int):
            raise TypeError(f"expected {name} to be an integer, got {size!r}")
        if size <= 0:
            raise ValueError(f"expected {name} to be at least 1, got {size}")
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise ValueError(f"expected dropout to be the probability of dropping an element, from 0 to 1; got {dropout!r}")
    if not 0 <= proj_size < hidden_size:
        raise ValueError(f"expected proj_size from 0 (none) to hidden_size - 1 = {hidden_size - 1}; got {proj_size}")
    if dropout and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} is applied between layers, but there is only one; set num_layers, or put an "
            f"nn.Dropout behind the layer",
            stacklevel=4,
        )


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh) for each step of a sequence, or max(·, 0) with `nonlinearity` "relu".

    Takes (L, N, input_size), (N, L, input_size) if `batch_first`, (L, input_size) for one sequence, or a
    `PackedSequence`, and the initial states (num_layers * directions, N, hidden_size), zeros if left out. Gives the
    states of the last layer, (L, N, directions * hidden_size), and the last state of each layer and direction. With
    several layers each reads the outputs of the one before, with `dropout` in between. OpError for other shapes.
    Parameters start evenly drawn from ±1 / √hidden_size. Source: Elman 1990.

    >>> import autodiff as ad, nn
    >>> output, last = nn.RNN(10, 20)(ad.zeros(5, 3, 10)); output.shape, last.shape
    ((5, 3, 20), (1, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f'expected nonlinearity "tanh" or "relu", got {nonlinearity!r}')
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(
            mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """c' = f c + i g and h' = o tanh(c') for each step of a sequence, with gates i, f, g, o.

    The gates are sigmoids, g is a tanh, of W_ih x + b_ih + W_hh h + b_hh. Takes and gives what `RNN` does, but the
    state is a pair (h, c). With `proj_size` h' is W_hr o tanh(c'), of that size. Parameters start evenly drawn from
    ±1 / √hidden_size. Source: Hochreiter and Schmidhuber 1997; the projection Sak, Senior and Beaufays 2014.

    >>> import autodiff as ad, nn
    >>> output, (h, c) = nn.LSTM(10, 20, num_layers=2)(ad.zeros(5, 3, 10)); output.shape, c.shape
    ((5, 3, 20), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device,
            dtype,
        )  # fmt: skip

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise TypeError(f"expected the initial states as a pair (h_0, c_0), got {type(hx).__name__}")
        output, (h, c) = self._run(input, None if hx is None else tuple(hx))
        return output, (h, c)


class GRU(RNNBase):
    """h' = (1 - z) n + z h for each step of a sequence, n = tanh(W_in x + b_in + r (W_hn h + b_hn)), gates r, z.

    Takes and gives what `RNN` does. Parameters start evenly drawn from ±1 / √hidden_size. Source: Cho et al. 2014.

    >>> import autodiff as ad, nn
    >>> output, last = nn.GRU(10, 20, bidirectional=True)(ad.zeros(5, 3, 10)); output.shape, last.shape
    ((5, 3, 40), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
