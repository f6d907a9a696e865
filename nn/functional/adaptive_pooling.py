"""Pooling to a given size: of windows that divide the input as evenly as they can, or at random."""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.op import OpError
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.conv import Lengths, lengths
from nn.functional.max_pooling import pick
from nn.functional.pooling import avg_pool, check_spatial, max_pool_windows
from nn.functional.resampling import Table, resample
from nn.functional.window_sums import Shape

Sizes = int | Sequence[int | None] | None


def max_of_tables(x: Array, tables: Sequence[Array]) -> Array:
    """The places, over the flattened last axes, of the largest entries of windows of any lengths.

    A table (*, entries, windows) for each of the last axes names the entries of its windows, some more than once where
    windows differ in length; with * it has other windows for each of the first axes of `x`.
    """
    lead, size = x.shape[: x.ndim - len(tables)], x.shape[x.ndim - len(tables) :]
    flat = x.reshape(*lead, math.prod(size))
    best, index = None, np.zeros(0, np.int64)
    for place in _places(tables, size):
        if tables[0].ndim == 2:
            value = flat.take(place, -1)
        else:
            value = np.take_along_axis(flat, place.reshape(*lead, math.prod(place.shape[len(lead) :])), -1).reshape(
                place.shape
            )
        if best is None:
            best, index = value, np.broadcast_to(place, value.shape)
            continue
        better = (value > best) | (value != value)
        best, index = np.where(better, value, best), np.where(better, place, index)
    return index


def _places(tables: Sequence[Array], size: Shape) -> Iterator[Array]:
    """For each entry of the windows, where it stands in all of them."""
    last = len(size) - 1
    for entries in product(*(range(table.shape[-2]) for table in tables)):
        place: Any = 0
        for axis, (entry, table) in enumerate(zip(entries, tables, strict=True)):
            row = table[..., entry, :]
            along = row.reshape(*row.shape[:-1], *(1,) * axis, row.shape[-1], *(1,) * (last - axis))
            place = place * size[axis] + along
        yield place


