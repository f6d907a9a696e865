"""PyTorch's public functions and Tensor methods, listed from PyTorch itself: which are compared, absent, and why."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

import autodiff as ad

FOLDER = Path(__file__).parent
ABSENT: dict[str, str] = tomllib.loads((FOLDER / "absent.toml").read_text())
SOURCES = "\n".join(path.read_text() for path in FOLDER.glob("test_*.py") if path.name != Path(__file__).name)
NAMESPACES: dict[str, tuple[Any, Any]] = {
    "torch": (torch, ad),
    "Tensor": (torch.Tensor, ad.Tensor),
    "linalg": (torch.linalg, getattr(ad, "linalg", None)),
    "special": (torch.special, getattr(ad, "special", None)),
}


def names(namespace: Any) -> list[str]:
    """The public functions of a namespace of PyTorch."""
    found = [name for name in dir(namespace) if not name.startswith("_")]
    return [name for name in found if callable(value := getattr(namespace, name)) and not isinstance(value, type)]


def compared(name: str) -> bool:
    """Whether a test of parity speaks of the name: as an attribute, or in a list of names."""
    return re.search(rf"(\.{name}\b|[\"'\s]{name}[\"'\s])", SOURCES) is not None


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
    # Those of which a reason says that they have files of their own are compared there, in programs; those that would
    # give complex numbers are here only to say so.
    elsewhere = [why for why in ABSENT if "files of their own" in why or "complex" in why]
    assert [name for name in here if not compared(name) and why_absent(name) not in elsewhere] == []
