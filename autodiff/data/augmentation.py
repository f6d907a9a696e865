"""Random changes to training examples that leave their labels true: images mirrored, moved, cut out, with noise."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autodiff import random
from autodiff.creation import from_numpy
from autodiff.random import Generator
from autodiff.tensor import Tensor


def random_flip(images: Tensor, p: float = 0.5, *, dim: int = -1, generator: Generator | None = None) -> Tensor:
    """Mirror each image with probability `p`, left to right, or with ``dim=-2`` top to bottom.

    `images` are as in `random_shift`, and so are the errors; ValueError too for a `p` outside [0, 1]. A mirrored 7 is
    no 7: what may be mirrored depends on the labels.

    >>> import autodiff as ad
    >>> from autodiff.data import random_flip
    >>> random_flip(ad.tensor([[[1.0, 2.0], [3.0, 4.0]]]), p=1)
    tensor([[[2., 1.],
             [4., 3.]]])
    """
    check_images("random_flip", images)
    if dim not in (-1, -2):
        raise ValueError(f"random_flip: expected dim -1 (left to right) or -2 (top to bottom), got {dim!r}")
    chosen = (generator or random.default_generator).bernoulli((len(images),), p)
    result = images.numpy().copy()
    result[chosen] = np.flip(result[chosen], dim)
    return from_numpy(result)


def random_shift(images: Tensor, max_shift: int, *, fill: float = 0.0, generator: Generator | None = None) -> Tensor:
    """Move each image by whole pixels, up to `max_shift` up or down and left or right, drawn uniformly.

    `images` are (n, height, width) or (n, channels, height, width); all channels of an image move together, and `fill`
    comes in at the edges. The result is new, in the same dtype. ValueError for other shapes and for a `max_shift` that
    is negative or no whole number, RuntimeError for images that require grad, since none would go through.

    >>> import autodiff as ad
    >>> from autodiff.data import random_shift
    >>> _ = ad.manual_seed(0)
    >>> random_shift(ad.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 1)
    tensor([[[0., 3.],
             [0., 0.]]])
    """
    check_images("random_shift", images)
    if not isinstance(max_shift, int) or max_shift < 0:
        raise ValueError(
            f"random_shift: expected max_shift, a whole number of pixels, to be at least 0; got {max_shift!r}"
        )
    return random_crop(images, images.shape[-2:], padding=max_shift, fill=fill, generator=generator)


def random_crop(
    images: Tensor,
    size: int | tuple[int, ...],
    *,
    padding: int = 0,
    fill: float = 0.0,
    generator: Generator | None = None,
) -> Tensor:
    """Cut a piece of `size`, (height, width) or the side of a square, out of each image, at a place drawn uniformly.

    First `padding` pixels of `fill` are put around the images. These are as in `random_shift`, and so are the errors;
    ValueError too for a size that is larger than the image with its padding.

    >>> import autodiff as ad
    >>> from autodiff.data import random_crop
    >>> random_crop(ad.rand(8, 3, 32, 32), 28).shape
    (8, 3, 28, 28)
    """
    check_images("random_crop", images)
    height, width = (size, size) if isinstance(size, int) else size
    room = [images.shape[-2] + 2 * padding - height, images.shape[-1] + 2 * padding - width]
    if min(room) < 0 or min(height, width) < 0 or padding < 0:
        raise ValueError(
            f"random_crop: expected a size of at most that of the images, {tuple(images.shape[-2:])}, and twice the "
            f"padding, {padding}; got {(height, width)}"
        )
    n = len(images)
    draw = (generator or random.default_generator).integers
    if room[0] == room[1]:
        top, left = draw(0, room[0] + 1, (2, n))
    else:
        top, left = draw(0, room[0] + 1, (n,)), draw(0, room[1] + 1, (n,))
    edges = [(0, 0)] * (images.ndim - 2) + [(padding, padding)] * 2
    padded = np.pad(images.numpy(), edges, constant_values=fill)
    # Every place that an image can be cut out at; only a view, so that nothing but the chosen ones is copied.
    places = sliding_window_view(padded, (height, width), axis=(-2, -1))
    return from_numpy(places[np.arange(n), ..., top, left, :, :])


def gaussian_noise(
    images: Tensor, mean: float = 0.0, sigma: float = 0.1, *, clip: bool = True, generator: Generator | None = None
) -> Tensor:
    """Add normal noise of the given mean and standard deviation, and keep the result in [0, 1] unless not to `clip`.

    `images` may have any shape. TypeError unless they are floating-point numbers, ValueError for a negative `sigma`,
    RuntimeError for images that require grad.

    >>> import autodiff as ad
    >>> from autodiff.data import gaussian_noise
    >>> gaussian_noise(ad.tensor([0.0, 0.5, 1.0]), generator=ad.Generator().manual_seed(0))
    tensor([0.1541, 0.4707, 0.7821])
    """
    if not images.is_floating_point():
        raise TypeError(f"gaussian_noise: expected floating-point images, got {images.dtype}; divide them by 255")
    if not sigma >= 0:
        raise ValueError(f"gaussian_noise: expected a sigma of at least 0, got {sigma}")
    noise = (generator or random.default_generator).normal(images.shape, images.dtype, mean, sigma)
    noisy = images.numpy() + noise
    return from_numpy(np.clip(noisy, 0, 1) if clip else noisy)


def check_images(name: str, images: Tensor) -> None:
    """ValueError unless `images` have the shape of a batch."""
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{name}: expected images of shape (n, height, width) or (n, channels, height, width), "
            f"got {images.shape}; for a single image use x.unsqueeze(0)"
        )
