"""Names that stand in `torch` itself and have no place in this engine: devices, modes and compilers of PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from math import e, inf, nan, pi
from typing import Any

import numpy as np

from autodiff.as_torch.amp import autocast
from autodiff.as_torch.behaviour import Size
from autodiff.as_torch.devices import device
from autodiff.creation import tensor
from autodiff.dtypes import as_dtype, set_default_dtype
from autodiff.ops.conversion import KINDS
from autodiff.tensor import Tensor

newaxis = None
strided = "torch.strided"
contiguous_format, preserve_format, channels_last = "contiguous_format", "preserve_format", "channels_last"
memory_format = layout = str


class TypedTensor(type):
    """The class of `FloatTensor` and its kin, which make tensors of their dtype and know them as their instances.

    >>> isinstance(FloatTensor([1, 2]), FloatTensor), isinstance(FloatTensor([1, 2]), LongTensor)
    (True, False)
    """

    dtype: np.dtype[Any]

    def __call__(cls, *given: Any) -> Any:
        return tensor(given[0], dtype=cls.dtype) if _is_data(given) else Tensor(*given).to(cls.dtype)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor) and x.dtype == cls.dtype


def _is_data(given: tuple[Any, ...]) -> bool:
    return len(given) == 1 and not isinstance(given[0], int | Size)


_TYPED = {path.removeprefix("torch."): TypedTensor(path, (), {"dtype": kind}) for path, kind in KINDS.items()}
BoolTensor, ByteTensor, CharTensor, ShortTensor, IntTensor = (
    _TYPED[kind + "Tensor"] for kind in ("Bool", "Byte", "Char", "Short", "Int")
)
LongTensor, HalfTensor, FloatTensor, DoubleTensor = (
    _TYPED[kind + "Tensor"] for kind in ("Long", "Half", "Float", "Double")
)


def compile(model: Any = None, **options: Any) -> Any:
    """The model or function itself: nothing is compiled."""
    return (lambda function: function) if model is None else model


def set_default_tensor_type(t: Any) -> None:
    """`set_default_dtype` with the dtype of a class such as ``torch.DoubleTensor``, or its name."""
    set_default_dtype(KINDS[t] if isinstance(t, str) and t in KINDS else as_dtype(t))


def set_default_device(device: Any) -> None:
    """Nothing for the CPU, an error for every other device."""
    from autodiff.tensor import check_device

    check_device(device)


def get_default_device() -> device:
    return device("cpu")


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing: every op here gives the same bits for the same input."""


def are_deterministic_algorithms_enabled() -> bool:
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Nothing: products are computed in the precision of their factors."""


def get_float32_matmul_precision() -> str:
    return "highest"


def set_num_interop_threads(count: int) -> None:
    """Nothing: there are no threads between ops."""


def set_flush_denormal(mode: bool) -> bool:
    """False: that this processor mode cannot be set from here."""
    return False


def is_autocast_enabled(device_type: str | None = None) -> bool:
    return False


def typename(o: Any) -> str:
    """The name of the type of an object, as PyTorch writes it."""
    if isinstance(o, Tensor):
        return str(o.type())
    kind: Callable[..., Any] = o if isinstance(o, type) else type(o)
    return f"{kind.__module__}.{kind.__qualname__}"


__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor", "LongTensor",
    "ShortTensor", "Size", "are_deterministic_algorithms_enabled", "autocast", "channels_last", "compile",
    "contiguous_format", "device", "e", "get_default_device", "get_float32_matmul_precision", "inf",
    "is_autocast_enabled", "layout", "memory_format", "nan", "newaxis", "pi", "preserve_format", "set_default_device",
    "set_default_tensor_type", "set_float32_matmul_precision", "set_flush_denormal", "set_num_interop_threads",
    "strided", "typename", "use_deterministic_algorithms",
]  # fmt: skip
