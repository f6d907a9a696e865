"""What is drawn for linear layers."""

from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy
from nn.testing.drawing import sizes, uniform


def _linear(draw: Draw, op: Op) -> Case:
    n_in, n_out, rows = draw(sizes), draw(sizes), tuple(draw(st.lists(sizes, max_size=2)))
    x, weight, bias = uniform(draw, ((*rows, n_in), -3, 3), ((n_out, n_in), -3, 3), ((n_out,), -3, 3))
    return Case([x, weight, draw(st.sampled_from([bias, None]))], {})


CASES: dict[str, Strategy] = {"linear": _linear}
