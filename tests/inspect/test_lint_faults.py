"""Every fault, planted at every place of small programs, is found there, and healthy programs hear nothing."""

import pytest

import autodiff as ad
from tests.inspect.faults import FAULTS, Case, judged, said
from tests.inspect.programs import DEVELOPED_ON, Program


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
