"""What `torch.nn` has for several devices: with the CPU alone, the model itself under another name."""

from __future__ import annotations

from typing import Any

import nn


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


__all__ = ["DataParallel"]
