"""What is drawn for attention."""

from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy
from nn.testing.drawing import sizes, uniform


def _attention_weights(draw: Draw, op: Op) -> Case:
    lead, length, keys, features = tuple(draw(st.lists(sizes, max_size=2))), draw(sizes), draw(sizes), draw(sizes)
    of_mask = draw(st.sampled_from([(length, keys), (*lead, 1, keys), (*lead, length, keys)]))
    q, k, mask = uniform(draw, ((*lead, length, features), -2, 2), ((*lead, keys, features), -2, 2), (of_mask, -2, 2))
    # With the second scale scores are beyond what is exponentiated without subtracting the largest.
    scale = draw(st.sampled_from([0.5, 12.0]))
    return Case([q, k, draw(st.sampled_from([mask, None]))], {"scale": scale, "safe": draw(st.booleans())})


def _softmax_slope(draw: Draw, op: Op) -> Case:
    shape = (*draw(st.lists(sizes, max_size=2)), draw(sizes))
    return Case(uniform(draw, (shape, -3, 3), (shape, 0, 1)), {})


CASES: dict[str, Strategy] = {"attention_weights": _attention_weights, "softmax_slope": _softmax_slope}
