"""`torch.accelerator`, as a program on a machine without one finds it."""

from __future__ import annotations

from typing import Any


def is_available() -> bool:
    return False


def device_count() -> int:
    return 0


def current_accelerator(check_available: bool = False) -> None:
    return None


def synchronize(device: Any = None) -> None:
    """Nothing: no work is under way elsewhere."""


__all__ = ["current_accelerator", "device_count", "is_available", "synchronize"]
