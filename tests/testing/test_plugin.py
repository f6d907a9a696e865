"""The pytest plugin, in a project of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
OPS = """
import numpy as np
from autodiff.domain import Interval
from autodiff.recorders import elementwise

right = elementwise("my_right", np.sin, vjp=lambda g, y, x: g * np.cos(x), saves="x", domain=Interval(-3, 3))
wrong = elementwise("my_wrong", np.sin, vjp=lambda g, y, x: g * np.sin(x), saves="x", domain=Interval(-3, 3))
"""
ALONE = ["-p", "no:cacheprovider", "-p", "autodiff.pytest_plugin"]


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where the project is installed, pytest loads the plugin by itself; here it is always -p that does.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_declared_ops_are_collected_and_checked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(my_ops=OPS)
    pytester.makeini("[pytest]\ncheck_ops = my_ops\npythonpath = .")
    result = pytester.runpytest_subprocess(*ALONE, "--check-examples=10", "-v")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*my_right?derivatives? PASSED*", "*my_wrong: first order:*DISAGREE*"])


def test_a_module_without_ops_is_an_error(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess(*ALONE, "--check-ops", "math")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no differentiable op is declared in math*"])


def test_without_the_option_nothing_is_added(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_nothing="def test_it(): pass")
    pytester.runpytest_subprocess(*ALONE).assert_outcomes(passed=1)
