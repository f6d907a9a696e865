"""The dtypes as programs written for PyTorch print and compare them: ``torch.float32`` in the place of NumPy's."""

from __future__ import annotations

import sys
from typing import Any

import autodiff
from autodiff import dtypes
from autodiff.tensor import Tensor

# These read the dtype of a tensor as NumPy's, which they compare by identity: in 17 ns. To compare NumPy's with the
# objects below, which are equal to it, takes 1,300, and would be done for every edge of a pass.
_ENGINE = ("autodiff", "nn", "optim", "numpy")


class dtype:
    """A dtype of NumPy's under PyTorch's name, equal to it and taken wherever it is.

    >>> import numpy as np
    >>> float32, float32 == np.dtype("float32"), float32.itemsize, float32.is_floating_point
    (torch.float32, True, 4, True)
    """

    def __init__(self, of_numpy: dtypes.DType) -> None:
        # NumPy itself reads this attribute of whatever is given to it as a dtype.
        self.dtype = of_numpy

    @property
    def is_floating_point(self) -> Any:
        return self.dtype.kind == "f"

    @property
    def is_complex(self) -> Any:
        return False

    @property
    def is_signed(self) -> Any:
        return self.dtype.kind in "if"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dtype, name)

    def __eq__(self, other: object) -> Any:
        return self.dtype == (other.dtype if isinstance(other, dtype) else other)

    def __hash__(self) -> Any:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return f"torch.{self.dtype}"

    def __reduce__(self) -> tuple[Any, ...]:
        return named, (self.dtype,)


_NAMED = {of_numpy: dtype(of_numpy) for of_numpy in dtypes.SUPPORTED}
bool, uint8, int8, int16, int32, int64, float16, float32, float64 = _NAMED.values()


class Outside:
    """A dtype that this engine has not: programs may name it, as in a table of dtypes, but not use it.

    >>> bfloat16, bfloat16 == float32
    (torch.bfloat16, False)
    """

    is_floating_point, is_complex, is_signed = True, False, True

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


bfloat16 = Outside("bfloat16")
short, int, long, half, float, double = int16, int32, int64, float16, float32, float64


def named(of_numpy: Any) -> dtype:
    """The one object that stands for a dtype in the program."""
    return _NAMED[of_numpy]


def dtype_of(x: Tensor) -> Any:
    """``x.dtype``: PyTorch's name for the program, NumPy's for the engine."""
    found = x.array.dtype
    reader = str(sys._getframe(1).f_globals.get("__name__"))
    return found if reader.partition(".")[0] in _ENGINE else _NAMED.get(found, found)


def get_default_dtype() -> dtype:
    """The dtype of new floating-point tensors."""
    return named(dtypes.get_default_dtype())


def promote_types(type1: Any, type2: Any) -> dtype:
    """The smallest dtype that both fit."""
    return named(dtypes.promote_types(dtypes.as_dtype(type1), dtypes.as_dtype(type2)))


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype of a computation with both."""
    return named(autodiff.result_type(tensor1, tensor2))


__all__ = [
    "bfloat16",
    "bool",
    "double",
    "dtype",
    "float",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "half",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "promote_types",
    "result_type",
    "short",
    "uint8",
]  # fmt: skip
