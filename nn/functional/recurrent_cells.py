"""The steps of the recurrent layers: Elman networks, LSTM and GRU.

A cell works on some rows of a batch. `a` is what the input gives to the gates in one step, (rows, gates * size), and
`hidden` what the state gives to them. What works on arrays does so in place: with few rows a step takes as long as the
calls to NumPy that it is made of.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from autodiff.tensor import Array, Tensor

# σ(x) = (1 + tanh(x / 2)) / 2, so that one call of tanh gives all gates: of 32 by 512 float32 numbers in 5 µs, where
# NumPy's exp takes 9 and a division 3 more.
SIGMOID, TANH = 0.5, 1.0


class Cell:
    """What one kind of layer does in a step, and what the derivatives are.

    `factors` has for each gate the factor by which `a` and `hidden` come multiplied into `advance`, which also gets one
    for each column. A step keeps `kept` arrays (rows, size) for backward beside the activations. If `bias_apart`, the
    bias of the state is part of `hidden`, else, on arrays, of `a`. Where `analytic` is False there is a kink. With
    "_advance" and "_retreat" behind it `loops`, if not None, is the path of a loop for numba, slopes included.
    """

    name: ClassVar[str]
    factors: ClassVar[tuple[float, ...]]
    kept: ClassVar[int] = 0
    bias_apart: ClassVar[bool] = False
    analytic: ClassVar[bool] = True
    loops: ClassVar[str | None] = None

    @staticmethod
    def step(a: Tensor, hidden: Tensor, h: Tensor, c: Any) -> tuple[Tensor, Any]:
        """The next states h and c on Tensors: the definition, which is recorded for second derivatives."""
        raise NotImplementedError

    @staticmethod
    def advance(a: Array, hidden: Array, h: Array, c: Any, kept: list[Array], factors: Array) -> Array:
        """The next state h; `a` is overwritten by the activations, `c` by its next value, `hidden` by anything."""
        raise NotImplementedError

    @staticmethod
    def slopes(d: Array, extra: Array, a: Array, h: Array, kept: list[Array]) -> None:
        """Fill `d` (rows, gates * size) and `extra` (rows, size) with what `retreat` multiplies by gradients.

        `a` are the activations and `h` the states before the step. This half of backward needs no order of the steps.
        """
        raise NotImplementedError

    @staticmethod
    def retreat(d: Array, extra: Array, a: Array, g: Array, dc: Any) -> Array | None:
        """Make of `d` the gradient of `hidden`, given that of the next state h, `g`, which is overwritten by anything.

        `dc`, the gradient of the next c, becomes that of c before the step. What is returned is the part of the
        gradient of h before the step that does not pass through `hidden`.
        """
        raise NotImplementedError

    @staticmethod
    def at_input(d: Array, extra: Array) -> None:
        """Make of `d`, the gradients of `hidden`, those of `a`."""

    @staticmethod
    def unprojected(a: Array, kept: Array) -> Array:
        """The states h as they were before their projection."""
        raise NotImplementedError


class TanhCell(Cell):
    """h' = tanh(a + hidden). Source: Elman 1990."""

    name, factors = "rnn_tanh", (TANH,)

    @staticmethod
    def step(a: Tensor, hidden: Tensor, h: Tensor, c: Any) -> tuple[Tensor, Any]:
        return (a + hidden).tanh(), None

    @staticmethod
    def advance(a: Array, hidden: Array, h: Array, c: Any, kept: list[Array], factors: Array) -> Array:
        a += hidden
        return np.tanh(a, out=a)

    @staticmethod
    def slopes(d: Array, extra: Array, a: Array, h: Array, kept: list[Array]) -> None:
        np.multiply(a, a, out=d)
        np.subtract(1, d, out=d)

    @staticmethod
    def retreat(d: Array, extra: Array, a: Array, g: Array, dc: Any) -> Array | None:
        d *= g
        return None


class ReluCell(TanhCell):
    """h' = max(a + hidden, 0). Source: Le, Jaitly and Hinton 2015."""

    name, analytic = "rnn_relu", False

    @staticmethod
    def step(a: Tensor, hidden: Tensor, h: Tensor, c: Any) -> tuple[Tensor, Any]:
        return (a + hidden).relu(), None

    @staticmethod
    def advance(a: Array, hidden: Array, h: Array, c: Any, kept: list[Array], factors: Array) -> Array:
        a += hidden
        return np.maximum(a, 0, out=a)

    @staticmethod
    def slopes(d: Array, extra: Array, a: Array, h: Array, kept: list[Array]) -> None:
        np.greater(a, 0, out=d)


