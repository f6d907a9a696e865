"""Data to train on: data sets, the order in which they are taken, loaders, and what varies the examples."""

from autodiff.data.augmentation import random_shift
from autodiff.data.collate import default_collate, default_convert
from autodiff.data.dataloader import DataLoader
from autodiff.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from autodiff.data.distributed import DistributedSampler
from autodiff.data.mnist import mnist_5k
from autodiff.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from autodiff.data.splits import (
    Examples,
    MismatchedSplits,
    Splits,
    joined,
    mismatched_split,
    split_examples,
    train_dev_test_split,
)
from autodiff.data.worker import get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "Examples",
    "IterableDataset",
    "MismatchedSplits",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Splits",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "joined",
    "mismatched_split",
    "mnist_5k",
    "random_shift",
    "random_split",
    "split_examples",
    "train_dev_test_split",
]
