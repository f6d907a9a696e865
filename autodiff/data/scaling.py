"""Features on one scale, by what was measured on training data alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.creation import as_tensor, from_numpy
from autodiff.tensor import Tensor


class Standardizer:
    """Takes the mean of each feature away and divides by its standard deviation, as scikit-learn's StandardScaler.

    Features are the last dimensions, or with `dim` those that are not averaged over: images (n, channels, height,
    width) with ``dim=(0, 2, 3)`` have one mean a channel. A feature that never varies is only moved to 0. `mean` and
    `std` are tensors to be kept with the model: what comes in later has to go through the same `transform`. ValueError
    to fit no example, nan or infinity, RuntimeError to transform before `fit`.

    >>> import autodiff as ad
    >>> from autodiff.data import Standardizer
    >>> scaler = Standardizer().fit(ad.tensor([[1.0, 10.0], [3.0, 30.0]]))
    >>> scaler.transform(ad.tensor([[1.0, 40.0]]))
    tensor([[-1.,  2.]])
    >>> scaler.inverse_transform(ad.tensor([[-1.0, 2.0]]))
    tensor([[ 1., 40.]])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int | tuple[int, ...] = 0) -> None:
        self.dim = dim

    def fit(self, x: Any) -> Standardizer:
        """Measure mean and standard deviation; returns the scaler itself."""
        array = as_tensor(x).detach().numpy()
        if not array.size or not np.isfinite(array).all():
            raise ValueError(
                f"Standardizer: expected finite numbers to fit, got "
                f"{'nan or infinity' if array.size else 'no example'} in the shape {array.shape}"
            )
        axes = self.dim
        mean = array.mean(axes, dtype=np.float64, keepdims=True)
        # Of numbers that do not vary, rounding makes a variance of up to (mean × 2⁻⁵²)².
        variance = np.square(array - mean).mean(axes, keepdims=True)
        constant = variance <= np.square(10 * np.finfo(np.float64).eps * mean)
        kind = array.dtype if array.dtype.kind == "f" else as_tensor(0.0).dtype
        self.mean = from_numpy(mean.astype(kind))
        self.std = from_numpy(np.where(constant, 1.0, np.sqrt(variance)).astype(kind))
        return self

    def transform(self, x: Any) -> Tensor:
        """(x − mean) / std; gradients go through."""
        self._check()
        return (as_tensor(x) - self.mean) / self.std

    def inverse_transform(self, x: Any) -> Tensor:
        """x · std + mean."""
        self._check()
        return as_tensor(x) * self.std + self.mean

    def _check(self) -> None:
        if not hasattr(self, "mean"):
            raise RuntimeError("Standardizer: it has not seen data yet; call fit(x) with the training data first")


def standardize(scaler: Any, train: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Fit a scaler to the training data, and transform these and all others by it: dev, test, and what comes later.

    The scaler is a `Standardizer` or any of scikit-learn's: what has ``fit`` and ``transform``. The latter see rows of
    features, into which further dimensions are flattened, and give tensors back in the dtype of the data. TypeError for
    what has no such methods, ValueError for other data with other features than the training data have.

    >>> import autodiff as ad
    >>> from autodiff.data import Standardizer, standardize
    >>> train, dev = standardize(Standardizer(), ad.tensor([[1.0], [3.0]]), ad.tensor([[5.0]]))
    >>> train.tolist(), dev.tolist()
    ([[-1.0], [1.0]], [[3.0]])
    """
    if isinstance(scaler, type) or not (hasattr(scaler, "fit") and hasattr(scaler, "transform")):
        raise TypeError(
            f"standardize: expected a scaler with fit and transform, such as Standardizer(), got {scaler!r}"
        )
    if isinstance(scaler, Standardizer):
        scaler.fit(train)
        return tuple(scaler.transform(x) for x in (train, *others))
    for other in others:
        if other.shape[1:] != train.shape[1:]:
            raise ValueError(
                f"standardize: expected data with the features of the training data, {train.shape[1:]}, "
                f"got {other.shape[1:]}"
            )
    scaler.fit(_rows(train))
    return tuple(
        from_numpy(np.asarray(scaler.transform(_rows(x)), train.dtype).reshape(x.shape)) for x in (train, *others)
    )


def _rows(x: Tensor) -> Any:
    return x.numpy().reshape(len(x), -1)
