"""`torch.nn.attention`: which of PyTorch's kernels computes attention; there is one here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

SDPBackend = Enum("SDPBackend", "MATH FLASH_ATTENTION EFFICIENT_ATTENTION CUDNN_ATTENTION OVERRIDEABLE", start=0)


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """Nothing: the result is the same."""
    yield


__all__ = ["SDPBackend", "sdpa_kernel"]
