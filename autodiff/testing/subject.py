"""What is checked: an op of the table, or any function of tensors, with a strategy that draws calls of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from autodiff.domain import REALS, Domain
from autodiff.op import Op
from autodiff.tensor import Tensor, wrap
from autodiff.testing.cases import case
from autodiff.testing.drawing import Array, Case, Draw, Shape, broadcasting_shapes, inputs_from


class Subject(NamedTuple):
    """A function of tensors and how to draw calls of it.

    `analytic` says that it carries complex numbers through, so that the complex step applies; `kind` is as in `Op`.
    """

    name: str
    call: Callable[..., Tensor]
    draw: Callable[[Draw], Case]
    analytic: bool
    kind: str

    def apply(self, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
        return self.call(*inputs, **params)


def subject_of_op(op: Op) -> Subject:
    """A declared op with the strategy of the table."""
    return Subject(op.name, op.record, lambda draw: case(draw, op), op.analytic, op.kind)


def subject_of_function(
    function: Callable[..., Tensor],
    domain: Domain | Sequence[Domain] = REALS,
    shapes: Sequence[Shape] | None = None,
    analytic: bool = False,
    kind: str = "other",
) -> Subject:
    """A function with one input per domain, of the given shapes or of shapes that broadcast."""
    domains = (domain,) if isinstance(domain, Domain) else tuple(domain)
    if shapes is not None and len(shapes) != len(domains):
        raise ValueError(f"expected a shape for each of {len(domains)} domains, got {len(shapes)} shapes")

    def draw(data: Draw) -> Case:
        chosen = data(broadcasting_shapes(len(domains))) if shapes is None else shapes
        return Case(inputs_from(data, domains, chosen), {})

    return Subject(getattr(function, "__name__", "function"), function, draw, analytic, kind)


def leaves(inputs: Sequence[Any]) -> list[Any]:
    """Tensors on the arrays, those of floats requiring grad; None for an input that is absent."""
    made: list[Any] = []
    for x in inputs:
        tensor = None if x is None else wrap(np.asarray(x))
        made.append(tensor.requires_grad_() if tensor is not None and tensor.dtype.kind == "f" else tensor)
    return made


def live(inputs: Sequence[Any]) -> list[Tensor]:
    """Those of `inputs` that require grad."""
    return [x for x in inputs if x is not None and x.requires_grad]


def random_like(rng: np.random.Generator, shape: Shape) -> Array:
    return np.asarray(rng.uniform(-1, 1, shape))


seeds = st.integers(0, 2**32 - 1)
