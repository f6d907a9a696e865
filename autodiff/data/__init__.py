"""Data to train on, and what varies it."""

from autodiff.data.augmentation import random_shift
from autodiff.data.mnist import MNIST, Examples, mnist_5k

__all__ = ["MNIST", "Examples", "mnist_5k", "random_shift"]
