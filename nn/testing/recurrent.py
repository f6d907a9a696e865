"""What is drawn for the recurrent layers."""

from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy
from nn.functional.recurrent import CELLS, GATES
from nn.testing.drawing import uniform

# Batch sizes of the steps: of equal sequences, and of some that end.
SIZES = st.sampled_from([(1,), (2, 2), (2, 1, 1), (3, 1)])


def _layer(draw: Draw, op: Op) -> Case:
    sizes, size = draw(SIZES), draw(st.integers(1, 2))
    rows, gates, inputs = sum(sizes), GATES[op.name] * size, draw(st.integers(1, 2))
    projected = size - 1 if op.name == "lstm" and size > 1 and draw(st.booleans()) else 0
    # With these numbers the arguments of max(x, 0) keep away from its kink.
    reach, low = (0.05, 0.5) if op.name == "rnn_relu" else (1.0, -1.0)
    state = projected or size
    x, w_ih, w_hh, b_ih, b_hh, h, c, w_hr = uniform(
        draw,
        ((rows, inputs), -1, 1),
        ((gates, inputs), -reach, reach),
        ((gates, state), -reach, reach),
        ((gates,), low, 1),
        ((gates,), low, 1),
        ((sizes[0], state), -1, 1),
        ((sizes[0], size), -1, 1),
        ((projected, size), -1, 1),
    )
    if op.name == "rnn_relu":
        sign = draw(st.sampled_from([-1, 1]))
        b_ih, b_hh = sign * b_ih, sign * b_hh
    biases = [b_ih, b_hh] if op.name == "rnn_relu" or draw(st.booleans()) else [None, None]
    cell = [c if op.name == "lstm" else None, w_hr if projected else None]
    return Case([x, w_ih, w_hh, *biases, h, *cell], {"sizes": sizes, "reverse": draw(st.booleans())})


CASES: dict[str, Strategy] = dict.fromkeys(CELLS, _layer)
