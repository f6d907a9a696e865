"""What the property-based checks of `autodiff.testing` draw for the ops that `nn` declares."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

import nn.functional
from autodiff.op import Op
from autodiff.testing.cases import CASES
from autodiff.testing.drawing import Array, Case, Draw, Shape, Strategy

sizes = st.integers(1, 4)
assert nn.functional.__all__  # imported for the ops that it declares


def uniform(draw: Draw, *bounds: tuple[Shape, float, float]) -> list[Array]:
    """An array for each shape and interval, all from one generator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return [np.asarray(rng.uniform(low, high, shape)) for shape, low, high in bounds]


def _linear(draw: Draw, op: Op) -> Case:
    n_in, n_out, rows = draw(sizes), draw(sizes), tuple(draw(st.lists(sizes, max_size=2)))
    x, weight, bias = uniform(draw, ((*rows, n_in), -3, 3), ((n_out, n_in), -3, 3), ((n_out,), -3, 3))
    return Case([x, weight, draw(st.sampled_from([bias, None]))], {})


def _batch_norm(draw: Draw, op: Op) -> Case:
    n, c = draw(sizes), draw(sizes)
    x, mean, var, weight, bias = uniform(
        draw, ((n, c), -3, 3), ((1, c), -1, 1), ((1, c), 0.2, 3), ((c,), -2, 2), ((c,), -2, 2)
    )
    weight, bias = (draw(st.sampled_from([given, None])) for given in (weight, bias))
    return Case([x, mean, var, weight, bias], {"eps": draw(st.sampled_from([1e-5, 0.1]))})


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


CASES.update(
    {
        "linear": _linear,
        "batch_norm": _batch_norm,
        "binary_cross_entropy": _pairs(0.05, 0.95),
        "binary_cross_entropy_with_logits": _pairs(-20, 20),
        "nll_loss": _at,
        "nll_loss_slope": _spread,
        "cross_entropy": _at_classes,
        "cross_entropy_slope": _slope,
    }
)
