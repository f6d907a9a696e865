"""The generated page of all ops."""

from pathlib import Path

import nn.testing
from autodiff.testing.page import text

ROOT = Path(nn.__file__).parents[1]


def test_the_page_of_ops_is_up_to_date() -> None:
    """Run `python -m autodiff.testing.page docs/ops.md` when this fails."""
    assert (ROOT / "docs" / "ops.md").read_text() == text()
