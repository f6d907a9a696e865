"""Dropout of channels where none are meant: PyTorch guesses which axes are samples and channels, and warns."""

from __future__ import annotations

import math
import warnings

from autodiff.tensor import Tensor
from nn import functional


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`nn.functional.dropout2d`, also of inputs that have neither 3 nor 4 dimensions."""
    if input.ndim in (3, 4):
        return functional.dropout2d(input, p, training, inplace)
    if input.ndim < 2:
        raise RuntimeError(f"dropout2d expected an input of at least 2 dimensions, got shape {input.shape}")
    return _guessed("dropout2d", 2, input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`nn.functional.dropout3d`, also of inputs that have neither 4 nor 5 dimensions."""
    if input.ndim in (4, 5):
        return functional.dropout3d(input, p, training, inplace)
    return _guessed("dropout3d", 1, input, p, training, inplace)


def _guessed(name: str, axes: int, input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    """Dropped or kept as one: what has the same place in the first `axes` axes."""
    warnings.warn(f"{name}: Received a {input.ndim}-D input; use dropout for elements", stacklevel=3)
    channels, length = math.prod(input.shape[:axes]), math.prod(input.shape[axes:])
    return functional.dropout1d(input.reshape(1, channels, length), p, training, inplace).reshape(input.shape)


__all__ = ["dropout2d", "dropout3d"]
