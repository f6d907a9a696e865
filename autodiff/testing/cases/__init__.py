"""What the checks draw for each op of the engine, a family a file.

`CASES` has a strategy for every op that is not elementwise. `EXPRESSIONS` has, for every public function that is no op
but composed of some, calls to check: ``x`` is a matrix (3, 3), ``v`` a vector (3), ``s`` a batch (2, 3, 3), all of them
float64 with distinct values from 0.25 to 0.75; ``i`` is the index tensor [2, 0], ``mask`` a bool matrix (3, 3).
`NOT_DIFFERENTIABLE` are the functions whose results carry no gradient.
"""

from __future__ import annotations

from autodiff.op import Op
from autodiff.testing.cases import (
    decompositions,
    elementwise,
    indexing,
    joining,
    linear_algebra,
    reduction,
    regions,
    scan,
    scattering,
    shape,
    sorting,
    special,
)
from autodiff.testing.drawing import Case, Draw, Strategy, broadcasting

FAMILIES = (
    decompositions,
    elementwise,
    indexing,
    joining,
    linear_algebra,
    reduction,
    regions,
    scan,
    scattering,
    shape,
    sorting,
    special,
)
CASES: dict[str, Strategy] = {}
EXPRESSIONS: dict[str, tuple[str, ...]] = {}
NOT_DIFFERENTIABLE: set[str] = set()
for family in FAMILIES:
    CASES.update(family.CASES)
    EXPRESSIONS.update(getattr(family, "EXPRESSIONS", {}))
    NOT_DIFFERENTIABLE.update(getattr(family, "NOT_DIFFERENTIABLE", ()))


def has_cases(op: Op) -> bool:
    """Whether the checks can draw inputs for this op."""
    return op.name in CASES or op.kind == "elementwise"


def case(draw: Draw, op: Op) -> Case:
    """A random call of `op`."""
    return CASES.get(op.name, broadcasting)(draw, op)
