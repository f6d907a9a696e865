"""The pytest plugin: ``--check-ops`` collects the ops that modules declare, and checks every property of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "modules whose declared differentiable ops are checked, such as my_package.ops; packages include all within"
    parser.addoption("--check-ops", nargs="+", default=None, metavar="MODULE", help=what)
    parser.addini("check_ops", what, type="args", default=[])
    parser.addoption("--check-examples", type=int, default=100, help="drawn calls for each property of an op")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    modules = config.getoption("--check-ops") or config.getini("check_ops")
    if modules:
        items.extend(_items(session, modules))


def _items(session: pytest.Session, modules: list[str]) -> Iterator[pytest.Item]:
    # Imported here, so that a run without the option does not pay for it.
    from importlib import import_module

    from autodiff.op import OPS
    from autodiff.testing.check import CONDUCT, DERIVATIVES

    for module in modules:
        import_module(module)
    found = [op for op in OPS.values() if op.differentiable and _inside(op.record.__module__, modules)]
    if not found:
        raise pytest.UsageError(f"--check-ops: no differentiable op is declared in {', '.join(modules)}")
    for op in found:
        for name, names in (("derivatives", DERIVATIVES), ("conduct", CONDUCT)):
            yield OpItem.from_parent(session, name=f"{op.record.__module__}.{op.name}[{name}]", op=op, names=names)


def _inside(module: str, modules: list[str]) -> bool:
    return any(module == m or module.startswith(m + ".") for m in modules)


class OpItem(pytest.Item):
    """The properties of one op's derivatives, or of its conduct."""

    def __init__(self, *, op: Any, names: Any, **options: Any) -> None:
        super().__init__(**options)
        self.op, self.names = op, list(names)

    def runtest(self) -> None:
        from autodiff.testing.check import examine
        from autodiff.testing.subject import subject_of_op

        examine(subject_of_op(self.op), self.names, self.config.getoption("--check-examples"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from autodiff.testing.broken import CheckError

        return str(excinfo.value) if isinstance(excinfo.value, CheckError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, self.name
