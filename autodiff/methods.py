"""The composition root: puts operators, methods and NumPy's dispatch on Tensor.

`python -m autodiff.methods` writes `_signatures.pyi`, the stub that types what is put there.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from autodiff import inplace
from autodiff.backward import tensor_backward
from autodiff.op import NUMPY
from autodiff.ops import (
    arithmetic,
    comparison,
    conversion,
    exponential,
    indexing,
    joining,
    linear_algebra,
    reduction,
    selection,
    shape,
    softmax,
    trigonometric,
)
from autodiff.tensor import Tensor

METHODS: dict[ModuleType, str] = {
    arithmetic: "abs add ceil clamp clip div floor floor_divide fmod maximum minimum mul neg pow reciprocal remainder "
    "positive round rsqrt sign sqrt square sub trunc",
    exponential: "exp exp2 expm1 log log10 log1p log2 logaddexp relu sigmoid tanh",
    trigonometric: "acos acosh asin asinh atan atan2 atanh cos cosh sin sinh tan",
    comparison: "allclose bitwise_and bitwise_not bitwise_or bitwise_xor eq equal ge gt isfinite isinf isnan le "
    "logical_and logical_not logical_or logical_xor lt ne",
    selection: "masked_fill nonzero",
    conversion: "clone contiguous cpu double float half int long to type_as",
    reduction: "all amax amin any argmax argmin cumsum logsumexp max mean min std sum var",
    shape: "broadcast_to expand expand_as flatten flip movedim permute ravel reshape reshape_as squeeze swapaxes "
    "swapdims t transpose tril triu unflatten unsqueeze view view_as",
    indexing: "gather index_select narrow select take_along_dim",
    joining: "chunk split unbind",
    linear_algebra: "bmm dot matmul mm mv outer",
    softmax: "log_softmax softmax",
    inplace: "add_ bernoulli_ copy_ div_ fill_ mul_ normal_ sub_ uniform_ zero_",
}
# Methods that go by another name than their function, operators included.
RENAMED: dict[str, Callable[..., Any]] = {
    "backward": tensor_backward,
    "bool": conversion.bool_,
    "__add__": arithmetic._add,
    "__sub__": arithmetic._sub,
    "__mul__": arithmetic.mul,
    "__truediv__": arithmetic._div,
    "__floordiv__": arithmetic.floor_divide,
    "__mod__": arithmetic.remainder,
    "__pow__": arithmetic.pow,
    "__matmul__": linear_algebra.matmul,
    "__and__": comparison.bitwise_and,
    "__or__": comparison.bitwise_or,
    "__xor__": comparison.bitwise_xor,
    "__lt__": comparison.lt,
    "__le__": comparison.le,
    "__gt__": comparison.gt,
    "__ge__": comparison.ge,
    "__neg__": arithmetic.neg,
    "__pos__": arithmetic.positive,
    "__abs__": arithmetic.abs,
    "__invert__": comparison.bitwise_not,
    "__getitem__": indexing.getitem,
    "__setitem__": inplace.setitem,
    "__iadd__": inplace.add_,
    "__isub__": inplace.sub_,
    "__imul__": inplace.mul_,
    "__itruediv__": inplace.div_,
}
REFLECTED = "add sub mul truediv floordiv mod pow matmul and or xor"
PROPERTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "T": lambda x: shape.permute(x, tuple(reversed(range(x.ndim)))),
    "mT": lambda x: shape.transpose(x, -2, -1),
}


def _reflected(function: Callable[..., Tensor]) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: function(other, self)


def _or_false(compare: Callable[..., Tensor]) -> Callable[[Tensor, Any], Any]:
    """Comparing with None or a string is False (or True for !=), as everywhere in Python, and not an error."""
    known = (Tensor, np.ndarray, np.generic, int, float)
    return lambda self, other: compare(self, other) if isinstance(other, known) else NotImplemented


def _array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy's ufuncs do when a Tensor is among their inputs."""
    record = NUMPY.get(ufunc)
    if record is None or method != "__call__" or options:
        what = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        extra = f" with {', '.join(options)}" if options else ""
        raise TypeError(
            f"{what}{extra} has no derivative here, so it would detach silently; use x.detach().numpy() where no "
            f"gradient is needed, or compose it from the ops of autodiff"
        )
    return record(*inputs)


def _array_function(self: Tensor, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """What NumPy's other functions do when a Tensor is among their arguments."""
    ours = NUMPY.get(function)
    if ours is None:
        raise TypeError(
            f"np.{function.__name__} has no derivative here, so it would detach silently; use x.detach().numpy() "
            f"where no gradient is needed, or compose it from the ops of autodiff"
        )
    return ours(*args, **kwargs)


PROTOCOLS: dict[str, Callable[..., Any]] = {
    "__eq__": _or_false(comparison.eq),
    "__ne__": _or_false(comparison.ne),
    "__array_ufunc__": _array_ufunc,
    "__array_function__": _array_function,
}


def install() -> None:
    """Put everything on Tensor; `autodiff` does so once when it is imported."""
    for family, names in METHODS.items():
        for name in names.split():
            setattr(Tensor, name, getattr(family, name))
    for name, function in RENAMED.items():
        setattr(Tensor, name, function)
    for name in REFLECTED.split():
        setattr(Tensor, f"__r{name}__", _reflected(RENAMED[f"__{name}__"]))
    for name, protocol in PROTOCOLS.items():
        setattr(Tensor, name, protocol)
    for name, get in PROPERTIES.items():
        setattr(Tensor, name, property(get))
