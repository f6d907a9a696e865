"""`torch.cuda`, as a program on a machine without a GPU finds it."""

from __future__ import annotations

from typing import Any


def is_available() -> bool:
    return False


def is_initialized() -> bool:
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    return False


def device_count() -> int:
    return 0


def manual_seed(seed: int) -> None:
    """Nothing: there is no GPU whose stream could be seeded."""


manual_seed_all = manual_seed


def synchronize(device: Any = None) -> None:
    """Nothing: no work is under way elsewhere."""


def empty_cache() -> None:
    """Nothing: there is no memory but the CPU's."""


def memory_allocated(device: Any = None) -> int:
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def reset_peak_memory_stats(device: Any = None) -> None:
    """Nothing: there is no memory but the CPU's."""


def current_device() -> int:
    """RuntimeError: there is no GPU."""
    raise RuntimeError("expected a GPU, but this engine computes on the CPU: ask torch.cuda.is_available() first")


def set_device(device: Any) -> None:
    """RuntimeError: there is no GPU."""
    current_device()


def get_device_name(device: Any = None) -> str:
    """RuntimeError: there is no GPU."""
    return str(current_device())


__all__ = [
    "current_device", "device_count", "empty_cache", "get_device_name", "is_available", "is_bf16_supported",
    "is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated", "max_memory_reserved",
    "memory_allocated", "memory_reserved", "reset_peak_memory_stats", "set_device", "synchronize",
]  # fmt: skip
