"""Images and labels in files of the IDX format, such as those of MNIST and Fashion-MNIST; nothing is downloaded."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.creation import from_numpy
from autodiff.data.splits import Examples, Splits, split_examples
from autodiff.random import Generator
from autodiff.tensor import Array

FASHION = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist(folder: str | Path = FASHION, dev: float = 5000) -> Splits[Examples]:
    """70,000 pictures of clothes in ten classes (Xiao et al. 2017), of which 10,000 are for testing.

    The files are those of Debian's package dataset-fashion-mnist, or the same four in another `folder`; the rest is as
    in `idx_images`. `FASHION_CLASSES` names the classes. FileNotFoundError, which says what to install, without them.
    """
    return idx_images(folder, dev)


FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def idx_images(folder: str | Path, dev: float = 5000) -> Splits[Examples]:
    """The images and labels of the four files of MNIST or of data sets made like it, plain or with the suffix .gz.

    `dev` of the training examples, a count or a fraction, become the development set: the same ones in every run, and
    of every class its share. Images are float32 of shape (n, 1, height, width) from 0 to 1, labels int64 of shape (n,).
    FileNotFoundError if a file is missing, ValueError if one is damaged or images and labels do not belong together.
    """
    train, labels = _part(Path(folder), "train")
    rest = 1 - dev if isinstance(dev, float) else len(labels) - dev
    places = split_examples(np.arange(len(labels)), [rest, dev], stratify=labels, generator=Generator().manual_seed(0))
    parts = [(train[place], labels[place]) for place in places]
    return Splits(*(_examples(*part) for part in (*parts, _part(Path(folder), "t10k"))))


def read_idx(path: Path) -> Array:
    """The numbers of a file in the format of MNIST (LeCun et al. 1998), plain or with the suffix .gz.

    ValueError if it is no such file, or not all of it.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged ({error}): copy the file again") from error
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * raw[3]:
        raise ValueError(f"expected a file of unsigned bytes in the IDX format, got something else in {path}")
    lengths = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i]) for i in range(raw[3])]
    numbers = np.frombuffer(raw, np.uint8, offset=4 + 4 * len(lengths))
    if numbers.size != np.prod(lengths):
        raise ValueError(f"expected {lengths} numbers in {path}, got {numbers.size}: copy the file again")
    return numbers.reshape(lengths).copy()


def idx_files(folder: Path, part: str) -> list[Path] | None:
    """The files of images and labels of a part; None unless both are there."""
    found = []
    for name in idx_names(part):
        found += [file for file in (folder / name, folder / f"{name}.gz") if file.is_file()][:1]
    return found if len(found) == 2 else None


def idx_names(part: str) -> tuple[str, str]:
    """What the files of the images and labels of a part are called, without .gz."""
    return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"


def _part(folder: Path, part: str) -> tuple[Array, Array]:
    files = idx_files(folder, part)
    if files is None:
        names = " and ".join(f"{name}.gz" for name in idx_names(part))
        raise FileNotFoundError(
            f"expected {names}, or without .gz, in {folder}: "
            f"for Fashion-MNIST apt install dataset-fashion-mnist, or pass the folder that has the files"
        )
    images, labels = (read_idx(file) for file in files)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"expected images (n, height, width) and as many labels, got {images.shape} in {files[0]} and "
            f"{labels.shape} in {files[1]}"
        )
    return images, labels


def _examples(images: Array, labels: Array) -> Examples:
    pixels: Any = np.divide(images[:, None], np.float32(255), dtype=np.float32)
    return Examples(from_numpy(pixels), from_numpy(labels.astype(np.int64)))
