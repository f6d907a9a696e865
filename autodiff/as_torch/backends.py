"""`torch.backends`: libraries that are not here, with switches that may be set and change nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def _absent(**switches: Any) -> SimpleNamespace:
    return SimpleNamespace(is_available=lambda: False, is_built=lambda: False, **switches)


cudnn = _absent(enabled=False, benchmark=False, deterministic=True, allow_tf32=False, version=lambda: None)
cuda = _absent(matmul=SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=False))
mps, mkl, mkldnn, openmp = _absent(), _absent(), _absent(enabled=False), _absent()

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
