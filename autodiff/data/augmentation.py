"""Random changes to training examples that leave their labels true."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autodiff import random
from autodiff.creation import from_numpy
from autodiff.random import Generator
from autodiff.tensor import Tensor


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
    if images.ndim not in (3, 4):
        raise ValueError(
            f"random_shift: expected images of shape (n, height, width) or (n, channels, height, width), "
            f"got {images.shape}; for a single image use x.unsqueeze(0)"
        )
    if not isinstance(max_shift, int) or max_shift < 0:
        raise ValueError(
            f"random_shift: expected max_shift, a whole number of pixels, to be at least 0; got {max_shift!r}"
        )
    draw = (generator or random.default_generator).integers
    n = len(images)
    top, left = draw(0, 2 * max_shift + 1, (2, n))
    edges = [(0, 0)] * (images.ndim - 2) + [(max_shift, max_shift)] * 2
    padded = np.pad(images.numpy(), edges, constant_values=fill)
    # Every place that an image can be cut out at; only a view, so that nothing but the chosen ones is copied.
    places = sliding_window_view(padded, images.shape[-2:], axis=(-2, -1))
    return from_numpy(places[np.arange(n), ..., top, left, :, :])
