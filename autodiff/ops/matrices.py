"""What the matrix ops ask of their inputs, and the error for a matrix that has no inverse or decomposition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.op import OpError, describe
from autodiff.tensor import Array, Tensor

Kernel = Callable[..., Any]


class LinAlgError(OpError, np.linalg.LinAlgError):
    """A matrix has no inverse, factor or decomposition; the message says which of a batch, and what to do."""


def transposed(x: Any) -> Any:
    """The matrices transposed; for rules, where ``.mT`` is not in the dialect."""
    return np.swapaxes(x, -1, -2)


def matrices(name: str, x: Any, dtypes: str = "fdFD") -> Tensor:
    """`x` if it holds matrices (..., m, n) of float32 or float64, else OpError."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {describe(x)}; make one with ad.tensor(...)")
    if x.array.dtype.char not in dtypes:
        raise OpError(f"{name}: expected float32 or float64, got {describe(x)}; convert it with x.float()")
    if x.array.ndim < 2:
        raise OpError(f"{name}: expected matrices (..., m, n), got {describe(x)}; add axes with x.unsqueeze(dim)")
    tensor: Tensor = x
    return tensor


def square(name: str, x: Any, dtypes: str = "fdFD") -> Tensor:
    """`x` if it holds square matrices (..., n, n) of float32 or float64, else OpError."""
    tensor = matrices(name, x, dtypes)
    if tensor.array.shape[-1] != tensor.array.shape[-2]:
        raise OpError(f"{name}: expected square matrices (..., n, n), got {describe(x)}")
    return tensor


def same_dtype(name: str, a: Tensor, b: Any) -> None:
    """OpError unless `b` is a Tensor of the dtype of `a`."""
    if not isinstance(b, Tensor) or a.dtype != b.dtype:
        raise OpError(
            f"{name}: expected tensors of the same dtype, got {describe(a)} and {describe(b)}; "
            f"convert one of them with x.to(dtype)"
        )


def same_batch(a: Tensor, b: Tensor) -> bool:
    """Whether the batch axes of two stacks of matrices are equal, or 1 in one of them."""
    pairs = zip(reversed(a.shape[:-2]), reversed(b.shape[:-2]), strict=False)
    return a.shape[:-2] == b.shape[:-2] or all(i == j or 1 in (i, j) for i, j in pairs)


def explained(kernel: Kernel, expected: str, advice: str, probe: Kernel | None = None) -> Kernel:
    """`kernel`, its LinAlgError saying which matrix of the batch is not as `expected`, and the `advice`.

    `probe` is what a single matrix is tried with to find out, `kernel` itself if that takes no more inputs.
    """

    def run(x: Array, *others: Any, **params: Any) -> Any:
        try:
            return kernel(x, *others, **params)
        except np.linalg.LinAlgError as error:
            which = _culprit(probe or (lambda one: kernel(one, **params)), x)
            raise LinAlgError(f"expected {expected}, but {which} is not one; {advice}") from error

    return run


def _culprit(probe: Kernel, x: Array) -> str:
    for place in np.ndindex(x.shape[:-2]):
        try:
            probe(x[place])
        except np.linalg.LinAlgError:
            if place:
                return f"matrix {list(place)} of the batch"
    return "the matrix"
