"""Loops for `autodiff.compiled`: what LSTM and GRU do in a step beside its products, forward and backward.

They get what the methods `advance` and `retreat` of their cell get, and do what `slopes` does too.
"""

from __future__ import annotations

from typing import Any

from autodiff.compiled import compiled
from autodiff.ops.loops import ONE, exp, logistic, single

Array = Any
TWO, SMALL = single(2), single(0.625)
# (tanh(x) - x) / x³ as a function of x² for |x| up to 0.625, in falling powers. Source: Cephes, tanhf.
T0, T1, T2 = single(-5.70498872745e-3), single(2.06390887954e-2), single(-5.37397155531e-2)
T3, T4 = single(1.33314422036e-1), single(-3.33332819422e-1)


@compiled
def tanh(x: Any) -> Any:
    """Near 0 by a polynomial, of which small numbers are exact, else by eˣ; within two places of float32."""
    square = x * x
    near = x + x * square * ((((T0 * square + T1) * square + T2) * square + T3) * square + T4)
    far = ONE - TWO / (exp(abs(x) * TWO) + ONE)
    return near if abs(x) < SMALL else (-far if x < 0 else far)


@compiled
def gate(a: Array, hidden: Array) -> None:
    for k in range(a.size):
        a[k] = logistic(TWO * (a[k] + hidden[k]))


@compiled
def bound(a: Array, hidden: Array) -> None:
    for k in range(a.size):
        a[k] = tanh(a[k] + hidden[k])


@compiled
def remember(a: Array, c: Array, before: Array, bounded: Array, h: Array) -> None:
    size = c.size
    for k in range(size):
        before[k] = c[k]
        c[k] = a[size + k] * c[k] + a[k] * a[2 * size + k]
    for k in range(size):
        bounded[k] = tanh(c[k])
        h[k] = a[3 * size + k] * bounded[k]


@compiled
def lstm_advance(a: Array, hidden: Array, h: Array, c: Array, before: Array, bounded: Array, new: Array) -> None:
    """As `LSTMCell.advance`, where the numbers for sigmoids come halved; the next state is put into `new`."""
    rows, size = c.shape
    # Row by row and gate by gate: of loops over more arrays than a few the compiler makes no vectors.
    for row in range(rows):
        gate(a[row, : 2 * size], hidden[row, : 2 * size])
        bound(a[row, 2 * size : 3 * size], hidden[row, 2 * size : 3 * size])
        gate(a[row, 3 * size :], hidden[row, 3 * size :])
        remember(a[row], c[row], before[row], bounded[row], new[row])


@compiled
def lstm_retreat(
    d: Array, extra: Array, a: Array, h: Array, before: Array, bounded: Array, total: Array, dc: Array
) -> None:
    """As `LSTMCell.slopes` and `LSTMCell.retreat`, given the gradient of the next state h, `total`."""
    rows, size = dc.shape
    for row in range(rows):
        for k in range(size):
            i, f, g, o = a[row, k], a[row, size + k], a[row, 2 * size + k], a[row, 3 * size + k]
            bounded_c, slope = bounded[row, k], total[row, k]
            of_c = dc[row, k] + slope * ((ONE - bounded_c * bounded_c) * o)
            d[row, k] = (i - i * i) * g * of_c
            d[row, size + k] = (f - f * f) * before[row, k] * of_c
            d[row, 2 * size + k] = (ONE - g * g) * i * of_c
            d[row, 3 * size + k] = (o - o * o) * bounded_c * slope
            dc[row, k] = of_c * f


@compiled
def propose(n: Array, hidden: Array, r: Array, kept: Array) -> None:
    for k in range(n.size):
        kept[k] = hidden[k]
        n[k] = tanh(n[k] + r[k] * hidden[k])


@compiled
def mix(new: Array, h: Array, z: Array, n: Array) -> None:
    for k in range(h.size):
        new[k] = (h[k] - n[k]) * z[k] + n[k]


@compiled
def gru_advance(a: Array, hidden: Array, h: Array, c: Any, kept: Array, new: Array) -> None:
    """As `GRUCell.advance`, where the numbers for sigmoids come halved; the next state is put into `new`."""
    rows, size = h.shape
    for row in range(rows):
        gate(a[row, : 2 * size], hidden[row, : 2 * size])
        propose(a[row, 2 * size :], hidden[row, 2 * size :], a[row, :size], kept[row])
        mix(new[row], h[row], a[row, size : 2 * size], a[row, 2 * size :])


@compiled
def gru_retreat(d: Array, extra: Array, a: Array, h: Array, kept: Array, total: Array, dc: Any) -> Array:
    """As `GRUCell.slopes` and `GRUCell.retreat`, given the gradient of the next state h, `total`."""
    rows, size = total.shape
    for row in range(rows):
        for k in range(size):
            r, z, n = a[row, k], a[row, size + k], a[row, 2 * size + k]
            slope = total[row, k]
            by_n = (ONE - n * n) * (ONE - z) * slope
            d[row, k] = (r - r * r) * by_n * kept[row, k]
            d[row, size + k] = (z - z * z) * (h[row, k] - n) * slope
            d[row, 2 * size + k] = by_n * r
            extra[row, k] = by_n
            total[row, k] = slope * z
    return total
