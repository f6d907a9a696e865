"""Runs the properties on drawn calls: `check_op` for a function of yours, `examine` for the library itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from autodiff.domain import REALS, Domain
from autodiff.op import Op
from autodiff.testing import conduct, derivatives
from autodiff.testing.broken import CheckError
from autodiff.testing.drawing import Case, Shape
from autodiff.testing.kinks import kinks
from autodiff.testing.subject import Subject, seeds, subject_of_function, subject_of_op

Property = Callable[[Subject, Case, np.random.Generator], float | None]
FIRST, SECOND, THIRD = derivatives.first_order, derivatives.second_order, derivatives.third_order
DERIVATIVES: dict[str, Property] = {
    "first order": FIRST,
    "second order": SECOND,
    "third order": THIRD,
    "relative difference at 1e-7": derivatives.at_course_step,
    "adjoint identity": derivatives.adjoint,
    "exact on integers": derivatives.exact_on_integers,
}
CONDUCT: dict[str, Property] = {
    "kinks and ties": kinks,
    "no mutation, no aliasing": conduct.no_mutation_no_aliasing,
    "repeated, partial, accumulated": conduct.repeated_partial_accumulated,
    "dtypes": conduct.dtypes_stay,
    "memory layouts": conduct.layouts_do_not_matter,
    "precision": conduct.precision,
}
PROPERTIES = DERIVATIVES | CONDUCT


class Finding(NamedTuple):
    """What a property found: calls drawn, those it applied to, and the worst figure (relative differences)."""

    property: str
    tried: int
    accepted: int
    worst: float


def examine(
    subject: Subject, names: Sequence[str] = tuple(PROPERTIES), examples: int = 100, shrink: bool = True
) -> list[Finding]:
    """Check properties on each of `examples` drawn calls; CheckError with the first call that breaks one.

    With `shrink` it is the smallest such call that is found.
    """
    tried: list[bool] = []
    figures: dict[str, list[float]] = {name: [] for name in names}
    failed: tuple[str, Case] = "", Case([], {})

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), seeds)
    def run(data: st.DataObject, seed: int) -> None:
        nonlocal failed
        tried.append(True)
        case = subject.draw(data.draw)
        for name in names:
            failed = name, case
            # Beyond the domain of a float an op may overflow; the properties look at the values themselves.
            with np.errstate(all="ignore"):
                figure = PROPERTIES[name](subject, case, np.random.default_rng(seed))
            if figure is not None:
                figures[name].append(figure)

    try:
        run()
    except Exception as error:
        name, case = failed
        raise CheckError(f"{subject.name}: {name}: {error}\n{snippet(subject, case)}") from error
    return [Finding(name, len(tried), len(found), max(found, default=0.0)) for name, found in figures.items()]


def snippet(subject: Subject, case: Case) -> str:
    """The call as a program that shows the gradients beside numerical ones."""
    lines = ["This reproduces the call:", "import numpy as np, autodiff as ad"]
    names = []
    for i, x in enumerate(case.inputs):
        names.append("None" if x is None else f"x{i}")
        if x is not None:
            wanted = ", requires_grad=True" if x.dtype.kind == "f" else ""
            lines.append(f"x{i} = ad.tensor({x.tolist()!r}, dtype=ad.{x.dtype}{wanted})")
    call = f"ad.op.OPS[{subject.name!r}].record" if isinstance(getattr(subject.call, "op", None), Op) else subject.name
    params = "".join(f", {key}={value!r}" for key, value in case.params.items())
    moving = [n for n, x in zip(names, case.inputs, strict=True) if x is not None and x.dtype.kind == "f"]
    arguments = ", ".join(moving)
    lines.append(f"call = lambda {arguments}: {call}({', '.join(names)}{params})")
    lines.append(f"print(ad.compare_gradients(call, [{arguments}]))")
    return "\n    ".join(lines)


def check_op(
    op: Any,
    domain: Domain | Sequence[Domain] = REALS,
    *,
    shapes: Sequence[Shape] | None = None,
    analytic: bool = False,
    kind: str = "other",
    examples: int = 100,
    skip: Sequence[str] = (),
) -> list[Finding]:
    """Check a differentiable function of tensors as the library checks its own ops; CheckError if a property fails.

    `op` is a declared op, which brings its own domain, or any function of as many tensors as `domain` has entries (one
    if it is a single one). Inputs have `shapes`, or shapes that broadcast. `analytic` functions, written in ops that
    carry complex numbers through, are compared with exact complex-step derivatives. `skip` names properties that do
    not apply.

    >>> import autodiff as ad
    >>> from autodiff.domain import Interval
    >>> found = check_op(lambda x: x * x.exp(), domain=Interval(-2, 2), analytic=True, examples=10)
    >>> found[0].property, found[0].worst < 1e-12
    ('first order', True)
    """
    unknown = set(skip) - set(PROPERTIES)
    if unknown:
        raise ValueError(f"expected names of properties among {list(PROPERTIES)}, got {sorted(unknown)}")
    declared = op if isinstance(op, Op) else getattr(op, "op", None)
    if isinstance(declared, Op):
        subject = subject_of_op(declared)
    else:
        subject = subject_of_function(op, domain, shapes, analytic, kind)
    return examine(subject, [name for name in PROPERTIES if name not in skip], examples)
