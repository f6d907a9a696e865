"""What is drawn for losses."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy
from nn.functional.ctc_ops import NEVER
from nn.testing.drawing import sizes, uniform


def _pairs(low: float, high: float) -> Strategy:
    def build(draw: Draw, op: Op) -> Case:
        shape = tuple(draw(st.lists(sizes, max_size=2)))
        return Case(uniform(draw, (shape, low, high), (shape, 0.05, 0.95)), {})

    return build


def _scores(draw: Draw) -> tuple[Any, dict[str, Any]]:
    """Scores (N, C, D), and one place in each column of classes with its weight."""
    n, c, d = draw(sizes), draw(sizes), draw(sizes)
    x, each = uniform(draw, ((n, c, d), -4, 4), ((n, d), -1, 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    at = np.arange(n)[:, None] * c * d + rng.integers(0, c, (n, d)) * d + np.arange(d)
    return x, {"at": at, "weights": draw(st.sampled_from([each, -0.25]))}


def _at(draw: Draw, op: Op) -> Case:
    x, params = _scores(draw)
    return Case([x], params)


def _at_classes(draw: Draw, op: Op) -> Case:
    x, params = _scores(draw)
    return Case([x], {"axis": 1, **params})


def _spread(draw: Draw, op: Op) -> Case:
    x, params = _scores(draw)
    return Case(uniform(draw, ((), -2, 2)), {"shape": x.shape, **params})


def _slope(draw: Draw, op: Op) -> Case:
    x, params = _scores(draw)
    return Case([*uniform(draw, ((), -2, 2)), x], {"axis": 1, **params})


def _alignments(draw: Draw, op: Op) -> Case:
    """Emissions of the states of targets of up to two labels, some of inputs too short for them."""
    times, n, labels = draw(sizes), draw(st.integers(1, 2)), draw(st.sampled_from([2, 1, 0]))
    (x,) = uniform(draw, ((times, n, 2 * labels + 1), -4, 0))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    jump = np.full((n, 2 * labels + 1), NEVER)
    jump[:, 3::2] = rng.choice([0, 0, NEVER], (n, max(labels - 1, 0)))
    # Half of them whole: a skip counts only where the target has two labels and the input two times at least.
    shorter, earlier = rng.integers(0, 2, (2, n)) * rng.integers(0, (1 + labels, 1 + times), (n, 2)).T
    behind = 2 * (labels - shorter[:, None]) - np.arange(2 * labels + 1)
    final = np.where((behind == 0) | (behind == 1), 0, NEVER)
    return Case([x], {"jump": jump, "final": final, "lengths": times - earlier})


CASES: dict[str, Strategy] = {
    "ctc_loss": _alignments,
    "binary_cross_entropy": _pairs(0.05, 0.95),
    "binary_cross_entropy_with_logits": _pairs(-20, 20),
    "nll_loss": _at,
    "nll_loss_slope": _spread,
    "cross_entropy": _at_classes,
    "cross_entropy_slope": _slope,
}
