"""`check_op` and the mutation test: what is right passes, what is wrong is found and shown."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import autodiff as ad
from autodiff.domain import POSITIVE, Interval
from autodiff.op import OPS, Recorder
from autodiff.recorders import elementwise
from autodiff.testing import PROPERTIES, CheckError, check_op
from tests.mutants.mutate import mutants


@pytest.fixture
def declare() -> Callable[..., Recorder]:
    """Declares an op for the time of one test."""
    before = dict(OPS)
    yield elementwise
    OPS.clear()
    OPS.update(before)


def test_a_right_function_passes_with_its_figures() -> None:
    found = {finding.property: finding for finding in check_op(lambda a, b: a * b.sin(), [POSITIVE, Interval(-3, 3)])}
    assert set(found) == set(PROPERTIES)
    assert found["first order"].accepted == 100
    assert found["second order"].worst < 1e-6


def test_a_wrong_rule_is_found_and_shown_as_a_program(declare: Callable[..., Recorder]) -> None:
    wrong = declare("wrong_sine", np.sin, vjp=lambda g, y, x: g * np.cos(x) * 1.001, saves="x", domain=Interval(-3, 3))
    with pytest.raises(CheckError, match=r"wrong_sine: first order:[\s\S]*relative difference") as caught:
        check_op(wrong)
    lines = str(caught.value).split("This reproduces the call:")[1].replace("\n    ", "\n")
    program = lines.strip().replace("wrong_sine", "sin")
    ast.parse(program)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "derivatives agree" in done.stdout


def test_a_wrong_second_derivative_is_found(declare: Callable[..., Recorder]) -> None:
    # Right as a number; but its own derivative is that of a constant.
    cube = declare("cube", lambda x: x * x * x, vjp=lambda g, y, x: g * (3 * x * x), saves="x", domain=Interval(-3, 3))
    right = cube.op.rules[0]
    cube.op.rules = (lambda g, y, x: g * (x * ad.tensor(3 * getattr(x, "array", x))),)
    assert cube.op.rule0 is right
    with pytest.raises(CheckError, match="second order"):
        check_op(cube, skip=["memory layouts"])


def test_a_rule_that_writes_into_its_input_is_found(declare: Callable[..., Recorder]) -> None:
    def rule(g: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        if isinstance(g, np.ndarray) and g.ndim:
            g *= 2
            return g / 2 * 1.0
        return g

    op = declare("writing", lambda x: x.copy(), vjp=rule, domain=Interval(-3, 3))
    with pytest.raises(CheckError):
        check_op(op)


def test_unknown_properties_and_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected names of properties"):
        check_op(ad.tanh, skip=["first"])
    with pytest.raises(ValueError, match="expected a shape for each of 1 domains"):
        check_op(lambda a: a, shapes=[(2,), (2,)])


def test_every_mutant_is_another_function() -> None:
    rule = OPS["tanh"].rules[0]
    g, x = 0.7, np.array([0.3])
    y = np.tanh(x)
    made = list(mutants(rule, ["x"]))
    assert len(made) >= 10
    assert [m.change for m in made if np.allclose(m.rule(g, y, x), rule(g, y, x))] == []
