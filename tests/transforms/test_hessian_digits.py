"""The Hessian of a network of 100 parameters against arithmetic of 30 digits."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

import autodiff as ad
from autodiff.func import hessian
from autodiff.tensor import Tensor

DIGITS, INPUTS, HIDDEN, OUTPUTS, SAMPLES = 30, 6, 10, 3, 4
# 6 · 10 + 10 weights and biases, then 10 · 3 without a bias.
PARAMETERS = INPUTS * HIDDEN + HIDDEN + HIDDEN * OUTPUTS
# Roundings of float64 beside the largest entry: 2.8 are found (PyTorch: 3.3), and another order of sums may add some.
ALLOWED = 8 * 2.0**-53


def network(p: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The mean squared error of a network with tanh."""
    split = INPUTS * HIDDEN
    weight, bias, out = p[:split], p[split : split + HIDDEN], p[split + HIDDEN :]
    h = ad.tanh(x @ weight.reshape(INPUTS, HIDDEN) + bias)
    return ((h @ out.reshape(HIDDEN, OUTPUTS) - y) ** 2).mean()


def exact(p: Any, x: Any, y: Any) -> Any:
    """The same Hessian by formulas, in 30 digits: JᵀJ and, for each pair of parameters, the second derivatives.

    With a = x W + b, h = tanh a, r = h V - y and the loss Σ r² / n, h' = 1 - h² and h'' = -2 h h'.
    """
    mp = [mpmath.mpf(float(value)) for value in p]
    split, n = INPUTS * HIDDEN, SAMPLES * OUTPUTS
    total = [[mpmath.mpf(0)] * PARAMETERS for _ in range(PARAMETERS)]
    out = lambda j, k: split + HIDDEN + j * OUTPUTS + k  # noqa: E731
    for s in range(SAMPLES):
        xs = [mpmath.mpf(float(value)) for value in x[s]] + [mpmath.mpf(1)]
        # The bias is the weight of an input 1.
        places = [[i * HIDDEN + j for i in range(INPUTS)] + [split + j] for j in range(HIDDEN)]
        h = [mpmath.tanh(sum(mp[q] * value for q, value in zip(places[j], xs, strict=True))) for j in range(HIDDEN)]
        slope = [1 - value**2 for value in h]
        for k in range(OUTPUTS):
            residual = sum(h[j] * mp[out(j, k)] for j in range(HIDDEN)) - mpmath.mpf(float(y[s][k]))
            first = [mpmath.mpf(0)] * PARAMETERS
            for j in range(HIDDEN):
                first[out(j, k)] = h[j]
                for q, value in zip(places[j], xs, strict=True):
                    first[q] = mp[out(j, k)] * slope[j] * value
            for a in range(PARAMETERS):
                if first[a]:
                    row = total[a]
                    for b in range(PARAMETERS):
                        row[b] += 2 * first[a] * first[b] / n
            for j in range(HIDDEN):
                bent = -2 * h[j] * slope[j] * mp[out(j, k)]
                for q, u in zip(places[j], xs, strict=True):
                    for q2, u2 in zip(places[j], xs, strict=True):
                        total[q][q2] += 2 * residual * bent * u * u2 / n
                    mixed = 2 * residual * slope[j] * u / n
                    total[q][out(j, k)] += mixed
                    total[out(j, k)][q] += mixed
    return total


def test_hessian_of_100_parameters() -> None:
    rng = np.random.default_rng(0)
    p, x, y = (rng.uniform(-1, 1, shape) for shape in (PARAMETERS, (SAMPLES, INPUTS), (SAMPLES, OUTPUTS)))
    assert PARAMETERS == 100
    found = hessian(network)(*map(ad.from_numpy, (p, x, y)))
    with mpmath.workdps(DIGITS):
        expected = exact(p, x, y)
        largest = max(abs(value) for row in expected for value in row)
        errors = [
            abs(mpmath.mpf(float(a)) - b) / largest
            for row, exact_row in zip(found.tolist(), expected, strict=True)
            for a, b in zip(row, exact_row, strict=True)
        ]
    assert float(max(errors)) <= ALLOWED
