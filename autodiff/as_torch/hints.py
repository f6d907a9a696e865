"""Constructors and methods that take what programs say of memory: its layout and format, which change no number."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import autodiff as ad
from autodiff.tensor import Tensor
from nn import Module

HINTS = ("layout", "memory_format", "pin_memory")


def without_hints(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        for hint in HINTS:
            options.pop(hint, None)
        return function(*arguments, **options)

    return called


_CONSTRUCTORS = (
    "arange", "empty", "eye", "full", "linspace", "logspace", "ones", "rand", "randint", "randn", "randperm", "tensor",
    "zeros", "clone", "empty_like", "full_like", "ones_like", "rand_like", "randint_like", "randn_like", "zeros_like",
)  # fmt: skip
(
    arange, empty, eye, full, linspace, logspace, ones, rand, randint, randn, randperm, tensor, zeros, clone,
    empty_like, full_like, ones_like, rand_like, randint_like, randn_like, zeros_like,
) = (without_hints(getattr(ad, name)) for name in _CONSTRUCTORS)  # fmt: skip
_TAKING = "clone contiguous is_contiguous float double half int long new_zeros new_ones new_empty new_full new_tensor"
METHODS = {name: without_hints(getattr(Tensor, name)) for name in _TAKING.split()}
MODULE = {"to": without_hints(Module.to)}

__all__ = [
    "arange", "clone", "empty", "empty_like", "eye", "full", "full_like", "linspace", "logspace", "ones", "ones_like",
    "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "tensor", "zeros", "zeros_like",
]  # fmt: skip
