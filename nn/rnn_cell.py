"""One step of a recurrent network as a module."""

import math
from typing import Any

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.tensor import Tensor
from nn import init
from nn.functional.recurrent import recur
from nn.module import Module
from nn.parameter import Parameter


class RNNCellBase(Module):
    """What `RNNCell`, `LSTMCell` and `GRUCell` share: the parameters of `num_chunks` gates, and the way through them.

    >>> RNNCellBase(10, 20, bias=True, num_chunks=3).weight_hh.shape
    (60, 20)
    """

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        gates = num_chunks * hidden_size

        def made(*shape: int) -> Parameter:
            return Parameter(ad.empty(*shape, device=device, dtype=dtype))

        self.weight_ih, self.weight_hh = made(gates, input_size), made(gates, hidden_size)
        self.register_parameter("bias_ih", made(gates) if bias else None)
        self.register_parameter("bias_hh", made(gates) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, kernel: str, input: Tensor, given: Any, states: int = 1) -> tuple[Tensor, ...]:
        """The next states, of which there are one or two."""
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise OpError(f"expected an input (N, {self.input_size}) or ({self.input_size},), got {describe(input)}")
        x = input if input.ndim == 2 else input.unsqueeze(0)
        shape = (*input.shape[:-1], self.hidden_size)
        if given is None:
            given = (ad.zeros(*shape, dtype=input.dtype),) * states
        for state in given:
            if state.shape != shape or state.dtype != input.dtype:
                raise OpError(f"expected a state of {input.dtype} {shape}, got {describe(state)}")
        own = [state.reshape(len(x), self.hidden_size) for state in given]
        weights = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, None]
        _, *last = recur(kernel, x, own, weights, [len(x)])
        return tuple(state.reshape(shape) for state in last)

    def extra_repr(self) -> str:
        shown = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return shown if nonlinearity == "tanh" else f"{shown}, nonlinearity={nonlinearity}"


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or max(·, 0) with `nonlinearity` "relu".

    Takes an input (N, input_size) and a state (N, hidden_size), zeros if left out, or both without N; gives the next
    state. OpError for other shapes. Source: Elman 1990.

    >>> import autodiff as ad, nn
    >>> nn.RNNCell(10, 20)(ad.zeros(3, 10)).shape
    (3, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f'expected nonlinearity "tanh" or "relu", got {nonlinearity!r}')
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next state."""
        return self._step(f"rnn_{self.nonlinearity}", input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """c' = f c + i g and h' = o tanh(c'), with the gates i, f, g, o of `LSTM`.

    Takes an input (N, input_size) and a pair of states (N, hidden_size), zeros if left out, or all without N; gives the
    next pair. OpError for other shapes. Source: Hochreiter and Schmidhuber 1997.

    >>> import autodiff as ad, nn
    >>> h, c = nn.LSTMCell(10, 20)(ad.zeros(3, 10)); h.shape
    (3, 20)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The next states h and c."""
        if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise TypeError(f"expected the states as a pair (h, c), got {type(hx).__name__}")
        h, c = self._step("lstm", input, hx, states=2)
        return h, c


class GRUCell(RNNCellBase):
    """h' = (1 - z) n + z h, with the gates r, z, n of `GRU`.

    Takes an input (N, input_size) and a state (N, hidden_size), zeros if left out, or both without N; gives the next
    state. OpError for other shapes. Source: Cho et al. 2014.

    >>> import autodiff as ad, nn
    >>> nn.GRUCell(10, 20)(ad.zeros(3, 10)).shape
    (3, 20)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next state."""
        return self._step("gru", input, None if hx is None else (hx,))[0]