def _even_windows(length: int, count: int) -> tuple[Array, Array]:
    """The entries of `count` windows that divide an axis, the last one again where one is shorter; which are new."""
    start = np.arange(count) * length // count
    stop = -(-np.arange(1, count + 1) * length // count)
    entries = start + np.arange((stop - start).max(initial=0))[:, None]
    return np.minimum(entries, stop - 1), entries < stop


def _output_size(name: str, size: Shape, output_size: Sizes) -> Shape:
    """A number for each axis, where None stands for the input's; OpError for anything else."""
    ndim = len(size)
    each = (output_size,) * ndim if output_size is None or isinstance(output_size, int) else tuple(output_size)
    each = each * ndim if len(each) == 1 else each
    wanted = [n if o is None else o for n, o in zip(size, each, strict=False)]
    if len(each) != ndim:
        raise OpError(f"{name}: expected output_size as an int or {ndim} of them, or None, got {output_size!r}")
    return lengths(name, "output_size", wanted, ndim, 1)


def _adaptive_max_pool(ndim: int, input: Tensor, output_size: Sizes, return_indices: bool) -> Any:
    name = f"adaptive_max_pool{ndim}d"
    size = check_spatial(name, input, ndim)
    count = _output_size(name, size, output_size)
    if not any(n % o for n, o in zip(size, count, strict=True)):
        kernel = tuple(n // o for n, o in zip(size, count, strict=True))
        return max_pool_windows(ndim, input, kernel, None, 0, 1, False, return_indices)
    index = max_of_tables(input.array, [_even_windows(n, o)[0] for n, o in zip(size, count, strict=True)])
    largest = pick(input, index, ndim)
    return (largest, wrap(index)) if return_indices else largest


def adaptive_max_pool1d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest entries of `output_size` windows that divide (N, C, L) or (C, L), and where they stand if asked for.

    OpError for other dimensions.

    >>> import autodiff as ad
    >>> adaptive_max_pool1d(ad.tensor([[1.0, 5.0, 2.0, 4.0]]), 2)
    tensor([[5., 4.]])
    """
    return _adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest entries of windows that divide (N, C, H, W) or (C, H, W), and where they stand if asked for.

    `output_size` is how many there are along each axis; None for as many as entries. OpError for other dimensions.

    >>> import autodiff as ad
    >>> adaptive_max_pool2d(ad.arange(6.0).reshape(1, 2, 3), (1, None))
    tensor([[[3., 4., 5.]]])
    """
    return _adaptive_max_pool(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest entries of windows that divide (N, C, D, H, W) or (C, D, H, W), and where they stand if asked for.

    `output_size` is how many there are along each axis; None for as many as entries. OpError for other dimensions.

    >>> import autodiff as ad
    >>> adaptive_max_pool3d(ad.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[7.]]]])
    """
    return _adaptive_max_pool(3, input, output_size, return_indices)


def _adaptive_avg_pool(ndim: int, input: Tensor, output_size: Sizes) -> Tensor:
    name = f"adaptive_avg_pool{ndim}d"
    size = check_spatial(name, input, ndim)
    if not input.is_floating_point():
        raise OpError(f"{name}: expected a floating-point input, got {input.dtype}; convert it with x.float()")
    count = _output_size(name, size, output_size)
    if set(count) == {1}:
        return input.mean(tuple(range(-ndim, 0)), keepdim=True)
    if not any(n % o for n, o in zip(size, count, strict=True)):
        return avg_pool(ndim, input, tuple(n // o for n, o in zip(size, count, strict=True)), None, 0, False, True)
    for axis, (n, o) in enumerate(zip(size, count, strict=True), input.ndim - ndim):
        if n != o:
            entries, new = _even_windows(n, o)
            input = resample(input, axis=axis - input.ndim, table=Table(entries, new / new.sum(0), n))
    return input


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """The means of `output_size` windows that divide (N, C, L) or (C, L); OpError for other dimensions.

    >>> import autodiff as ad
    >>> adaptive_avg_pool1d(ad.tensor([[1.0, 5.0, 2.0, 4.0]]), 2)
    tensor([[3., 3.]])
    """
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """The means of windows that divide (N, C, H, W) or (C, H, W); OpError for other dimensions.

    `output_size` is how many there are along each axis; None for as many as entries.

    >>> import autodiff as ad
    >>> adaptive_avg_pool2d(ad.arange(6.0).reshape(1, 2, 3), (1, None))
    tensor([[[1.5000, 2.5000, 3.5000]]])
    """
    return _adaptive_avg_pool(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """The means of windows that divide (N, C, D, H, W) or (C, D, H, W); OpError for other dimensions.

    `output_size` is how many there are along each axis; None for as many as entries.

    >>> import autodiff as ad
    >>> adaptive_avg_pool3d(ad.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[3.5000]]]])
    """
    return _adaptive_avg_pool(3, input, output_size)


def _random_windows(samples: Array, length: int, kernel: int, count: int) -> Array:
    """The entries (*, kernel, count) of windows whose starts, for samples from 0 to 1 of shape (*), are pseudorandom.

    In the dtype of the samples, as PyTorch, since it decides where a number is rounded.
    """
    samples = samples[..., None]
    start: Array = np.full((*samples.shape[:-1], 1), length - kernel)
    if count > 1:
        alpha = samples.dtype.type(length - kernel) / samples.dtype.type(count - 1)
        steps = np.arange(count - 1, dtype=samples.dtype)
        first = ((steps + samples) * alpha).astype(np.int64) - (samples * alpha).astype(np.int64)
        start = np.concatenate((first, start), axis=-1)
    windows: Array = start[..., None, :] + np.arange(kernel)[:, None]
    return windows


def _fractional_max_pool(
    ndim: int, input: Tensor, kernel_size: Lengths, output_size: Lengths | None, output_ratio: Any,
    return_indices: bool, samples: Tensor | None,
) -> Any:  # fmt: skip
    name = f"fractional_max_pool{ndim}d"
    size, kernel = check_spatial(name, input, ndim), lengths(name, "kernel_size", kernel_size, ndim, 1)
    if (output_size is None) == (output_ratio is None):
        raise ValueError(f"{name}: expected either an output_size or an output_ratio, got {output_size, output_ratio}")
    if output_size is None:
        ratios = (output_ratio,) * ndim if isinstance(output_ratio, int | float) else tuple(output_ratio)
        if len(ratios) != ndim or not all(0 < ratio < 1 for ratio in ratios):
            raise ValueError(f"{name}: expected an output_ratio, or {ndim}, between 0 and 1, got {output_ratio!r}")
        output_size = [int(n * ratio) for n, ratio in zip(size, ratios, strict=True)]
    count = lengths(name, "output_size", output_size, ndim, 1)
    if any(o + k - 1 > n for n, k, o in zip(size, kernel, count, strict=True)):
        raise OpError(f"{name}: {count} windows {kernel} do not fit into {size}: expected smaller or fewer ones")
    lead = input.shape[: input.ndim - ndim]
    if samples is None:
        samples = ad.rand(*((1, *lead) if len(lead) == 1 else lead), ndim, dtype=input.dtype)
    array = samples.array.reshape(*lead, ndim)
    # In two dimensions PyTorch takes the first sample for the last axis, in three for the first.
    order = (1, 0) if ndim == 2 else (0, 1, 2)
    each = zip(order, size, kernel, count, strict=True)
    index = max_of_tables(input.array, [_random_windows(array[..., i], n, k, o) for i, n, k, o in each])
    largest = pick(input, index, ndim)
    return (largest, wrap(index)) if return_indices else largest


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Lengths,
    output_size: Lengths | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest entries of windows at pseudorandom steps over (N, C, H, W) or (C, H, W), of a given number or ratio.

    OpError for windows that do not fit, ValueError unless one of `output_size` and `output_ratio` is given.
    Source: Graham 2014.

    >>> import autodiff as ad
    >>> fractional_max_pool2d(ad.ones(1, 5, 5), 2, output_size=3).shape
    (1, 3, 3)
    """
    return _fractional_max_pool(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Lengths,
    output_size: Lengths | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest entries of windows at pseudorandom steps over (N, C, D, H, W) or (C, D, H, W).

    OpError for windows that do not fit, ValueError unless one of `output_size` and `output_ratio` is given.
    Source: Graham 2014.

    >>> import autodiff as ad
    >>> fractional_max_pool3d(ad.ones(1, 5, 5, 5), 2, output_size=3).shape
    (1, 3, 3, 3)
    """
    return _fractional_max_pool(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)
