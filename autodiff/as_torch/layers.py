"""Layers of `torch.nn` that programs written for PyTorch need in another form, or alone."""

from __future__ import annotations

from typing import Any

import nn
from autodiff.as_torch import dropping, implied_dim
from autodiff.tensor import Tensor


class DataParallel(nn.Module):
    """A model whose batches PyTorch shares among GPUs; there being none, it is called as it is.

    >>> DataParallel(nn.Linear(2, 3)).state_dict().keys()
    dict_keys(['module.weight', 'module.bias'])
    """

    def __init__(self, module: nn.Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.module(*inputs, **options)


class Softmax(nn.Softmax):
    """`nn.Softmax`, which takes the axis that PyTorch takes where none is given."""

    def __init__(self, dim: Any = None) -> None:
        super().__init__(dim)

    def forward(self, input: Tensor) -> Tensor:
        return implied_dim.softmax(input, self.dim)


class LogSoftmax(nn.LogSoftmax):
    """`nn.LogSoftmax`, which takes the axis that PyTorch takes where none is given."""

    def __init__(self, dim: Any = None) -> None:
        super().__init__(dim)

    def forward(self, input: Tensor) -> Tensor:
        return implied_dim.log_softmax(input, self.dim)


class Softmin(nn.Softmin):
    """`nn.Softmin`, which takes the axis that PyTorch takes where none is given."""

    def __init__(self, dim: Any = None) -> None:
        super().__init__(dim)

    def forward(self, input: Tensor) -> Tensor:
        return implied_dim.softmin(input, self.dim)


class Dropout2d(nn.Dropout2d):
    """`nn.Dropout2d`, which takes what has no channels as PyTorch does."""

    def forward(self, input: Tensor) -> Tensor:
        return dropping.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(nn.Dropout3d):
    """`nn.Dropout3d`, which takes what has no channels as PyTorch does."""

    def forward(self, input: Tensor) -> Tensor:
        return dropping.dropout3d(input, self.p, self.training, self.inplace)


__all__ = ["DataParallel", "Dropout2d", "Dropout3d", "LogSoftmax", "Softmax", "Softmin"]
