"""Softmax without `dim`: PyTorch guesses one, where this engine asks for it."""

from __future__ import annotations

import warnings
from typing import Any

from autodiff.tensor import Tensor
from nn import functional


def implied_dim(name: str, x: Tensor, dim: int | None) -> int:
    """The axis that PyTorch takes where none is given: 0 for tensors of 0, 1 or 3 axes, else 1; with its warning."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if x.ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """`nn.functional.softmax`, along the axis that PyTorch takes where none is given."""
    return functional.softmax(input, implied_dim("softmax", input, dim), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """`nn.functional.log_softmax`, along the axis that PyTorch takes where none is given."""
    return functional.log_softmax(input, implied_dim("log_softmax", input, dim), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """`nn.functional.softmin`, along the axis that PyTorch takes where none is given."""
    return functional.softmin(input, implied_dim("softmin", input, dim), dtype)


__all__ = ["log_softmax", "softmax", "softmin"]
