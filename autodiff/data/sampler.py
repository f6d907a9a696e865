"""In which order the examples of a table are taken: one index at a time, or the list of a batch.

Samplers draw PyTorch's numbers when PyTorch draws them: at the first index that is asked for. None holds more of its
order than it must: a million epochs over ten examples take no more memory than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from autodiff import random
from autodiff.creation import from_numpy
from autodiff.random import Generator
from autodiff.sampling import multinomial
from autodiff.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)
# PyTorch draws all weighted samples at once. More than these, 128 MB of indices, are drawn part by part.
AT_ONCE = 2**24


class Sampler(Generic[T_co]):
    """An order of examples: a subclass has ``__iter__``, and ``__len__`` for the length of a `DataLoader`.

    >>> from autodiff.data import DataLoader, Sampler
    >>> class Backwards(Sampler):
    ...     def __iter__(self):
    ...         return iter([2, 1, 0])
    >>> list(DataLoader([0, 10, 20], batch_size=2, sampler=Backwards()))
    [tensor([20, 10]), tensor([0])]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} needs a method __iter__(self)")


class SequentialSampler(Sampler[int]):
    """The indices from 0 in their order.

    >>> from autodiff.data import SequentialSampler
    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The indices in random order, or, with `replacement`, each one drawn from all.

    `num_samples`, by default the length, may be larger: then one order follows the other. Without a `generator`, each
    pass draws from one of its own, whose seed comes from the process-wide generator.

    >>> import autodiff as ad
    >>> from autodiff.data import RandomSampler
    >>> list(RandomSampler("abcde", generator=ad.Generator().manual_seed(0)))
    [4, 0, 1, 3, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: expected replacement to be True or False, got {replacement!r}")
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples
        _expect_count("RandomSampler: expected num_samples, by default the length of the data,", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many indices there are in a pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        generator = self.generator or Generator().manual_seed(drawn_seed(None))
        length, count = len(self.data_source), self.num_samples
        # PyTorch draws 32 at a time.
        step = 32 if self.replacement else length
        for start in range(0, count, step):
            wanted = min(step, count - start)
            if self.replacement:
                yield from generator.integers(0, length, (wanted,), np.int64).tolist()
            else:
                yield from generator.permutation(length)[:wanted].tolist()
        if not self.replacement and not count % length:
            generator.permutation(length)  # PyTorch draws one order more, and takes none of it

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order.

    >>> import autodiff as ad
    >>> from autodiff.data import SubsetRandomSampler
    >>> list(SubsetRandomSampler([10, 20, 30], generator=ad.Generator().manual_seed(0)))
    [30, 10, 20]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in (self.generator or random.default_generator).permutation(len(self.indices)).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with probabilities in proportion to `weights`, with or without replacement.

    RuntimeError, when drawing, for weights that are negative or not finite or all 0, and without replacement for
    fewer weights above 0 than samples.

    >>> import autodiff as ad
    >>> from autodiff.data import WeightedRandomSampler
    >>> list(WeightedRandomSampler([0.0, 3.0, 1.0], 5, generator=ad.Generator().manual_seed(0)))
    [2, 1, 1, 2, 1]
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        _expect_count("WeightedRandomSampler: expected num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"WeightedRandomSampler: expected replacement to be True or False, got {replacement!r}")
        array = np.array(weights.detach() if isinstance(weights, Tensor) else weights, np.float64)
        if array.ndim != 1:
            raise ValueError(f"WeightedRandomSampler: expected a list of weights, got them in shape {array.shape}")
        self.weights = from_numpy(array)
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        rest = self.num_samples
        while rest:
            # With a last one alone PyTorch's draw of a single sample, which is another, would be taken for it.
            part = AT_ONCE if self.replacement and rest > AT_ONCE + 1 else rest
            yield from multinomial(self.weights, part, self.replacement, generator=self.generator).tolist()
            rest -= part

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler; the last one may be shorter, or is left out by `drop_last`.

    >>> from autodiff.data import BatchSampler
    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _expect_count("BatchSampler: expected batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: expected drop_last to be True or False, got {drop_last!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        length = len(self.sampler)  # type: ignore[arg-type]
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


def drawn_seed(generator: Generator | None) -> int:
    """A seed for another generator, as PyTorch draws it."""
    return int((generator or random.default_generator).all_integers((), np.int64))


def _expect_count(expected: str, count: Any) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count <= 0:
        raise ValueError(f"{expected} to be a whole number above 0, got {count!r}")
