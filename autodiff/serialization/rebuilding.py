"""What a file of PyTorch may name: storages, tensors made of them, and plain containers. Nothing else."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autodiff.dtypes import SUPPORTED, DType
from autodiff.serialization.bfloat16 import widened
from autodiff.serialization.unpickler import Admitted, set_items
from autodiff.tensor import Array, Tensor, wrap

# The dtypes as they lie in a file. A bool is any byte, and bfloat16 comes as its bits.
STORAGES: Mapping[str, str] = {
    "torch.BoolStorage": "u1", "torch.ByteStorage": "u1", "torch.CharStorage": "i1", "torch.ShortStorage": "<i2",
    "torch.IntStorage": "<i4", "torch.LongStorage": "<i8", "torch.HalfStorage": "<f2", "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8", "torch.BFloat16Storage": "<u2", "torch.storage.UntypedStorage": "u1",
}  # fmt: skip
_DTYPES: dict[str, DType] = {f"torch.{dtype}": dtype for dtype in SUPPORTED}
_ABSENT = re.compile(r"torch\.(bfloat16|uint(16|32|64)|complex\d+|float[48]_\w+|q\w*int\d+\w*|\w+Storage)")


class Storage:
    """The numbers that tensors are views of."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array


def numbers(kind: str, raw: Array) -> Array:
    """What the bytes of a storage are as an array of its dtype."""
    if kind == "torch.BoolStorage":
        return np.not_equal(raw, 0)  # a bool that is 2 is nonsense to NumPy
    if kind == "torch.BFloat16Storage":
        return widened(raw)
    return raw.astype(raw.dtype.name)


def absent_dtype(name: str) -> TypeError:
    """The error for a dtype that the engine lacks."""
    return TypeError(f"it has numbers of {name}, which this engine does not have; convert them to float32 with PyTorch")


def names(spend: Callable[[int], None]) -> Callable[[str], Any]:
    """What each name stands for; `spend` is told how much is copied. ValueError for any other name."""

    def ordered(items: Any = ()) -> OrderedDict[Any, Any]:
        made: OrderedDict[Any, Any] = OrderedDict()
        spend(len(items))
        set_items(made, items)
        return made

    def elements(items: Any = ()) -> set[Any]:
        return set(ordered([(item, None) for item in items]))

    def size(lengths: Any) -> tuple[Any, ...]:
        spend(len(lengths))
        return tuple(lengths)

    def encoded(text: Any, encoding: Any) -> bytes:
        if type(text) is not str or encoding != "latin1":
            raise ValueError("bytes that are not as Python writes them")
        spend(len(text))
        return text.encode("latin1")

    def no_bytes(*arguments: Any) -> bytes:
        if arguments:
            raise ValueError("bytes that are not as Python writes them")
        return b""

    functions: dict[str, Callable[..., Any]] = {
        "torch._utils._rebuild_tensor": rebuilt,
        "torch._utils._rebuild_tensor_v2": rebuilt,
        "torch._utils._rebuild_parameter": _parameter,
        "torch.Size": size,
        "collections.OrderedDict": ordered,
        "builtins.set": elements,
        "builtins.bytes": no_bytes,
        "_codecs.encode": encoded,
    }
    # What makes tensors of the dtypes that only PyTorch has is not called: the dtype is named before.
    uncalled = {name: Admitted(name) for name in (*STORAGES, "torch._utils._rebuild_tensor_v3")}
    known: dict[str, Any] = {**_DTYPES, **uncalled}
    known |= {name: Admitted(name, function) for name, function in functions.items()}

    def named(name: str) -> Any:
        name = name.replace("__builtin__.", "builtins.")
        if name in known:
            return known[name]
        if _ABSENT.fullmatch(name):
            raise absent_dtype(name)
        raise ValueError(
            f"it asks for {name:.100}, which is no tensor and no plain container and may be code, so it is not read; "
            f"save tensors alone with PyTorch, for example model.state_dict()"
        )

    return named


def rebuilt(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """A tensor on the memory of a storage: strides and offset in elements. ValueError if it would leave it."""
    if type(storage) is not Storage or type(size) is not tuple or type(stride) is not tuple:
        raise ValueError("a tensor that is not as PyTorch writes them")
    if hooks or metadata or len(size) != len(stride) or len(size) > 32:
        raise ValueError("a tensor with hooks, or with more dimensions than strides")
    for value in (offset, *size, *stride):
        if type(value) is not int or not 0 <= value < 2**62:
            raise ValueError(f"a tensor with {value!r:.50} as offset, length or stride")
    array = storage.array
    needed = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) + 1
    if 0 in size:
        view = np.empty(size, array.dtype)
    elif needed > array.size:
        raise ValueError(f"a tensor of {needed} numbers in a storage of {array.size}")
    else:
        steps = [step * array.itemsize for step in stride]
        view = np.ndarray(size, array.dtype, array, offset * array.itemsize, steps)
    return _leaf(view, requires_grad)


def _parameter(data: Any, requires_grad: Any = True, hooks: Any = None) -> Tensor:
    if not isinstance(data, Tensor) or hooks:
        raise ValueError("a parameter that is not as PyTorch writes them")
    return _leaf(data.array, requires_grad)


def _leaf(array: Array, requires_grad: Any) -> Tensor:
    if requires_grad is True and array.dtype.kind != "f":
        raise ValueError(f"a tensor of {array.dtype} that requires grad")
    return wrap(array).requires_grad_(requires_grad is True)
