"""Elementwise ops with params."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from autodiff.testing.drawing import Strategy, broadcasting, one_input, with_params

CASES: dict[str, Strategy] = {
    "pow_number": one_input(lambda draw, shape: {"exponent": draw(st.sampled_from([-2, -1, 0, 1, 2, 3]))}),
    "clamp": with_params(low=-1.0, high=1.0),
    "leaky_relu": with_params(negative_slope=0.1),
    "to": with_params(dtype=np.dtype(np.float64)),
    "clone": with_params(),
    "where": broadcasting,
}
