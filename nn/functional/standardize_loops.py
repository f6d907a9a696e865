"""Loops for `autodiff.compiled`: `standardize` of what lies in rows, in columns, or in the middle of several axes.

They compute the statistics from `start` to `stop`, three vectors: means, biased variances and factors 1 / √(var + eps).
The gradients of weight and bias are added to `of_weight` and `of_bias`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.compiled import summing
from autodiff.ops.loops import ONE, ZERO, single

Array = Any
# A running sum down a column has at most so many numbers, since long ones lose digits.
BLOCK = 128


@summing
def rows(x: Array, y: Array, statistics: Array, weight: Array, bias: Array, eps: Any, start: int, stop: int) -> None:
    """Of `x` (rows, n), with a weight and a bias for each column: layer norm."""
    n = x.shape[1]
    scale = ONE / single(n)
    for row in range(start, stop):
        total = ZERO
        for i in range(n):
            total += x[row, i]
        mean, total = total * scale, ZERO
        for i in range(n):
            d = x[row, i] - mean
            total += d * d
        factor = ONE / single(math.sqrt(total * scale + eps))
        statistics[0, row], statistics[1, row], statistics[2, row] = mean, total * scale, factor
        for i in range(n):
            y[row, i] = (x[row, i] - mean) * factor * weight[i] + bias[i]


@summing
def rows_slope(
    g: Array, x: Array, out: Array, statistics: Array, weight: Array, of_weight: Array, of_bias: Array, start: int,
    stop: int,
) -> None:  # fmt: skip
    n = g.shape[1]
    scale = ONE / single(n)
    for row in range(start, stop):
        mean, factor = statistics[0, row], statistics[2, row]
        one, two = ZERO, ZERO
        for i in range(n):
            d, slope = (x[row, i] - mean) * factor, g[row, i] * weight[i]
            one += slope
            two += slope * d
            of_weight[i] += g[row, i] * d
            of_bias[i] += g[row, i]
        one, two = one * scale, two * scale
        for i in range(n):
            d = (x[row, i] - mean) * factor
            out[row, i] = (g[row, i] * weight[i] - one - d * two) * factor


@summing
def columns(x: Array, y: Array, statistics: Array, weight: Array, bias: Array, eps: Any, start: int, stop: int) -> None:
    """Of `x` (n, columns), with a weight and a bias for each column: batch norm of a matrix."""
    n, count = len(x), stop - start
    scale = ONE / single(n)
    # Slices, because an index that may be negative for all that is known here would not fill vector registers.
    weight, bias = weight[start:stop], bias[start:stop]
    means, variances, factors = statistics[0][start:stop], statistics[1][start:stop], statistics[2][start:stop]
    part = np.empty(count, np.float32)
    means[:] = ZERO
    variances[:] = ZERO
    for first in range(0, n, BLOCK):
        part[:] = ZERO
        for row in range(first, min(first + BLOCK, n)):
            own = x[row][start:stop]
            for i in range(count):
                part[i] += own[i]
        for i in range(count):
            means[i] += part[i] * scale
    for first in range(0, n, BLOCK):
        part[:] = ZERO
        for row in range(first, min(first + BLOCK, n)):
            own = x[row][start:stop]
            for i in range(count):
                d = own[i] - means[i]
                part[i] += d * d
        for i in range(count):
            variances[i] += part[i] * scale
    for i in range(count):
        factors[i] = ONE / single(math.sqrt(variances[i] + eps))
        part[i] = factors[i] * weight[i]
    for row in range(n):
        own, out = x[row][start:stop], y[row][start:stop]
        for i in range(count):
            out[i] = (own[i] - means[i]) * part[i] + bias[i]


@summing
def columns_slope(
    g: Array, x: Array, out: Array, statistics: Array, weight: Array, of_weight: Array, of_bias: Array, start: int,
    stop: int,
) -> None:  # fmt: skip
    n, count = len(g), stop - start
    scale = ONE / single(n)
    weight, of_weight, of_bias = weight[start:stop], of_weight[start:stop], of_bias[start:stop]
    means, factors = statistics[0][start:stop], statistics[2][start:stop]
    one, two = np.empty(count, np.float32), np.empty(count, np.float32)
    for first in range(0, n, BLOCK):
        one[:] = ZERO
        two[:] = ZERO
        for row in range(first, min(first + BLOCK, n)):
            gradient, own = g[row][start:stop], x[row][start:stop]
            for i in range(count):
                one[i] += gradient[i]
                two[i] += gradient[i] * (own[i] - means[i])
        for i in range(count):
            of_bias[i] += one[i]
            of_weight[i] += two[i] * factors[i]
    for i in range(count):
        one[i], two[i] = of_bias[i] * scale, of_weight[i] * factors[i] * scale
    for row in range(n):
        gradient, own, slope = g[row][start:stop], x[row][start:stop], out[row][start:stop]
        for i in range(count):
            slope[i] = (gradient[i] - one[i] - (own[i] - means[i]) * two[i]) * (factors[i] * weight[i])


@summing
def middles(x: Array, y: Array, statistics: Array, weight: Array, bias: Array, eps: Any, start: int, stop: int) -> None:
    """Of `x` (outer, n, channels, inner), each of n over all other axes: batch, group and instance norm.

    The weights are those of the channels of as many of n as they suffice for, and then again from the first.
    """
    outer, _, channels, inner = x.shape
    scale = ONE / single(outer * channels * inner)
    for m in range(start, stop):
        total = ZERO
        for o in range(outer):
            for c in range(channels):
                part = ZERO
                for i in range(inner):
                    part += x[o, m, c, i]
                total += part
        mean, total = total * scale, ZERO
        for o in range(outer):
            for c in range(channels):
                part = ZERO
                for i in range(inner):
                    d = x[o, m, c, i] - mean
                    part += d * d
                total += part
        factor = ONE / single(math.sqrt(total * scale + eps))
        statistics[0, m], statistics[1, m], statistics[2, m] = mean, total * scale, factor
        for o in range(outer):
            for c in range(channels):
                at = (m * channels + c) % len(weight)
                scaled, shift = factor * weight[at], bias[at]
                for i in range(inner):
                    y[o, m, c, i] = (x[o, m, c, i] - mean) * scaled + shift


@summing
def middles_slope(
    g: Array, x: Array, out: Array, statistics: Array, weight: Array, of_weight: Array, of_bias: Array, start: int,
    stop: int,
) -> None:  # fmt: skip
    outer, _, channels, inner = x.shape
    scale = ONE / single(outer * channels * inner)
    for m in range(start, stop):
        mean, factor = statistics[0, m], statistics[2, m]
        one, two = ZERO, ZERO
        for o in range(outer):
            for c in range(channels):
                at = (m * channels + c) % len(weight)
                each, product = ZERO, ZERO
                for i in range(inner):
                    each += g[o, m, c, i]
                    product += g[o, m, c, i] * (x[o, m, c, i] - mean)
                of_bias[at] += each
                of_weight[at] += product * factor
                one += each * weight[at]
                two += product * weight[at]
        one, two = one * scale, two * scale * factor * factor
        for o in range(outer):
            for c in range(channels):
                each = weight[(m * channels + c) % len(weight)]
                for i in range(inner):
                    d = x[o, m, c, i] - mean
                    out[o, m, c, i] = (g[o, m, c, i] * each - one - d * two) * factor
