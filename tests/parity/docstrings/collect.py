"""The examples in the docstrings of PyTorch."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

# Below torch; the empty name is torch itself.
MODULES = (
    "", "autograd", "autograd.forward_ad", "autograd.function", "autograd.functional", "autograd.graph",
    "distributions", "fft", "func", "linalg", "nn", "nn.functional", "nn.init", "nn.utils",
    "nn.utils.parametrizations", "nn.utils.parametrize", "nn.utils.prune", "nn.utils.rnn", "optim",
    "optim.lr_scheduler", "optim.swa_utils", "random", "special", "testing", "utils.checkpoint", "utils.data",
)  # fmt: skip


def examples() -> list[tuple[str, list[str]]]:
    """The statements of each example, under the first name that has them."""
    found: dict[tuple[str, ...], str] = {}
    for name, doc in _docstrings():
        found.setdefault(tuple(_statements(doc)), name)
    return [(name, list(statements)) for statements, name in found.items() if statements]


def _docstrings() -> Iterator[tuple[str, str]]:
    for path in MODULES:
        module = importlib.import_module(f"torch.{path}".rstrip("."))
        for name, value in vars(module).items():
            if not name.startswith("_") and not inspect.ismodule(value):
                yield from _of(f"{module.__name__}.{name}", value)
    yield from _of("torch.Tensor", importlib.import_module("torch").Tensor)


def _of(name: str, value: Any) -> Iterator[tuple[str, str]]:
    members = {**vars(value.__base__), **vars(value)} if name == "torch.Tensor" else {}
    if inspect.isclass(value) and name != "torch.Tensor":
        members = dict(vars(value))
    for path, given in [(name, value), *((f"{name}.{k}", v) for k, v in members.items() if not k.startswith("_"))]:
        doc = getattr(getattr(given, "__func__", None) or getattr(given, "fget", None) or given, "__doc__", None)
        if isinstance(doc, str) and ">>>" in doc:
            yield path, doc


def _statements(doc: str) -> list[str]:
    """What follows the prompts; doctest's own parser refuses some of PyTorch's indents."""
    found: list[list[str]] = []
    for line in map(str.strip, textwrap.dedent(doc).splitlines()):
        if line.startswith(">>>"):
            found.append([line[4:]])
        elif line.startswith("...") and found:
            found[-1].append(line[4:])
    return ["\n".join(lines) + "\n" for lines in found]
