"""Every fault, planted at every place of small programs, is found there, and healthy programs hear nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import autodiff as ad
from tests.inspect.faults import FAULTS, Case, judged, said
from tests.inspect.programs import DEVELOPED_ON, Program

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("program", DEVELOPED_ON[:3], ids=lambda program: program.name)
def test_fault_is_found_where_it_was_planted(program: Program, fault: str) -> None:
    ad.manual_seed(0)
    cases = list(FAULTS[fault](program, program.build()))
    if not cases:
        pytest.skip("there is no place for it")
    # In the midst of the places; `python -m tests.inspect.faults` takes all.
    case = cases[len(cases) // 2]
    found = said(program, case)
    assert judged(case, found) == (True, True, {}), (case.place, case.expected, found)


@pytest.mark.parametrize("program", DEVELOPED_ON, ids=lambda program: program.name)
def test_nothing_is_said_of_a_healthy_program(program: Program) -> None:
    assert said(program, Case("", {}), steps=30) == {}


def test_nothing_is_said_of_an_example() -> None:
    """MNIST, which takes longer, was listened to as well: docs/lint.md."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.inspect.overhear", "examples/logistic_regression.py"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    heard = json.loads(done.stdout[done.stdout.rindex('{\n "overheard"') :])["overheard"]
    assert heard == {"steps": 1500}
