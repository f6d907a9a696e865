"""Parts of a data set for training, for choices and for the final measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from autodiff import random
from autodiff.data.dataset import ConcatDataset, Subset
from autodiff.data.proportions import in_proportion
from autodiff.ops.joining import cat
from autodiff.random import Generator
from autodiff.tensor import Tensor

T = TypeVar("T")


class Examples(NamedTuple):
    """Images, or other inputs, and what they show, in the same order."""

    images: Tensor
    labels: Tensor


class Splits(NamedTuple, Generic[T]):
    """Examples to train on, to make choices with (the development set) and to measure the result with, once."""

    train: T
    dev: T
    test: T


class MismatchedSplits(NamedTuple, Generic[T]):
    """`Splits` where training data come from elsewhere too; `train_dev` is distributed as `train`, not trained on."""

    train: T
    train_dev: T
    dev: T
    test: T


def train_dev_test_split(
    data: Any,
    sizes: Sequence[float] | NDArray[Any] = (0.6, 0.2, 0.2),
    *,
    stratify: Any = None,
    generator: Generator | None = None,
) -> Splits[Any]:
    """Deal examples at random to a training, a development and a test set: 60, 20 and 20 % of them, or other `sizes`.

    For a million examples (0.98, 0.01, 0.01) do. The rest is as in `split_examples`. ValueError unless there are three
    sizes.

    >>> import autodiff as ad
    >>> from autodiff.data import train_dev_test_split
    >>> train, dev, test = train_dev_test_split(ad.rand(1000, 3), (0.98, 0.01, 0.01))
    >>> train.shape, dev.shape, test.shape
    ((980, 3), (10, 3), (10, 3))
    """
    if len(sizes) != 3:
        raise ValueError(
            f"train_dev_test_split: expected three sizes, of train, dev and test, after the data, got a "
            f"{type(sizes).__name__} of {len(sizes)}; inputs and labels are dealt alike as one tuple, (x, y), and "
            f"split_examples makes any number of parts"
        )
    return Splits(*split_examples(data, sizes, stratify=stratify, generator=generator))


def split_examples(
    data: Any, sizes: Sequence[float] | NDArray[Any], *, stratify: Any = None, generator: Generator | None = None
) -> list[Any]:
    """Deal examples at random to parts of the given sizes, each example to one part.

    `data` are a tensor or an array of n rows, a tuple of those, such as `Examples`, or any table with a length and an
    index; parts are of the same kind, of a table they are a `Subset`. `sizes` are counts (ints) that add up to n, or
    fractions (floats) that add up to 1. With `stratify`, n labels (whole numbers or strings), every part has its share
    of every class, to less than one example. ValueError for sizes that do not add up, a part that would be empty, and
    classes with fewer examples than there are parts; TypeError for labels that are fractions.

    >>> import autodiff as ad
    >>> from autodiff.data import split_examples
    >>> labels = ad.tensor([0, 0, 0, 0, 1, 1])
    >>> train, dev = split_examples(labels, [0.5, 0.5], stratify=labels)
    >>> train.bincount(), dev.bincount()
    (tensor([2, 1]), tensor([2, 1]))
    """
    total = _length(data)
    lengths = _lengths(sizes, total)
    order = (generator or random.default_generator).permutation(total)
    ends = np.cumsum(lengths)[:-1]
    if stratify is None:
        places = np.split(order, ends)
    else:
        places = [order[np.sort(part)] for part in _stratified(_classes(stratify, total)[order], lengths)]
    return [_taken(data, indices) for indices in places]


def mismatched_split(
    elsewhere: Any,
    target: Any,
    sizes: Sequence[float] | NDArray[Any] = (0.5, 0.25, 0.25),
    train_dev: float = 0.05,
    *,
    generator: Generator | None = None,
) -> MismatchedSplits[Any]:
    """Splits for many examples from `elsewhere` and few like those that the model is made for, the `target`.

    All of `elsewhere` and the first of `sizes` of the target become training data, the rest of the target dev and test
    set: both have to be what the model is to be good at. With two sizes, dev and test, no target is trained on.
    `train_dev` of the training data, drawn at random, is kept aside: what the model does worse on it than on `train` is
    variance, what it does worse on `dev` than there is mismatch (`autodiff.training.diagnose`). Sizes and errors are
    those of `split_examples`; both data are of one kind.

    >>> import autodiff as ad
    >>> from autodiff.data import mismatched_split
    >>> web, app = ad.zeros(200, 4), ad.ones(10, 4)
    >>> splits = mismatched_split(web, app, (4, 3, 3), train_dev=20)
    >>> {name: len(part) for name, part in splits._asdict().items()}
    {'train': 184, 'train_dev': 20, 'dev': 3, 'test': 3}
    """
    if len(sizes) not in (2, 3):
        raise ValueError(
            f"mismatched_split: expected the sizes of what the target gives to train, dev and test, or to dev and test "
            f"alone, got {tuple(sizes)}"
        )
    *into_train, dev, test = split_examples(target, sizes, generator=generator)
    everything = joined(elsewhere, *into_train)
    total = _length(everything)
    rest = total - train_dev if isinstance(train_dev, int | np.integer) else 1 - train_dev
    train, kept_aside = split_examples(everything, [rest, train_dev], generator=generator)
    return MismatchedSplits(train, kept_aside, dev, test)


def joined(*parts: Any) -> Any:
    """The examples of several parts one after the other: to train on train and dev set, say, once choices are made.

    Tensors, arrays and tuples of them are copied into one, tables become a `ConcatDataset`. TypeError for parts of
    different kinds.

    >>> import autodiff as ad
    >>> from autodiff.data import Examples, joined
    >>> joined(Examples(ad.zeros(3, 2), ad.zeros(3)), Examples(ad.zeros(1, 2), ad.zeros(1))).images.shape
    (4, 2)
    """
    kinds = {type(part) for part in parts}
    if len(kinds) != 1 and not all(_is_table(part) for part in parts):
        raise TypeError(f"joined: expected parts of one kind, got {sorted(kind.__name__ for kind in kinds)}")
    first = parts[0]
    if isinstance(first, tuple):
        return _like(first, [joined(*column) for column in zip(*parts, strict=True)])
    if isinstance(first, Tensor):
        return cat(parts)
    return np.concatenate(parts) if isinstance(first, np.ndarray) else ConcatDataset(parts)


def _is_table(data: Any) -> bool:
    return not isinstance(data, Tensor | np.ndarray | tuple)


def _length(data: Any) -> int:
    if not isinstance(data, tuple):
        return len(data)
    lengths = [_length(column) for column in data]
    if len(set(lengths)) != 1:
        raise ValueError(f"expected inputs and labels of one length to split, got the lengths {lengths}")
    return lengths[0]


def _taken(data: Any, indices: NDArray[np.int64]) -> Any:
    if isinstance(data, tuple):
        return _like(data, [_taken(column, indices) for column in data])
    return Subset(data, indices.tolist()) if _is_table(data) else data[indices]


def _like(original: Any, columns: list[Any]) -> Any:
    return type(original)(*columns) if hasattr(original, "_fields") else tuple(columns)


def _lengths(sizes: Sequence[float] | NDArray[Any], total: int) -> list[int]:
    """The sizes as counts."""
    if all(isinstance(size, int | np.integer) for size in sizes):
        lengths = [int(size) for size in sizes]
        if sum(lengths) != total:
            raise ValueError(
                f"expected sizes that add up to {total}, the number of examples, or fractions that add up to 1.0; "
                f"{_sum_of(sizes)}"
            )
    elif not math.isclose(sum(sizes), 1, abs_tol=1e-6) or min(sizes) < 0:
        raise ValueError(
            f"expected fractions that add up to 1, each above 0, or whole numbers of examples that add up to {total}; "
            f"{_sum_of(sizes)}"
        )
    else:
        # 0.29 × 100 is a little less than 29 in float64.
        lengths = [math.floor(size * total + 1e-6) for size in sizes]
        most_left = sorted(range(len(sizes)), key=lambda part: lengths[part] - sizes[part] * total)
        for part in most_left[: total - sum(lengths)]:
            lengths[part] += 1
    if min(lengths) <= 0:
        raise ValueError(
            f"expected at least one example in each part, but the sizes {tuple(sizes)} of {total} examples are "
            f"{lengths}: gather more examples, or make that part larger"
        )
    return lengths


def _sum_of(sizes: Sequence[float] | NDArray[Any]) -> str:
    return f"{' + '.join(map(str, sizes))} is {sum(sizes):g}" if sizes else "got none"


def _classes(labels: Any, total: int) -> NDArray[np.int64]:
    """The classes of `total` labels, numbered from 0 on."""
    array = np.asarray(labels.detach() if isinstance(labels, Tensor) else labels)
    if array.ndim != 1 or len(array) != total:
        raise ValueError(
            f"stratify: expected one label for each of {total} examples, got the shape {array.shape}; "
            f"of one-hot labels take argmax(1)"
        )
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise TypeError(
            "stratify: expected classes, that is whole numbers or strings, got fractions or nan; "
            "to stratify by a quantity give the number of its interval, such as np.digitize(labels, edges)"
        )
    return np.unique(array, return_inverse=True)[1]


def _stratified(classes: NDArray[np.int64], lengths: list[int]) -> list[NDArray[np.int64]]:
    """Places of `classes` for each part."""
    counts = np.bincount(classes)
    if counts.min() < len(lengths):
        raise ValueError(
            f"stratify: expected at least {len(lengths)} examples of each class, one a part, but one class has "
            f"{counts.min()}: gather more of it, merge it with another class, or leave stratify out"
        )
    shares = in_proportion(counts.tolist(), lengths)
    by_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
    dealt = [np.split(places, np.cumsum(share)[:-1]) for places, share in zip(by_class, shares, strict=True)]
    return [np.concatenate(part) for part in zip(*dealt, strict=True)]
