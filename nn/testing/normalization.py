"""What is drawn for normalisation."""

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy, one_of
from nn.testing.drawing import uniform

VIEWS = [(1, 3, 4), (4, 3, 1), (2, 3, 2), (1, 1, 5), (3, 1, 2)]
SHAPES = {(1, 3, 4): (3, 2, 2), (4, 3, 1): (4, 3), (2, 3, 2): (2, 3, 2), (1, 1, 5): (5,), (3, 1, 2): (3, 2)}


def _standardize(draw: Draw, op: Op) -> Case:
    view, eps, centred = one_of(draw, [(v, e, c) for v in VIEWS for e in (0.1, 1e-3) for c in (True, False)])
    (x,) = uniform(draw, (SHAPES[view], -3, 3))
    return Case([x], {"view": view, "eps": eps, "centred": centred, "known": None})


def _scale_and_shift(draw: Draw, op: Op) -> Case:
    view, absent = one_of(draw, [(v, a) for v in VIEWS for a in (None, 1, 2)])
    inputs = uniform(draw, (SHAPES[view], -3, 3), ((view[1],), -2, 2), ((view[1],), -2, 2))
    return Case([None if i == absent else x for i, x in enumerate(inputs)], {"view": view})


CASES: dict[str, Strategy] = {"standardize": _standardize, "scale_and_shift": _scale_and_shift}
