"""Data to train on: data sets, the order in which they are taken, loaders, and what varies the examples."""

from autodiff.data.augmentation import gaussian_noise, random_crop, random_flip, random_shift
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
from autodiff.data.digits import digits_8x8
from autodiff.data.distributed import DistributedSampler
from autodiff.data.idx import FASHION_CLASSES, fashion_mnist, idx_images
from autodiff.data.mixing import mixup
from autodiff.data.mnist import mnist_5k
from autodiff.data.names import census_names
from autodiff.data.overlap import Overlap, find_overlap, refuse_overlap
from autodiff.data.own_images import read_digit
from autodiff.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from autodiff.data.scaling import Standardizer, standardize
from autodiff.data.splits import (
    Examples,
    MismatchedSplits,
    Splits,
    joined,
    mismatched_split,
    split_examples,
    train_dev_test_split,
)
from autodiff.data.warping import elastic, random_rotation
from autodiff.data.worker import get_worker_info

__all__ = [
    "FASHION_CLASSES",
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "Examples",
    "IterableDataset",
    "MismatchedSplits",
    "Overlap",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Splits",
    "StackDataset",
    "Standardizer",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "census_names",
    "default_collate",
    "default_convert",
    "digits_8x8",
    "elastic",
    "fashion_mnist",
    "find_overlap",
    "gaussian_noise",
    "get_worker_info",
    "idx_images",
    "joined",
    "mismatched_split",
    "mixup",
    "mnist_5k",
    "random_crop",
    "random_flip",
    "random_rotation",
    "random_shift",
    "random_split",
    "read_digit",
    "refuse_overlap",
    "split_examples",
    "standardize",
    "train_dev_test_split",
]
