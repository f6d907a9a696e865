"""Random changes of the shape of images: rotated, and bent as if drawn on rubber."""

from __future__ import annotations

import math

import numpy as np

from autodiff import random
from autodiff.creation import from_numpy
from autodiff.data.augmentation import check_images
from autodiff.random import Generator
from autodiff.tensor import Array, Tensor


def random_rotation(
    images: Tensor, degrees: float | tuple[float, float], *, fill: float = 0.0, generator: Generator | None = None
) -> Tensor:
    """Turn each image about its centre, counterclockwise, by an angle drawn evenly from [-degrees, degrees].

    `degrees` may be the two ends of another range. `images` are (n, height, width) or (n, channels, height, width);
    values between pixels are interpolated linearly, `fill` is what lies outside. The result is new, in the same dtype.
    ValueError for other shapes and for a number below 0, RuntimeError for images that require grad.

    >>> import autodiff as ad
    >>> from autodiff.data import random_rotation
    >>> random_rotation(ad.tensor([[[1.0, 2.0], [3.0, 4.0]]]), (90, 90))
    tensor([[[2., 4.],
             [1., 3.]]])
    """
    check_images("random_rotation", images)
    low, high = degrees if isinstance(degrees, tuple) else (-degrees, degrees)
    if not low <= high:
        raise ValueError(f"random_rotation: expected degrees of at least 0, or a range of them, got {degrees}")
    height, width = images.shape[-2:]
    angles = (generator or random.default_generator).uniform((len(images), 1, 1), np.float64, low, high)
    down, right = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    sine, cosine = np.sin(np.radians(angles)), np.cos(np.radians(angles))
    # Where the pixel that ends up there comes from; rows count downwards.
    rows = cosine * down + sine * right + (height - 1) / 2
    columns = cosine * right - sine * down + (width - 1) / 2
    return from_numpy(_interpolated(images.numpy(), rows, columns, fill))


def elastic(
    images: Tensor, alpha: float = 50.0, sigma: float = 5.0, *, fill: float = 0.0, generator: Generator | None = None
) -> Tensor:
    """Move each pixel a little, neighbours alike: by noise from [-1, 1], smoothed over `sigma` pixels, times alpha / 2.

    That is torchvision's measure, and a standard deviation of 0.08 alpha / sigma pixels: 0.8 by default, which bends
    the strokes of a digit of 28 by 28 pixels and leaves it readable. The rest is as in `random_rotation`; ValueError
    too unless `sigma` is above 0 and `alpha` finite.
    Source: Simard et al., "Best practices for convolutional neural networks applied to visual document analysis", 2003.

    >>> import autodiff as ad
    >>> from autodiff.data import elastic
    >>> elastic(ad.rand(8, 1, 28, 28)).shape
    (8, 1, 28, 28)
    """
    check_images("elastic", images)
    if not (sigma > 0 and math.isfinite(alpha)):
        raise ValueError(
            f"elastic: expected a sigma above 0, the distance to smooth over in pixels, and a finite alpha, "
            f"got {sigma} and {alpha}"
        )
    height, width = images.shape[-2:]
    noise = (generator or random.default_generator).uniform((2, len(images), height, width), np.float64, -1, 1)
    moves = alpha / 2 * (_smoothing(height, sigma) @ noise @ _smoothing(width, sigma).T)
    rows, columns = np.mgrid[:height, :width]
    return from_numpy(_interpolated(images.numpy(), rows + moves[0], columns + moves[1], fill))


def _smoothing(length: int, sigma: float) -> Array:
    """The matrix that takes the mean of `length` numbers around each place, weighted by a Gaussian; 0 lies outside."""
    offsets = np.arange(length)[:, None] - np.arange(length)
    weights: Array = np.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / (sigma * math.sqrt(2 * math.pi))


def _interpolated(images: Array, rows: Array, columns: Array, fill: float) -> Array:
    """The values of each image at its places (n, height, width), linearly between the four pixels around them."""
    height, width = images.shape[-2:]
    channels = math.prod(images.shape[1:-2])
    edges = [(0, 0), (0, 0), (1, 1), (1, 1)]
    padded = np.pad(images.reshape(len(images), channels, height, width), edges, constant_values=fill)
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top, left = np.minimum(rows.astype(int), height), np.minimum(columns.astype(int), width)
    below, beside = rows - top, columns - left
    image = np.arange(len(images))[:, None, None]
    values = sum(
        padded[image, :, top + i, left + j] * (weight * other)[..., None]
        for i, weight in enumerate((1 - below, below))
        for j, other in enumerate((1 - beside, beside))
    )
    result: Array = np.moveaxis(values, -1, 1).reshape(images.shape)
    return (np.rint(result) if images.dtype.kind != "f" else result).astype(images.dtype)