class LSTMCell(Cell):
    """c' = f c + i g and h' = o tanh(c'), with the gates i, f, g, o. Source: Hochreiter and Schmidhuber 1997."""

    name, factors, kept = "lstm", (SIGMOID, SIGMOID, TANH, SIGMOID), 2
    loops = "nn.functional.recurrent_loops.lstm"

    @staticmethod
    def step(a: Tensor, hidden: Tensor, h: Tensor, c: Any) -> tuple[Tensor, Any]:
        i, f, g, o = (a + hidden).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    @staticmethod
    def advance(a: Array, hidden: Array, h: Array, c: Any, kept: list[Array], factors: Array) -> Array:
        size = c.shape[1]
        before, bounded = kept
        hidden += a
        np.tanh(hidden, out=a)
        # All gates at once: two passes over contiguous numbers take half as long as four over some columns.
        a *= factors
        a += 1 - factors
        o = a[:, 3 * size :]
        before[...] = c
        c *= a[:, size : 2 * size]
        np.multiply(a[:, :size], a[:, 2 * size : 3 * size], out=bounded)
        c += bounded
        np.tanh(c, out=bounded)
        h_next: Array = o * bounded
        return h_next

    @staticmethod
    def slopes(d: Array, extra: Array, a: Array, h: Array, kept: list[Array]) -> None:
        size = extra.shape[1]
        before, bounded = kept
        i, f, g, o = (slice(k * size, (k + 1) * size) for k in range(4))
        np.multiply(a, a, out=d)
        np.subtract(a[:, : 2 * size], d[:, : 2 * size], out=d[:, : 2 * size])
        np.subtract(1, d[:, g], out=d[:, g])
        np.subtract(a[:, o], d[:, o], out=d[:, o])
        d[:, i] *= a[:, g]
        d[:, f] *= before
        d[:, g] *= a[:, i]
        d[:, o] *= bounded
        np.multiply(bounded, bounded, out=extra)
        np.subtract(1, extra, out=extra)
        extra *= a[:, o]

    @staticmethod
    def retreat(d: Array, extra: Array, a: Array, g: Array, dc: Any) -> Array | None:
        rows, size = g.shape
        gates = d.reshape(rows, 4, size)
        gates[:, 3] *= g
        g *= extra
        dc += g
        gates[:, :3] *= dc[:, None]
        dc *= a[:, size : 2 * size]
        return None

    @staticmethod
    def unprojected(a: Array, kept: Array) -> Array:
        h: Array = a[:, 3 * kept.shape[2] :] * kept[1]
        return h


class GRUCell(Cell):
    """h' = (1 - z) n + z h with n = tanh(aₙ + r hiddenₙ), and the gates r, z. Source: Cho et al. 2014."""

    name, factors, kept, bias_apart = "gru", (SIGMOID, SIGMOID, TANH), 1, True
    loops = "nn.functional.recurrent_loops.gru"

    @staticmethod
    def step(a: Tensor, hidden: Tensor, h: Tensor, c: Any) -> tuple[Tensor, Any]:
        size = h.shape[1]
        r, z = (a + hidden)[:, : 2 * size].sigmoid().chunk(2, 1)
        n = (a[:, 2 * size :] + r * hidden[:, 2 * size :]).tanh()
        return n + z * (h - n), None

    @staticmethod
    def advance(a: Array, hidden: Array, h: Array, c: Any, kept: list[Array], factors: Array) -> Array:
        size = h.shape[1]
        gates, n, proposed = a[:, : 2 * size], a[:, 2 * size :], hidden[:, 2 * size :]
        gates += hidden[:, : 2 * size]
        np.tanh(gates, out=gates)
        gates *= SIGMOID
        gates += 1 - SIGMOID
        kept[0][...] = proposed
        proposed *= gates[:, :size]
        n += proposed
        np.tanh(n, out=n)
        h_next: Array = h - n
        h_next *= gates[:, size:]
        h_next += n
        return h_next

    @staticmethod
    def slopes(d: Array, extra: Array, a: Array, h: Array, kept: list[Array]) -> None:
        size = extra.shape[1]
        r, z, n = a[:, :size], a[:, size : 2 * size], a[:, 2 * size :]
        by_n = np.subtract(1, n * n, out=extra)
        by_n *= 1 - z
        np.multiply(by_n, r, out=d[:, 2 * size :])
        gates = d[:, : 2 * size]
        np.multiply(a[:, : 2 * size], a[:, : 2 * size], out=gates)
        np.subtract(a[:, : 2 * size], gates, out=gates)
        gates[:, :size] *= by_n * kept[0]
        gates[:, size:] *= h - n

    @staticmethod
    def retreat(d: Array, extra: Array, a: Array, g: Array, dc: Any) -> Array | None:
        rows, size = g.shape
        gates = d.reshape(rows, 3, size)
        gates *= g[:, None]
        extra *= g
        g *= a[:, size : 2 * size]
        return g

    @staticmethod
    def at_input(d: Array, extra: Array) -> None:
        d[:, 2 * extra.shape[1] :] = extra
