"""Loops for `autodiff.compiled`: what an LSTM does in a step beside its products, forward and backward."""

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
def advance(a: Array, hidden: Array, c: Array, before: Array, bounded: Array, h: Array) -> None:
    """As `LSTMCell.advance`, where the numbers for sigmoids come halved; the next state is put into `h`."""
    rows, size = c.shape
    # Row by row and gate by gate: of loops over more arrays than a few the compiler makes no vectors.
    for row in range(rows):
        gate(a[row, : 2 * size], hidden[row, : 2 * size])
        bound(a[row, 2 * size : 3 * size], hidden[row, 2 * size : 3 * size])
        gate(a[row, 3 * size :], hidden[row, 3 * size :])
        remember(a[row], c[row], before[row], bounded[row], h[row])


@compiled
def retreat(d: Array, a: Array, before: Array, bounded: Array, total: Array, dc: Array) -> None:
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
