"""Small handwritten digits, out of the installed package scikit-learn; nothing is downloaded."""

import numpy as np

from autodiff.creation import from_numpy
from autodiff.data.splits import Examples, Splits, train_dev_test_split
from autodiff.random import Generator


def digits_8x8() -> Splits[Examples]:
    """1,797 handwritten digits of 8 by 8 pixels (Alpaydin and Kaynak 1998): 1,078 to train, 360 for dev, 359 to test.

    Images are float32 of shape (n, 1, 8, 8) from 0 to 1, labels int64 of shape (n,). The split is the same in every run
    and stratified. ModuleNotFoundError without scikit-learn, among whose files the images are.

    >>> from autodiff.data import digits_8x8
    >>> [part.images.shape for part in digits_8x8()]
    [(1078, 1, 8, 8), (360, 1, 8, 8), (359, 1, 8, 8)]
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "digits_8x8 reads its images out of the package scikit-learn, which is not installed: "
            "pip install 'autodiff-numpy[train]', or pip install scikit-learn",
            name="sklearn",
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    examples = Examples(from_numpy(images), from_numpy(labels.astype(np.int64)))
    return train_dev_test_split(examples, stratify=examples.labels, generator=Generator().manual_seed(0))
