"""Hypothesis profiles: `ci`, the default, draws the same examples in every run; `deep` draws many more, fresh ones.

Choose one with `pytest --hypothesis-profile=deep`. Only `deep` keeps failing examples on disk, to try them first.
"""

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("deep", settings.get_profile("default"), max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("ci")


@pytest.fixture
def no_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where an op inside vmap runs once a sample."""
    from autodiff.transforms import each_sample

    def refuse(name: str, *args: object) -> None:
        raise AssertionError(f"{name} runs in a loop")

    monkeypatch.setattr(each_sample, "_in_a_loop", refuse)
