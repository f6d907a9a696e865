"""Functions of `torch.linalg` whose results PyTorch prints under names of their own."""

from autodiff import linalg
from autodiff.as_torch.return_types import naming

__all__ = ["eigh", "lstsq", "qr", "slogdet", "svd"]

eigh, lstsq, qr, slogdet, svd = (naming("linalg_" + name, getattr(linalg, name)) for name in __all__)
