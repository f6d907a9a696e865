"""Functions of `torch` whose results PyTorch prints in a form of its own."""

from typing import Any

import autodiff
from autodiff.as_torch.behaviour import Size
from autodiff.as_torch.return_types import METHODS, naming

(cummax, cummin, kthvalue, max, median, min, mode, nanmedian, sort, topk, aminmax, histogram, qr, slogdet, svd) = (
    naming(name, getattr(autodiff, name)) for name in METHODS
)


def broadcast_shapes(*shapes: Any) -> Size:
    """`autodiff.broadcast_shapes` as a Size.

    >>> broadcast_shapes((2,), (3, 1))
    torch.Size([3, 2])
    """
    return Size(autodiff.broadcast_shapes(*shapes))


__all__ = [
    "aminmax", "broadcast_shapes", "cummax", "cummin", "histogram", "kthvalue", "max", "median", "min", "mode",
    "nanmedian", "qr", "slogdet", "sort", "svd", "topk",
]  # fmt: skip
