"""The generated page of all ops."""

import subprocess
import sys
from pathlib import Path

import nn

ROOT = Path(nn.__file__).parents[1]


def test_the_page_of_ops_is_up_to_date() -> None:
    """Run `python -m autodiff.testing.page docs/ops.md` when this fails."""
    # In a process of its own: in this one doctests may have declared ops, in the name of the module that they stand in.
    code = "import sys; from autodiff.testing.page import text; sys.stdout.write(text())"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert (ROOT / "docs" / "ops.md").read_text() == made
