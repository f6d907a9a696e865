"""Examples that are in the training set and in the dev set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autodiff.data import Subset, TensorDataset
from autodiff.training.batches import listed


def check_apart(train: Any, dev: Any) -> None:
    """ValueError that names the examples of the data set `dev` that `train` has too.

    Rows of tensors are compared, inputs and targets together; of other data sets, which part of the same one they are.

    >>> from autodiff.data import random_split
    >>> check_apart(*random_split("abcd", [0.5, 0.5]))
    """
    wanted = list(_keys(dev))
    found = set(wanted).intersection(_keys(train))
    if found:
        raise ValueError(
            f"dev shares examples with train, so that it does not tell how well the model does on new ones: "
            f"{listed([row for row, key in enumerate(wanted) if key in found])} of dev; leave them out of one of the "
            f"two, or give allow_shared_rows=True"
        )


def _keys(dataset: Any) -> Iterator[tuple[Any, ...]]:
    """What tells each example of a data set from those of others; nothing of a stream."""
    places: Any = range(len(dataset)) if hasattr(dataset, "__len__") else ()
    while type(dataset) is Subset:
        places = [dataset.indices[place] for place in places]
        dataset = dataset.dataset
    if type(dataset) is TensorDataset:
        for place in places:
            yield tuple(tensor.array[place].tobytes() for tensor in dataset.tensors)
    else:
        yield from ((id(dataset), place) for place in places)
