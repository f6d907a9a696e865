"""Functions of `torch` whose results PyTorch prints under a name of their own."""

import autodiff
from autodiff.as_torch.return_types import NAMES, naming

cummax, cummin, kthvalue, max, median, min, mode, nanmedian, sort, topk = (
    naming(name, getattr(autodiff, name)) for name in NAMES
)

__all__ = ["cummax", "cummin", "kthvalue", "max", "median", "min", "mode", "nanmedian", "sort", "topk"]
