"""Fashion-MNIST from Debian's package dataset-fashion-mnist."""

import zlib

import numpy as np

from autodiff.data import FASHION_CLASSES, fashion_mnist


def test_the_package_holds_the_known_images() -> None:
    train, dev, test = fashion_mnist()
    assert [part.images.shape for part in (train, dev, test)] == [
        (55000, 1, 28, 28), (5000, 1, 28, 28), (10000, 1, 28, 28),
    ]  # fmt: skip
    for part in (train, dev, test):
        assert part.labels.bincount().tolist() == [len(part.labels) // 10] * 10
    assert [FASHION_CLASSES[label] for label in test.labels[:3].tolist()] == ["Ankle boot", "Pullover", "Trouser"]
    assert zlib.crc32(np.rint(test.images.numpy() * 255).astype(np.uint8).tobytes()) == 309494841
