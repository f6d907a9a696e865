"""More entries, or fewer, at both ends of the last axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.op import OpError, Recorder, describe
from autodiff.recorders import operation
from autodiff.tensor import Array, Tensor
from nn.functional.resampling import Table, resample

Widths = tuple[tuple[int, int], ...]


def _inside(x: Any, widths: Widths) -> tuple[Any, ...]:
    """The slices of the last axes where the entries stand that were there before."""
    each = zip(widths, x.shape[x.ndim - len(widths) :], strict=True)
    return (..., *(slice(before, length - after) for (before, after), length in each))


def _pad_kernel(x: Array, widths: Widths, value: Any) -> Array:
    first = x.ndim - len(widths)
    grown = (n + before + after for n, (before, after) in zip(x.shape[first:], widths, strict=True))
    shape = (*x.shape[:first], *grown)
    out = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)
    out[_inside(out, widths)] = x
    return out


constant_pad: Recorder = operation(
    "constant_pad",
    _pad_kernel,
    vjp=lambda g, y, x, widths, value: g[_inside(g, widths)],
    batched=_pad_kernel,
    doc="The last axes with so many entries of a value before and after.",
)


def _index(length: int, before: int, after: int, mode: str) -> Array:
    """Which entries of an axis stand in its place, with some of them again on both sides."""
    most = {"reflect": length - 1, "circular": length}.get(mode, max(before, after))
    if max(before, after) > most:
        raise OpError(
            f"expected at most {most} entries of {mode} padding for {length} entries, got {before} and {after}"
        )
    index = np.arange(-before, length + after)
    if mode == "reflect":
        return np.asarray(length - 1 - np.abs(length - 1 - np.abs(index)))
    return np.asarray(index % length if mode == "circular" else np.clip(index, 0, length - 1))


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """The last axes with entries added before and after: `pad` is (before, after) for the last one, the one before, ….

    In the mode "constant" they are `value` or 0; in "reflect" the entries themselves, mirrored at the ends; in
    "replicate" the first and the last; in "circular" those from the other end. Negative numbers leave entries out.
    OpError for more pairs than axes, more entries than the mode has, or a length below 0; ValueError for other modes.

    >>> import autodiff as ad
    >>> pad(ad.tensor([1.0, 2.0, 3.0]), (2, 1), mode="reflect")
    tensor([3., 2., 1., 2., 3., 2.])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"pad: expected a Tensor, got {describe(input)}; make one with ad.tensor(...)")
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ValueError(f"pad: expected a mode of constant, reflect, replicate or circular, got {mode!r}")
    if mode != "constant" and value:
        raise ValueError(f'pad: expected a value only with the mode "constant", got {value} with {mode!r}')
    widths = [*zip(pad[::2], pad[1::2], strict=False)][::-1]
    if len(pad) % 2 or len(widths) > input.ndim:
        raise OpError(
            f"pad: expected two numbers for each of at most {input.ndim} axes of the input {input.shape}, got {pad!r}"
        )
    shape = input.shape[input.ndim - len(widths) :]
    if any(n + before + after < 0 for n, (before, after) in zip(shape, widths, strict=True)):
        raise OpError(f"pad: expected to leave out at most the entries that there are in {input.shape}, got {pad!r}")
    if any(n == 0 for n in shape) and mode != "constant":
        raise OpError(f"pad: expected entries to pad with along each axis, got {input.shape}")
    if mode in ("constant", "circular") and any(min(pair) < 0 for pair in widths):
        # What is left out is gone before entries are added: a circle closes over the rest.
        kept = [slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(shape, widths, strict=True)]
        input, widths = input[(..., *kept)], [(max(0, a), max(0, b)) for a, b in widths]
    if mode == "constant":
        return constant_pad(input, widths=tuple(widths), value=value or 0)
    for axis, (before, after) in enumerate(widths, input.ndim - len(widths)):
        if before or after:
            index = _index(input.shape[axis], before, after, mode)
            table = Table(index[None], np.ones((1, len(index))), input.shape[axis])
            input = resample(input, axis=axis - input.ndim, table=table)
    return input
