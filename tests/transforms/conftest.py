import pytest

from autodiff.transforms import each_sample


@pytest.fixture
def no_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where an op runs once a sample."""

    def refuse(name: str, *args: object) -> None:
        raise AssertionError(f"{name} runs in a loop")

    monkeypatch.setattr(each_sample, "_in_a_loop", refuse)
