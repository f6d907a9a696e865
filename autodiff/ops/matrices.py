"""What the matrix ops ask of their inputs, and the error for a matrix that has no inverse or decomposition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.op import OpError, describe
from autodiff.ops.blocks import BLOCK
from autodiff.tensor import Array, Tensor
from autodiff.threads import share

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


def by_pieces(function: Kernel, *cores: int) -> Kernel:
    """`function` on stacks of matrices, large stacks piece by piece and shared with other threads.

    `cores` says of each input how many of its last axes are those of one matrix; the others must be equal in all arrays
    for the stack to be taken apart, along the first of them. What is no array is handed on as it is.
    """

    def run(*args: Any, **params: Any) -> Any:
        first = args[0]
        if first.ndim == cores[0] or len(first) == 1:
            return function(*args, **params)
        size = max((v.size for v in args if isinstance(v, np.ndarray)), default=0)
        if size <= BLOCK or not _stacked_alike(args, cores):
            return function(*args, **params)
        step = max(1, len(first) * BLOCK // size)
        pieces: list[Any] = [None] * -(-len(first) // step)

        def work(i: int) -> None:
            at = slice(i * step, (i + 1) * step)
            pieces[i] = function(*(v[at] if isinstance(v, np.ndarray) else v for v in args), **params)

        share(work, len(pieces))
        return np.concatenate(pieces)

    return run


def _stacked_alike(args: tuple[Any, ...], cores: tuple[int, ...]) -> bool:
    if any(hasattr(v, "each_sample") for v in args):
        return False
    stacks = {v.shape[: v.ndim - core] for v, core in zip(args, cores, strict=True) if isinstance(v, np.ndarray)}
    return len(stacks) == 1


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
