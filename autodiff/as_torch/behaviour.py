"""What a program written for PyTorch sees of a tensor where this engine speaks Python's or NumPy's language."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from autodiff import formatting
from autodiff.as_torch import grad_fn, hints, return_types
from autodiff.as_torch.devices import device
from autodiff.as_torch.dtypes import dtype, dtype_of
from autodiff.graph import Node
from autodiff.random import Generator
from autodiff.tensor import Tensor, wrap
from autodiff.writes import owner
from nn import Module, Parameter


class Size(tuple[int, ...]):
    """A shape: a tuple that prints as PyTorch's, and stays one when it is sliced or joined.

    >>> Size([2, 3])[:1] + (4,), Size([2, 3]).numel()
    (torch.Size([2, 4]), 6)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, other))

    def __mul__(self, count: Any) -> Any:
        return Size(tuple.__mul__(self, count))

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        count = 1
        for length in self:
            count *= length
        return count


def _size(x: Tensor, dim: int | None = None) -> Any:
    return Size(x.array.shape) if dim is None else x.array.shape[dim]


def _itself(x: Tensor, *arguments: Any, **options: Any) -> Tensor:
    return x


def _unseen(x: Tensor) -> Tensor:
    """``x.data``: the same memory, to which writes go unnoticed: for the log of writes it is memory of its own."""
    return wrap(np.asarray(memoryview(x.array)))  # type: ignore[arg-type]


def _storage(x: Tensor) -> Tensor:
    """All memory that `x` may lie in, as one axis."""
    return wrap(owner(x.array).ravel(order="K"))


def _of_sparse_tensors(x: Tensor) -> Any:
    raise RuntimeError("expected a sparse tensor, which this engine does not have, got a dense one")


def _new(x: Tensor, *given: Any) -> Tensor:
    """An empty tensor of a shape, or one of numbers, of the dtype of `x`."""
    sizes = len(given) != 1 or isinstance(given[0], int | Size)
    return x.new_empty(*given or (0,)) if sizes else x.new_tensor(given[0])


def _no_gpu(x: Any, *arguments: Any, **options: Any) -> Any:
    raise AssertionError("Torch not compiled with CUDA enabled: this engine computes on the CPU, use .to('cpu')")


# Attributes of Tensor that only programs written for PyTorch need, or need in another form.
TENSOR: dict[str, Any] = {
    "shape": property(lambda x: Size(x.array.shape)),
    "size": _size,
    "data": property(_unseen, Tensor.data.fset),  # type: ignore[attr-defined]
    "device": property(lambda x: device("cpu")),
    "dtype": property(dtype_of),
    "is_cuda": property(lambda x: False),
    "is_cpu": property(lambda x: True),
    "is_sparse": property(lambda x: False),
    "is_mps": property(lambda x: False),
    "is_meta": property(lambda x: False),
    "is_quantized": property(lambda x: False),
    "layout": property(lambda x: "torch.strided"),
    "cuda": _no_gpu,
    "pin_memory": _itself,
    "is_pinned": lambda x: False,
    "share_memory_": _itself,
    "get_device": lambda x: -1,
    "data_ptr": lambda x: x.array.ctypes.data,
    "storage": _storage,
    "new": _new,
    "is_shared": lambda x: False,
    "is_same_size": lambda x, other: x.shape == other.shape,
    "is_nonzero": lambda x: bool(x),
    "real": property(lambda x: x),
    "conj": _itself,
    "indices": _of_sparse_tensors,
    "values": _of_sparse_tensors,
    **hints.METHODS,
    **return_types.METHODS,
}


def _hooks(kind: str) -> property:
    """The hooks of a module of one kind, as it keeps them."""
    return property(lambda module: {} if module._call_hooks is None else getattr(module._call_hooks, kind))


# The same of Module.
MODULE: dict[str, Any] = {
    **hints.MODULE,
    "_get_name": lambda module: type(module).__name__,
    "_forward_hooks": _hooks("forward"),
    "_forward_pre_hooks": _hooks("forward_pre"),
    "_backward_hooks": _hooks("backward"),
    "_backward_pre_hooks": _hooks("backward_pre"),
}


def ordered(state_dict: Callable[..., Any]) -> Callable[..., Any]:
    """`Module.state_dict`, which gives an OrderedDict."""

    @wraps(state_dict)
    def given(module: Any, *, destination: Any = None, **options: Any) -> Any:
        return state_dict(module, destination=OrderedDict() if destination is None else destination, **options)

    return given


def adopt() -> None:
    """Give tensors, the nodes of their graph, modules and what is printed the forms that PyTorch gives them."""
    for name, attribute in TENSOR.items():
        setattr(Tensor, name, attribute)
    for name, attribute in grad_fn.NODE.items():
        setattr(Node, name, attribute)
    for name, attribute in MODULE.items():
        setattr(Module, name, attribute)
    Generator.device = device("cpu")
    Module.state_dict = ordered(Module.state_dict)  # type: ignore[method-assign]
    # Programs print types, and other libraries know tensors by the names of theirs.
    Tensor.__module__ = Size.__module__ = device.__module__ = dtype.__module__ = "torch"
    Parameter.__module__ = "torch.nn.parameter"
    formatting.DTYPE_PREFIX = "torch."
