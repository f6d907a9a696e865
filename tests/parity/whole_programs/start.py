"""Start a program on PyTorch or on this engine, the generators of Python, NumPy and PyTorch being seeded."""

import os
import random
import runpy
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from typing import Any

import numpy as np


class Nothing(Loader):
    """An empty module: torchvision's wheels are built for another PyTorch, and what registers its kernels fails."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "torchvision._meta_registrations" else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: object) -> None:
        pass


def disturb(torch: Any) -> None:
    """Let whatever is optimised start from values that are off by their last digit."""
    generator = torch.Generator().manual_seed(0)
    plain = torch.optim.Optimizer.__init__
    digit = torch.finfo(torch.get_default_dtype()).eps

    def disturbed(optimizer: Any, *arguments: Any, **options: Any) -> None:
        plain(optimizer, *arguments, **options)
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.data.mul_(1 + digit * torch.randn(p.shape, generator=generator))

    torch.optim.Optimizer.__init__ = disturbed


def main() -> None:
    library, program, *arguments = sys.argv[1:]
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the stream that programs use
    if library == "autodiff":
        from autodiff.as_torch import install

        install()
    else:
        sys.meta_path.insert(0, Nothing())
    import torch

    torch.manual_seed(0)
    if os.environ["DOUBLE"]:
        torch.set_default_dtype(torch.float64)
    if os.environ["DISTURBED"]:
        disturb(torch)
    sys.argv = [program, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
