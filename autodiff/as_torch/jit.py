"""`torch.jit`: models and functions as they are, nothing is compiled."""

from __future__ import annotations

from typing import Any


def script(obj: Any, *arguments: Any, **options: Any) -> Any:
    """The object itself."""
    return obj


trace = script_method = ignore = unused = export = script


def is_scripting() -> bool:
    return False


is_tracing = is_scripting

__all__ = ["export", "ignore", "is_scripting", "is_tracing", "script", "script_method", "trace", "unused"]
