"""Running sums and their kin."""

from __future__ import annotations

from autodiff.testing.drawing import Strategy, one_axis, one_input

CASES: dict[str, Strategy] = {
    "cumsum": one_input(one_axis, min_dims=1),
}
