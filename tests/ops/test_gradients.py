"""Every op of the table, by properties: derivatives of all orders, and what must hold besides.

What is checked, and how sharply, stands in `autodiff.testing`; users run the same on their ops.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

import nn.testing
from autodiff.op import OPS
from autodiff.testing.cases import has_cases
from autodiff.testing.check import CONDUCT, DERIVATIVES, examine
from autodiff.testing.subject import subject_of_op

assert nn.testing  # imported for the ops of nn and what is drawn for them
DIFFERENTIABLE = sorted(name for name, op in OPS.items() if op.differentiable)
EXAMPLES = settings().max_examples


def test_every_op_can_be_drawn_from() -> None:
    assert [name for name in DIFFERENTIABLE if not has_cases(OPS[name])] == []


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives(name: str) -> None:
    first = next(found for found in examine(subject_of_op(OPS[name]), list(DERIVATIVES), EXAMPLES))
    # Of calls that are drawn, those without a differentiable input do not count.
    assert first.accepted >= 0.9 * EXAMPLES


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_conduct(name: str) -> None:
    examine(subject_of_op(OPS[name]), list(CONDUCT), EXAMPLES)
