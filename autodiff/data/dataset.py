"""Where examples come from: tables with a length and an index, streams, and what is made of others."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from autodiff import random
from autodiff.random import Generator
from autodiff.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """A table of examples: a subclass has ``__getitem__``, and ``__len__`` for most samplers.

    If it has ``__getitems__`` too, a `DataLoader` calls that with the list of all indices of a batch.

    >>> from autodiff.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         return index**2
    >>> list(DataLoader(Squares(), batch_size=2))
    [tensor([0, 1]), tensor([4])]
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} needs a method __getitem__(self, index)")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """A stream of examples: a subclass has ``__iter__``.

    Every worker process of a `DataLoader` goes through a stream of its own; `get_worker_info` tells it which part of
    the examples is its own.

    >>> from autodiff.data import DataLoader, IterableDataset
    >>> class Stream(IterableDataset):
    ...     def __iter__(self):
    ...         return iter([1, 2, 3])
    >>> list(DataLoader(Stream(), batch_size=2))
    [tensor([1, 2]), tensor([3])]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} needs a method __iter__(self)")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """The rows of one or several tensors; ValueError unless all have the same length.

    >>> import autodiff as ad
    >>> from autodiff.data import TensorDataset
    >>> TensorDataset(ad.tensor([[1.0], [2.0]]), ad.tensor([0, 1]))[1]
    (tensor([2.]), tensor(1))
    """

    def __init__(self, *tensors: Tensor) -> None:
        lengths = [len(tensor) for tensor in tensors]
        if len(set(lengths)) != 1:
            raise ValueError(f"TensorDataset: expected tensors of one length, got the lengths {lengths}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class StackDataset(Dataset[Any]):
    """The examples of several tables side by side, as tuples, or by name as dictionaries.

    ValueError for tables of different lengths, for none, and for some with and some without a name.

    >>> from autodiff.data import StackDataset
    >>> StackDataset(image=[1, 2], text=["one", "two"])[1]
    {'image': 2, 'text': 'two'}
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset: expected one dataset or more, either all by position or all by name")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._columns()]
        if len(set(lengths)) != 1:
            raise ValueError(f"StackDataset: expected datasets of one length, got the lengths {lengths}")
        self._length = lengths[0]

    def _columns(self) -> list[Any]:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def _row(self, values: Iterable[Any]) -> Any:
        return dict(zip(self.datasets, values, strict=True)) if isinstance(self.datasets, dict) else tuple(values)

    def __getitem__(self, index: Any) -> Any:
        return self._row(dataset[index] for dataset in self._columns())

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        columns = [examples(dataset, indices) for dataset in self._columns()]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(f"StackDataset: __getitems__ of {len(indices)} indices gave {len(column)} examples")
        return [self._row(row) for row in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """The examples of several tables one after the other; TypeError for streams, ValueError for no table.

    >>> from autodiff.data import ConcatDataset
    >>> ConcatDataset(["ab", "cde"])[3]
    'd'
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one dataset, got none")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise TypeError("ConcatDataset: a stream has no indices; join streams with ChainDataset")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Any:
        index = idx + len(self) if idx < 0 else idx
        if not 0 <= index < len(self):
            raise IndexError(f"ConcatDataset: index {idx} is out of range for {len(self)} examples")
        which = bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[Any]):
    """Several streams one after the other; TypeError for a table.

    >>> from autodiff.data import ChainDataset, IterableDataset
    >>> class Letters(IterableDataset):
    ...     def __iter__(self):
    ...         return iter("ab")
    >>> list(Letters() + Letters())
    ['a', 'b', 'a', 'b']
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise TypeError(f"ChainDataset: expected streams, got {type(dataset).__name__}; use ConcatDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for stream in self._streams():
            yield from stream

    def __len__(self) -> int:
        return sum(len(stream) for stream in self._streams())


class Subset(Dataset[T_co]):
    """The examples of a table at the given indices.

    NotImplementedError for a subclass that has a ``__getitem__`` of its own and no ``__getitems__``: a `DataLoader`
    calls the latter.

    >>> from autodiff.data import Subset
    >>> list(Subset("abcd", [3, 1]))
    ['d', 'b']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        own = type(self)
        if own.__getitem__ is not Subset.__getitem__ and own.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{own.__name__} has a __getitem__ of its own, so it needs a __getitems__ too, such as: "
                f"def __getitems__(self, indices): return [self[index] for index in indices]"
            )
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx: Any) -> T_co:
        example: T_co = self.dataset[[self.indices[i] for i in idx] if isinstance(idx, list) else self.indices[idx]]
        return example

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        return examples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def examples(dataset: Any, indices: list[Any]) -> list[Any]:
    """The examples of a table at `indices`, by its ``__getitems__`` if it has one."""
    at_once = getattr(dataset, "__getitems__", None)
    return at_once(indices) if at_once else [dataset[index] for index in indices]


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset[Any]]:
    """Deal the examples of a table to subsets of the given lengths at random, each example to one subset.

    Fractions that add up to 1 stand for lengths, rounded down; what is left over goes to the first subsets, one
    example each. ValueError for lengths that do not add up to the length of the table.

    >>> import autodiff as ad
    >>> from autodiff.data import random_split
    >>> [list(part) for part in random_split(range(5), [0.6, 0.4], generator=ad.Generator().manual_seed(0))]
    [[4, 0, 1], [3, 2]]
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _lengths(lengths, total)
    if sum(lengths) != total:
        raise ValueError(
            f"random_split: expected lengths that add up to {total}, the length of the dataset, or fractions that "
            f"add up to 1; got {list(lengths)}"
        )
    order = (generator or random.default_generator).permutation(total).tolist()
    ends = accumulate(int(length) for length in lengths)
    return [Subset(dataset, order[end - int(length) : end]) for end, length in zip(ends, lengths, strict=True)]


def _lengths(fractions: Sequence[float], total: int) -> list[int]:
    if any(not 0 <= fraction <= 1 for fraction in fractions):
        raise ValueError(f"random_split: expected fractions from 0 to 1, got {list(fractions)}")
    lengths = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(lengths)):
        lengths[i % len(lengths)] += 1
    if 0 in lengths:
        warnings.warn(f"random_split: of {total} examples, some subset gets none: {lengths}", stacklevel=3)
    return lengths
