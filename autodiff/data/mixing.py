"""Mix-up: training on what lies between two examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from autodiff.creation import from_numpy
from autodiff.data.sampler import drawn_seed
from autodiff.random import Generator
from autodiff.tensor import Array, Tensor


def mixup(
    inputs: Tensor,
    labels: Tensor,
    *,
    alpha: float = 1.0,
    num_classes: int | None = None,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Replace each example of a batch by λ times itself and 1 − λ times the one before it, labels in the same way.

    λ is drawn once a batch from Beta(alpha, alpha). `labels` are classes (n,) below `num_classes`, or their
    probabilities (n, classes), such as one-hot rows; the result has probabilities, which `cross_entropy` takes. Give
    batches in random order. ValueError for an `alpha` that is not above 0, for inputs and labels of different lengths
    and for classes outside their range, TypeError for inputs that are no floating-point numbers, RuntimeError for
    inputs that require grad.
    Source: Zhang et al., "mixup: Beyond empirical risk minimization", 2018; one λ and a roll by one as in torchvision.

    >>> import autodiff as ad
    >>> from autodiff.data import mixup
    >>> x, y = ad.tensor([[0.0], [1.0]]), ad.tensor([0, 1])
    >>> mixed, probabilities = mixup(x, y, num_classes=2, generator=ad.Generator().manual_seed(0))
    >>> mixed[:, 0].allclose(probabilities[:, 1])
    True
    """
    if not alpha > 0:
        raise ValueError(f"mixup: expected an alpha above 0, got {alpha}")
    if not inputs.is_floating_point():
        raise TypeError(f"mixup: expected floating-point inputs, got {inputs.dtype}; divide images by 255")
    if labels.ndim not in (1, 2) or len(labels) != len(inputs):
        raise ValueError(
            f"mixup: expected classes (n,) or probabilities (n, classes) for {len(inputs)} inputs, got {labels.shape}"
        )
    x = inputs.numpy()
    y = labels.numpy() if labels.ndim == 2 else _one_hot(labels, num_classes, x.dtype)
    # NumPy has the beta distribution; its own generator is seeded from ours.
    share = x.dtype.type(np.random.default_rng(drawn_seed(generator)).beta(alpha, alpha))
    mixed, probabilities = (share * rows + (1 - share) * np.roll(rows, 1, axis=0) for rows in (x, y))
    return from_numpy(mixed.astype(x.dtype)), from_numpy(probabilities.astype(x.dtype))


def _one_hot(labels: Tensor, num_classes: int | None, dtype: DTypeLike) -> Array:
    classes = labels.numpy()
    if num_classes is None or classes.dtype.kind not in "iu":
        raise ValueError(
            f"mixup: expected classes as whole numbers together with num_classes, or probabilities (n, classes); "
            f"got {labels.dtype} and num_classes={num_classes}"
        )
    if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
        raise ValueError(f"mixup: expected classes from 0 to {num_classes - 1}, got {classes.min()} to {classes.max()}")
    return np.eye(num_classes, dtype=dtype)[classes]
