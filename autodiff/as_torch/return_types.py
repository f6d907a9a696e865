"""`torch.return_types`: what `max`, `svd` and their kin return, each printed under the function's own name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from autodiff.ops import older_decompositions
from autodiff.ops.counting import Histogram
from autodiff.ops.decompositions import QR, SVD, Eigh
from autodiff.ops.determinants import SignLogdet
from autodiff.ops.extrema import MinMax
from autodiff.ops.least_squares import LeastSquares
from autodiff.ops.reduction import ValuesIndices
from autodiff.tensor import Tensor

CHOOSING = ("cummax", "cummin", "kthvalue", "max", "median", "min", "mode", "nanmedian", "sort", "topk")
# The named tuples of this engine by PyTorch's names for those of its functions.
TUPLES: dict[str, type[tuple[Any, ...]]] = {
    **dict.fromkeys(CHOOSING, ValuesIndices),
    "aminmax": MinMax,
    "histogram": Histogram,
    "qr": QR,
    "slogdet": SignLogdet,
    "svd": older_decompositions.SVD,
    "linalg_eigh": Eigh,
    "linalg_lstsq": LeastSquares,
    "linalg_qr": QR,
    "linalg_slogdet": SignLogdet,
    "linalg_svd": SVD,
}


class _Named:
    """The part of such a type that prints."""

    __slots__ = ()
    _fields: tuple[str, ...]

    def __repr__(self) -> str:
        entries = [f"{field}={getattr(self, field)!r}" for field in self._fields]
        return f"torch.return_types.{type(self).__name__}(\n" + ",\n".join(entries) + ")"


TYPES: dict[str, Any] = {
    name: type(name, (_Named, base), {"__slots__": (), "__module__": "torch.return_types"})
    for name, base in TUPLES.items()
}


def naming(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, giving the type `name`, unless it gives a plain tensor, as `max` without an axis does."""

    @functools.wraps(function)
    def named(*arguments: Any, **options: Any) -> Any:
        found = function(*arguments, **options)
        return TYPES[name](*found) if type(found) is TUPLES[name] else found

    return named


METHODS = {name: naming(name, getattr(Tensor, name)) for name in TUPLES if not name.startswith("linalg_")}


def __getattr__(name: str) -> Any:
    if name in TYPES:
        return TYPES[name]
    raise AttributeError(f"torch.return_types has no {name}")
