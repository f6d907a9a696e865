"""The functions of PyTorch that write into their first argument, ``torch.relu_(x)``: the methods of the same name."""

from __future__ import annotations

from typing import Any

from autodiff.tensor import Tensor


def __getattr__(name: str) -> Any:
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        return getattr(Tensor, name)
    raise AttributeError(f"Tensor has no method {name}")
