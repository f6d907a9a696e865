"""`torch.jit` and `torch.compiler`: models and functions as they are, nothing is compiled."""

from __future__ import annotations

from typing import Any, Final

from nn import Module as ScriptModule


def script(obj: Any, *arguments: Any, **options: Any) -> Any:
    """The object itself."""
    return obj


trace = script_method = ignore = unused = export = disable = script


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value, whose type a compiler would have been told."""
    return the_value


def is_scripting() -> bool:
    return False


is_tracing = is_compiling = is_scripting

__all__ = [
    "Final", "ScriptModule", "annotate", "disable", "export", "ignore", "is_compiling", "is_scripting", "is_tracing",
    "script", "script_method", "trace", "unused",
]  # fmt: skip
