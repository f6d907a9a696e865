"""Images and signals of another size."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.op import OpError, describe
from autodiff.tensor import Array, Tensor
from nn.functional.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from nn.functional.conv import lengths
from nn.functional.resampling import Table, resample
from nn.functional.window_sums import spread_pool

# The modes, and of how many spatial dimensions each takes inputs.
LINEAR = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
MODES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), **LINEAR}
AREA: dict[int, Callable[..., Tensor]] = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def _nearest(n: int, out: int, scale: float | None, exact: bool) -> Table:
    """In float32, as in PyTorch for inputs of float32: it decides to which side a half falls."""
    step = np.float32(1 / scale if scale else np.float32(n) / np.float32(out))
    places = np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)
    index = np.minimum((places * step).astype(np.int64), n - 1)
    return Table(index[None], np.ones((1, out)), n)


def _places(n: int, out: int, scale: float | None, align_corners: bool, dtype: Any) -> Array:
    """Where the entries of the result lie between those of the input, in the dtype, as in PyTorch."""
    places = np.arange(out, dtype=dtype)
    if align_corners:
        return np.asarray(places * dtype.type((n - 1) / (out - 1) if out > 1 else 0))
    return np.asarray((places + dtype.type(0.5)) * dtype.type(1 / scale if scale else n / out) - dtype.type(0.5))


def _linear(n: int, out: int, scale: float | None, align_corners: bool, dtype: Any) -> Table:
    places = np.maximum(_places(n, out, scale, align_corners, dtype), 0)
    index = np.minimum(places.astype(np.int64), n - 1)
    part = np.clip(places - index, 0, 1)
    return Table(np.stack([index, np.minimum(index + 1, n - 1)]), np.stack([1 - part, part]), n)


def cubic_weights(part: Any, a: float = -0.75) -> list[Any]:
    """The weights of four neighbours, the place being `part` of the way from the second to the third. Keys 1981."""

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(part + 1), near(part), near(1 - part), far(2 - part)]


def _cubic(n: int, out: int, scale: float | None, align_corners: bool, dtype: Any) -> Table:
    places = _places(n, out, scale, align_corners, dtype)
    index = np.minimum(np.floor(places).astype(np.int64), n - 1)
    weights = np.stack(cubic_weights(np.clip(places - index, 0, 1)))
    return Table(np.clip(index + np.arange(-1, 3)[:, None], 0, n - 1), weights, n)


def _triangle(x: Array) -> Array:
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def _cubic_kernel(x: Array, a: float = -0.5) -> Array:
    x = np.abs(x)
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, ((a + 2) * x - (a + 3)) * x * x + 1, np.where(x < 2, far, 0))


FILTERS: dict[str, tuple[int, Callable[[Array], Array]]] = {"bilinear": (1, _triangle), "bicubic": (2, _cubic_kernel)}


def _antialiased(n: int, out: int, scale: float | None, align_corners: bool, mode: str) -> Table:
    """The filter as wide as the entries of the result, so that all of the input counts where this is smaller."""
    reach, filter = FILTERS[mode]
    step = ((n - 1) / (out - 1) if out > 1 else 0.0) if align_corners else 1 / scale if scale else n / out
    wide = max(step, 1.0)
    center = step * (np.arange(out) + 0.5)
    start = np.maximum((center - reach * wide + 0.5).astype(np.int64), 0)
    stop = np.minimum((center + reach * wide + 0.5).astype(np.int64), n)
    index = start + np.arange((stop - start).max())[:, None]
    weights = np.where(index < stop, filter((index - center + 0.5) / wide), 0)
    return Table(np.minimum(index, n - 1), weights / weights.sum(0), n)


def _sizes(
    shape: Sequence[int], size: Any, scale_factor: Any, recompute: bool
) -> tuple[tuple[int, ...], list[float | None]]:
    """The lengths of the result, and the scales to compute places by: None for the ratio of the lengths."""
    ndim = len(shape)
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: expected either size or scale_factor, got {size} and {scale_factor}")
    if size is not None:
        if recompute:
            raise ValueError("interpolate: expected recompute_scale_factor only with a scale_factor, got a size")
        given = [size] * ndim if isinstance(size, int) else [*size]
        if len(given) != ndim:
            raise ValueError(f"interpolate: expected a size of {ndim} numbers for {tuple(shape)}, got {size!r}")
        return lengths("interpolate", "size", given, ndim, 1), [None] * ndim
    scales = [float(scale_factor)] * ndim if isinstance(scale_factor, int | float) else [*map(float, scale_factor)]
    if len(scales) != ndim or min(scales) <= 0:
        raise ValueError(
            f"interpolate: expected a positive scale_factor, or {ndim}, for {tuple(shape)}, got {scale_factor!r}"
        )
    wanted = tuple(math.floor(n * scale) for n, scale in zip(shape, scales, strict=True))
    if min(wanted) < 1:
        raise OpError(f"interpolate: {tuple(shape)} with the scale_factor {scale_factor!r} has no entries left")
    return wanted, [None] * ndim if recompute else [*scales]


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, *) resampled to `size`, or by `scale_factor`, along its one, two or three last axes.

    `mode` is "nearest", "nearest-exact", "area" (means), "linear" for one axis, "bilinear" or "bicubic" for two, or
    "trilinear" for three. Entries are the centres of cells that cover the input, but with `align_corners` the first and
    the last stay what they are. With `antialias` (bilinear, bicubic) all of the input counts where the result is
    smaller. ValueError for arguments that do not fit together, OpError for other dimensions.

    >>> import autodiff as ad
    >>> interpolate(ad.tensor([[[1.0, 2.0]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.2500, 1.7500, 2.0000]]])
    """
    _check(input, mode, align_corners, antialias)
    shape = input.shape[2:]
    recompute = bool(recompute_scale_factor) or (mode == "area" and size is None)
    wanted, scales = _sizes(shape, size, scale_factor, recompute)
    if mode == "area":
        return AREA[len(shape)](input, wanted)
    if mode.startswith("nearest") and not any(o % n for n, o in zip(shape, wanted, strict=True)):
        factors = tuple(o // n for n, o in zip(shape, wanted, strict=True))
        if all(scale is None or scale == f for scale, f in zip(scales, factors, strict=True)):
            # Each entry so many times; the gradient is a sum of slices.
            return spread_pool(input, kernel=factors, stride=factors, padding=(0,) * len(factors), size=wanted)
    dtype = np.dtype(np.float64 if input.dtype.char == "d" else np.float32)
    for axis in reversed(range(len(shape))):
        n, out, scale = shape[axis], wanted[axis], scales[axis]
        if mode.startswith("nearest"):
            table = _nearest(n, out, scale, mode == "nearest-exact")
        elif antialias:
            table = _antialiased(n, out, scale, bool(align_corners), mode)
        elif mode == "bicubic":
            table = _cubic(n, out, scale, bool(align_corners), dtype)
        elif n == out:
            continue
        else:
            table = _linear(n, out, scale, bool(align_corners), dtype)
        input = resample(input, axis=2 + axis - input.ndim, table=table)
    return input


def _check(input: Any, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(f"interpolate: expected a Tensor, got {describe(input)}; make one with ad.tensor(...)")
    if mode not in MODES:
        raise ValueError(f"interpolate: expected a mode of {', '.join(MODES)}, got {mode!r}")
    if align_corners is not None and mode not in LINEAR:
        raise ValueError(f"interpolate: expected align_corners only with {', '.join(LINEAR)}, got mode {mode!r}")
    if antialias and mode not in FILTERS:
        raise ValueError(f"interpolate: expected antialias only with {', '.join(FILTERS)}, got mode {mode!r}")
    if input.ndim - 2 not in MODES[mode] or 0 in input.shape[1:]:
        raise OpError(
            f"interpolate: expected a non-empty input (N, C, *) with * of {' or '.join(map(str, MODES[mode]))} "
            f"dimensions for the mode {mode!r}, got {input.shape}"
        )
    if mode in LINEAR and not input.is_floating_point():
        raise OpError(f"interpolate: expected a floating-point input, got {input.dtype}; convert it with x.float()")


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` by its older name.

    >>> import autodiff as ad
    >>> upsample(ad.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with the mode "nearest".

    >>> import autodiff as ad
    >>> upsample_nearest(ad.tensor([[[1.0, 2.0]]]), size=3)
    tensor([[[1., 1., 2.]]])
    """
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with the mode "bilinear" and aligned corners.

    >>> import autodiff as ad
    >>> upsample_bilinear(ad.tensor([[[[1.0, 3.0]]]]), size=(1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
