"""Sampling images and volumes at places that a grid names, and the grids of affine maps."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.op import OpError, describe
from autodiff.ops.places import gather
from autodiff.tensor import Array, Tensor, wrap
from nn.functional.interpolation import cubic_weights


def _reflection(x: Array, n: int, align_corners: bool) -> tuple[Array, Array]:
    """The slope, 1 or -1, and the shift that move places between the borders, mirrored as often as it takes."""
    low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
    if not span:
        return np.zeros_like(x), np.zeros_like(x)
    flips = np.floor(np.abs(x - low) / span)
    sign = np.where(x < low, -1, 1).astype(x.dtype)
    even = flips % 2 == 0
    # |x - low| - flips span + low, or span less than that distance + low.
    slope = np.where(even, sign, -sign)
    shift = np.where(even, -sign * low - flips * span + low, sign * low + (flips + 1) * span + low)
    return slope, shift.astype(x.dtype)


def _bounded_places(x: Array, n: int, padding_mode: str, align_corners: bool) -> Array:
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        slope, shift = _reflection(x, n, align_corners)
        x = slope * x + shift
    return np.clip(x, 0, n - 1)


def _bounded(place: Tensor, n: int, padding_mode: str, align_corners: bool) -> Tensor:
    """Places brought between the borders; on them and beyond there is no gradient."""
    if padding_mode == "zeros":
        return place
    if padding_mode == "reflection":
        slope, shift = _reflection(place.array, n, align_corners)
        place = place * wrap(slope) + wrap(shift)
    inside = (place.array > 0) & (place.array < n - 1)
    bounded: Tensor = ad.where(wrap(inside), place, wrap(np.clip(place.array, 0, n - 1)))
    return bounded


class _Image:
    """An input (N, C, *size), read at whole places."""

    def __init__(self, input: Tensor) -> None:
        self.size, self.lead = input.shape[2:], input.shape[:2]
        self.flat = input.reshape(*self.lead, math.prod(self.size))

    def read(self, places: Sequence[Array], weight: Tensor | None) -> Tensor:
        """The entries at places (N, P) along each axis, times a weight; 0 outside of the image."""
        index: Any = 0
        inside: Any = True
        for x, n in zip(places, self.size, strict=True):
            whole = np.clip(x, -1, n).astype(np.int64)
            inside = inside & (whole >= 0) & (whole < n)
            index = index * n + np.clip(whole, 0, n - 1)
        index = np.broadcast_to(index[:, None], (*self.lead, index.shape[-1]))
        entries = gather(self.flat, wrap(index), axis=2)
        if weight is not None:
            entries = entries * (weight if inside.all() else weight * wrap(inside)).unsqueeze(1)
        elif not inside.all():
            entries = entries * wrap(inside[:, None])
        return entries


def _linear(image: _Image, places: list[Tensor]) -> Tensor:
    floors = [np.floor(x.array) for x in places]
    parts = [x - wrap(floor) for x, floor in zip(places, floors, strict=True)]
    weights = [(1 - part, part) for part in parts]
    return _weighted(image, floors, weights, (0, 1), None)


def _weighted(image: _Image, floors: list[Array], weights: Any, steps: Sequence[int], bound: Any) -> Tensor:
    """The entries at some steps from a place along each axis, times the product of their weights along the axes."""
    total: Any = None
    for corner in product(range(len(steps)), repeat=len(floors)):
        at = [floor + steps[i] for floor, i in zip(floors, corner, strict=True)]
        if bound is not None:
            at = [bound(x, n) for x, n in zip(at, image.size, strict=True)]
        weight = math.prod((w[i] for w, i in zip(weights[1:], corner[1:], strict=True)), start=weights[0][corner[0]])
        term = image.read(at, weight)
        total = term if total is None else total + term
    result: Tensor = total
    return result


def _check(input: Any, grid: Any, mode: str, padding_mode: str) -> None:
    for x in (input, grid):
        if not isinstance(x, Tensor):
            raise TypeError(f"grid_sample: expected a Tensor, got {describe(x)}; make one with ad.tensor(...)")
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"grid_sample: expected a mode of bilinear, nearest or bicubic, got {mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: expected a padding_mode of zeros, border or reflection, got {padding_mode!r}")
    ndim = input.ndim - 2
    if ndim not in (2, 3) or grid.ndim != input.ndim or (len(input), ndim) != (len(grid), grid.shape[-1]):
        raise OpError(
            f"grid_sample: expected an input (N, C, H, W) and a grid (N, H, W, 2), or (N, C, D, H, W) and "
            f"(N, D, H, W, 3), got {input.shape} and {grid.shape}"
        )
    if 0 in input.shape[2:] or input.dtype != grid.dtype:
        raise OpError(
            f"grid_sample: expected a non-empty input and a grid of one dtype, got {input.dtype} {input.shape} and "
            f"{grid.dtype} {grid.shape}"
        )
    if mode == "bicubic" and ndim == 3:
        raise OpError(f"grid_sample: expected an input (N, C, H, W) for the mode bicubic, got {input.shape}")


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """(N, C, H, W) at the places (x, y) of a grid (N, H', W', 2): (N, C, H', W'); or in three dimensions, (x, y, z).

    Places go from -1 to 1 over the image: between the outer edges of its pixels, or with `align_corners` between the
    centres of the outer ones. `mode` is "bilinear", "nearest" or, in two dimensions, "bicubic"; beyond the image there
    are zeros, or its "border", or its "reflection". ValueError for other modes, OpError for shapes that do not fit.
    Source: Jaderberg et al. 2015.

    >>> import autodiff as ad
    >>> grid_sample(ad.arange(4.0).reshape(1, 1, 2, 2), ad.zeros(1, 1, 1, 2))
    tensor([[[[1.5000]]]])
    """
    _check(input, grid, mode, padding_mode)
    align, size = bool(align_corners), input.shape[2:]
    if np.isnan(grid.array).any():
        grid = ad.where(wrap(np.isnan(grid.array)), -1.0, grid)
    flat = grid.reshape(len(grid), math.prod(grid.shape[1:-1]), len(size))
    # The last coordinate of the grid belongs to the first axis of the image.
    coordinates = [flat[..., len(size) - 1 - axis] for axis in range(len(size))]
    places = [(x + 1) / 2 * (n - 1) if align else ((x + 1) * n - 1) / 2 for x, n in zip(coordinates, size, strict=True)]
    image = _Image(input)
    if mode == "bicubic":
        floors = [np.floor(x.array) for x in places]
        weights = [cubic_weights(x - wrap(floor)) for x, floor in zip(places, floors, strict=True)]
        out = _weighted(image, floors, weights, (-1, 0, 1, 2), lambda x, n: _bounded_places(x, n, padding_mode, align))
    elif mode == "bilinear":
        bounded = [_bounded(x, n, padding_mode, align) for x, n in zip(places, size, strict=True)]
        out = _linear(image, bounded)
    else:
        at = [np.rint(_bounded_places(x.array, n, padding_mode, align)) for x, n in zip(places, size, strict=True)]
        out = image.read(at, None)
        if grid.requires_grad:
            # A gradient of zeros, as in PyTorch: the grid is part of the graph.
            out = out + ad.where(wrap(np.zeros(places[0].shape, bool)), places[0], 0.0).unsqueeze(1)
    return out.reshape(*input.shape[:2], *grid.shape[1:-1])


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid for `grid_sample` of the affine map theta (N, 2, 3), for `size` (N, C, H, W): (N, H, W, 2).

    In three dimensions of (N, 3, 4), for (N, C, D, H, W): (N, D, H, W, 3). OpError for shapes that do not fit.

    >>> import autodiff as ad
    >>> affine_grid(ad.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    size = tuple(size)
    ndim = len(size) - 2
    if ndim not in (2, 3) or theta.shape != (size[0], ndim, ndim + 1) or min(size) < 1:
        raise OpError(
            f"affine_grid: expected theta (N, 2, 3) for a size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W), got "
            f"{theta.shape} for {size}"
        )
    if not theta.is_floating_point():
        raise OpError(f"affine_grid: expected a floating-point theta, got {theta.dtype}; convert it with x.float()")
    spatial = size[2:]
    axes = [np.linspace(-1, 1, n) * (1 if align_corners else (n - 1) / n) if n > 1 else np.zeros(1) for n in spatial]
    columns = [*[*np.meshgrid(*axes, indexing="ij")][::-1], np.ones(spatial)]
    base = np.stack(columns, -1).reshape(-1, ndim + 1).astype(theta.dtype)
    return (wrap(base) @ theta.transpose(1, 2)).reshape(size[0], *spatial, ndim)
