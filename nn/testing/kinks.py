"""The gradients that the activations of `nn` have at their kinks, as `autodiff.testing.kinks` declares those of ops."""

import math

from autodiff.testing.kinks import Kink, at

NAN = math.nan

KINKS: dict[str, list[Kink]] = {
    "hardtanh": [
        at([-1.0, 1.0, NAN], gives=([0.0, 0.0, 1.0],), low=-1.0, high=1.0),
        at([0.0, 6.0], gives=([0.0, 0.0],), low=0.0, high=6.0),
    ],
    "hardsigmoid": [at([-3.0, 3.0, NAN], gives=([0.0, 0.0, 0.0],))],
    "hardswish": [at([-3.0, 3.0], gives=([0.0, 1.0],))],
    "hardshrink": [at([-0.5, 0.5, NAN], gives=([0.0, 0.0, 1.0],), lambd=0.5)],
    "softshrink": [at([-0.5, 0.5, NAN], gives=([0.0, 0.0, 1.0],), lambd=0.5)],
    "threshold": [at([0.5, NAN], gives=([0.0, 1.0],), threshold=0.5, value=3.0)],
    "elu": [
        at([0.0, -0.0], gives=([2.0, 2.0],), alpha=2.0, scale=1.0, input_scale=1.0),
        at([0.0, -0.0], gives=([1.0, 1.0],), alpha=2.0, scale=1.0, input_scale=0.5),  # what celu calls
    ],
    "prelu": [at([0.0], [0.3], gives=([0.3], [0.0]))],
}
