"""`torch.return_types`: what `max`, `sort` and their kin return for an axis, each printed under its own name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from autodiff.ops.reduction import ValuesIndices
from autodiff.tensor import Tensor

NAMES = ("cummax", "cummin", "kthvalue", "max", "median", "min", "mode", "nanmedian", "sort", "topk")


class _Named(ValuesIndices):
    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.return_types.{type(self).__name__}(\nvalues={self.values!r},\nindices={self.indices!r})"


TYPES: dict[str, Any] = {
    name: type(name, (_Named,), {"__slots__": (), "__module__": "torch.return_types"}) for name in NAMES
}


def naming(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def named(*arguments: Any, **options: Any) -> Any:
        found = function(*arguments, **options)
        return TYPES[name](*found) if type(found) is ValuesIndices else found

    return named


METHODS = {name: naming(name, getattr(Tensor, name)) for name in NAMES}


def __getattr__(name: str) -> Any:
    if name in TYPES:
        return TYPES[name]
    raise AttributeError(f"torch.return_types has no {name}")
