"""Which part of a table each of several training processes takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

from autodiff.data.sampler import Sampler
from autodiff.random import Generator


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index from `rank` on, of an order that `seed` and the epoch decide.

    All processes get equally many indices: some twice, or, with `drop_last`, some are left out. Call `set_epoch` at
    the start of each epoch, or all have the same order. ValueError without `num_replicas` and `rank`, of which the
    latter is at least 0 and below the former: there are no process groups here to ask for them.

    >>> from autodiff.data import DistributedSampler
    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None or not 0 <= rank < num_replicas:
            raise ValueError(
                f"DistributedSampler: expected num_replicas and 0 <= rank < num_replicas, got {num_replicas} and {rank}"
            )
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.epoch = 0
        each = len(dataset) / num_replicas
        self.num_samples = math.floor(each) if drop_last else math.ceil(each)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        length = len(self.dataset)
        if self.shuffle:
            order = Generator().manual_seed(self.seed + self.epoch).permutation(length).tolist()
        else:
            order = list(range(length))
        return (order[i % length] for i in range(self.rank, self.total_size, self.num_replicas))

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass have the order of this epoch."""
        self.epoch = epoch
