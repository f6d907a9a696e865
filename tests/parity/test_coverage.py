"""PyTorch's public functions, layers and methods, listed from PyTorch itself: which are compared, absent, and why."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import autodiff as ad
import nn

FOLDER = Path(__file__).parent
ABSENT: dict[str, str] = tomllib.loads((FOLDER / "absent.toml").read_text())
SOURCES = "\n".join(path.read_text() for path in FOLDER.glob("test_*.py") if path.name != Path(__file__).name)
NAMESPACES: dict[str, tuple[Any, Any]] = {
    "torch": (torch, ad),
    "Tensor": (torch.Tensor, ad.Tensor),
    "linalg": (torch.linalg, ad.linalg),
    "special": (torch.special, ad.special),
    "random": (torch.random, ad.random),
    "Generator": (torch.Generator, ad.Generator),
    "autograd": (torch.autograd, ad.autograd),
    "autograd.functional": (torch.autograd.functional, ad.autograd.functional),
    "func": (torch.func, ad.func),
    "nn": (torch.nn, nn),
    "Module": (torch.nn.Module, nn.Module),
    "ModuleDict": (torch.nn.ModuleDict, nn.ModuleDict),
    "ParameterDict": (torch.nn.ParameterDict, nn.ParameterDict),
    "nn.functional": (torch.nn.functional, nn.functional),
    "nn.init": (torch.nn.init, nn.init),
    "nn.utils": (torch.nn.utils, nn.utils),
    "nn.utils.rnn": (torch.nn.utils.rnn, nn.utils.rnn),
    "nn.utils.parametrize": (torch.nn.utils.parametrize, nn.utils.parametrize),
    "nn.utils.parametrizations": (torch.nn.utils.parametrizations, nn.utils.parametrizations),
}
OF_LAYERS = "layers and losses, and functions of them, live in nn"


def names(namespace: Any) -> list[str]:
    """The public functions of a namespace of PyTorch, and of its layers the classes too."""
    found = []
    for name in dir(namespace):
        value = getattr(namespace, name)
        if name.startswith("_") or not callable(value):
            continue
        # What a file imports for its own use, from typing or from elsewhere in PyTorch, is no name of the namespace.
        home = getattr(value, "__module__", None) or "torch"
        if isinstance(value, type) and not home.startswith("torch.nn"):
            continue
        if home.startswith("torch") and "_jit_internal" not in home and "torch.overrides" not in home:
            found.append(name)
    return found


def attributes(namespace: Any) -> list[str]:
    """What is public and neither a function nor a module."""
    found = [name for name in dir(namespace) if not name.startswith("_")]
    return [n for n in found if not callable(x := getattr(namespace, n)) and not isinstance(x, ModuleType)]


def compared(name: str) -> bool:
    """Whether a test of parity speaks of the name: used, defined, in a list of names, or without its dimensions."""
    if re.search(rf"(\.{name}\b|def {name}\(|[\"'\s]{name}[\"'\s])", SOURCES):
        return True
    return name[-2:] in ("1d", "2d", "3d") and re.search(rf"\b{name[:-2]}[\"'{{]", SOURCES) is not None


def why_absent(name: str) -> str | None:
    return next((why for why, patterns in ABSENT.items() if any(re.fullmatch(p, name) for p in patterns.split())), None)


@pytest.mark.parametrize("where", NAMESPACES)
def test_every_function_of_pytorch_is_compared_or_its_absence_explained(
    where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs, ours = NAMESPACES[where]
    here = [name for name in names(theirs) if hasattr(ours, name)]
    reasons: dict[str, list[str]] = {}
    for name in set(names(theirs)) - set(here):
        reasons.setdefault(why_absent(name) or "NO REASON", []).append(name)
    with capsys.disabled():
        print(f"\n{where}: {len(here)} of {len(names(theirs))} functions are here: {' '.join(here)}")
        for why, absent in sorted(reasons.items()):
            print(f"  {len(absent)} absent, {why}: {' '.join(sorted(absent))}")
    assert "NO REASON" not in reasons
    # Those that would give complex numbers are here only to say so.
    outside = next(why for why in ABSENT if "complex" in why)
    assert [name for name in here if not compared(name) and why_absent(name) != outside] == []


@pytest.mark.parametrize("where", ["torch", "Tensor"])
def test_every_attribute_of_pytorch_is_here_or_its_absence_explained(where: str) -> None:
    theirs, ours = NAMESPACES[where]
    assert [name for name in attributes(theirs) if not hasattr(ours, name) and why_absent(name) is None] == []


def test_every_reason_is_true() -> None:
    """No pattern without a name that is absent somewhere; what is said to live in nn does so."""
    absent = {
        name
        for where, (theirs, ours) in NAMESPACES.items()
        for name in names(theirs) + (attributes(theirs) if where in ("torch", "Tensor") else [])
        if not hasattr(ours, name)
    }
    patterns = [pattern for text in ABSENT.values() for pattern in text.split()]
    assert [p for p in patterns if not any(re.fullmatch(p, name) for name in absent)] == []
    of_layers = [name for name in absent if why_absent(name) == OF_LAYERS]
    assert [name for name in of_layers if not hasattr(nn.functional, name)] == []
