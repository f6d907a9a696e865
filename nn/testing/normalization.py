"""What is drawn for normalisation."""

from autodiff.op import Op
from autodiff.testing.drawing import Case, Draw, Strategy, one_of
from nn.testing.drawing import uniform

# Shapes with their views (samples, channels, inner).
SHAPES = [((4, 3), (4, 3, 1)), ((2, 4, 3), (2, 4, 3)), ((2, 4, 2, 2), (2, 4, 4)), ((1, 4), (1, 4, 1))]


def _standardize(draw: Draw, op: Op) -> Case:
    shape, view = one_of(draw, SHAPES[:3])
    groups = one_of(draw, [None, 1, view[1], *([2] if view[1] == 4 else [])])
    if groups == view[1] and view[2] == 1:
        groups = None
    eps, centred, absent = one_of(draw, [(e, c, a) for e in (0.1, 1e-3) for c in (True, False) for a in range(4)])
    inputs = uniform(draw, (shape, -3, 3), ((view[1],), -2, 2), ((view[1],), -2, 2))
    return Case(
        [x if not i or not absent >> i - 1 & 1 else None for i, x in enumerate(inputs)],
        {"view": view, "groups": groups, "eps": eps, "centred": centred, "moments": None},
    )


def _scale_and_shift(draw: Draw, op: Op) -> Case:
    (shape, view), absent = one_of(draw, [(s, a) for s in SHAPES for a in (None, 1, 2)])
    inputs = uniform(draw, (shape, -3, 3), ((view[1],), -2, 2), ((view[1],), -2, 2))
    return Case([None if i == absent else x for i, x in enumerate(inputs)], {"view": view})


CASES: dict[str, Strategy] = {"standardize": _standardize, "scale_and_shift": _scale_and_shift}
