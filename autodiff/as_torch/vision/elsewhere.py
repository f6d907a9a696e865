"""Data sets of torchvision that are not here: programs import them beside others, and inherit from them."""

from __future__ import annotations

from typing import Any

from autodiff.data import Dataset

NAMES = ("CIFAR10", "CIFAR100", "CelebA", "EMNIST", "ImageNet", "KMNIST", "LSUN", "Omniglot", "STL10", "SVHN", "USPS")


class _Elsewhere(Dataset[Any]):
    name = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        raise RuntimeError(
            f"torchvision.datasets.{self.name} is not part of this engine: read its images with ImageFolder, or with a "
            f"Dataset of your own"
        )


CIFAR10, CIFAR100, CelebA, EMNIST, ImageNet, KMNIST, LSUN, Omniglot, STL10, SVHN, USPS = (
    type(name, (_Elsewhere,), {"name": name, "__module__": "torchvision.datasets"}) for name in NAMES
)

__all__ = [
    "CIFAR10", "CIFAR100", "EMNIST", "KMNIST", "LSUN", "STL10", "SVHN", "USPS", "CelebA", "ImageNet", "Omniglot",
]  # fmt: skip
