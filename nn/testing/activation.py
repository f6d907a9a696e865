"""What is drawn for activation functions with params; the others, elementwise ops, need nothing."""

from typing import Any

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy, inputs_for, one_of, shapes
from nn.functional.activation import SELU_ALPHA, SELU_SCALE


def _one_of(*choices: dict[str, Any]) -> Strategy:
    """One input of any shape, with one of some sets of params."""

    def build(draw: Draw, op: Op) -> Case:
        return Case(inputs_for(draw, op, [draw(shapes)]), one_of(draw, choices))

    return build


CASES: dict[str, Strategy] = {
    "hardtanh": _one_of({"low": -1.0, "high": 1.0}, {"low": 0.0, "high": 6.0}),
    "hardshrink": _one_of({"lambd": 0.5}),
    "softshrink": _one_of({"lambd": 0.5}),
    "threshold": _one_of({"threshold": 0.5, "value": -3.0}),
    "elu": _one_of(
        {"alpha": 1.0, "scale": 1.0, "input_scale": 1.0},
        {"alpha": 0.7, "scale": 1.0, "input_scale": 1 / 0.7},
        {"alpha": SELU_ALPHA, "scale": SELU_SCALE, "input_scale": 1.0},
    ),
    "softplus": _one_of({"beta": 1.0, "threshold": 20.0}, {"beta": 2.0, "threshold": 4.0}),  # a jump at 2
}
