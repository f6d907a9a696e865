"""Programs written for PyTorch, unchanged, on this engine: ``python -m autodiff.as_torch script.py arguments``.

`install` does the same inside a program: from then on ``import torch`` finds this engine under PyTorch's names. What is
not there fails at the line that uses it, with its name. Nothing imports this package but who asks for it.
"""

from autodiff.as_torch.modules import install

__all__ = ["install"]
