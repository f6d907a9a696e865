"""What `fit` and `evaluate` take as data, as a loader of batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.creation import from_numpy
from autodiff.data import DataLoader, Dataset, IterableDataset, TensorDataset
from autodiff.tensor import Tensor

BATCH_SIZE = 32


def loader_of(
    data: Any, model: Any, batch_size: int | None = None, *, shuffle: bool = False, name: str = "data"
) -> DataLoader:
    """A `DataLoader` as it is; a `Dataset`, or a tuple ``(input, ..., target)`` of tensors or arrays, in batches of 32.

    Floating-point arrays, not tensors, take the dtype of the parameters of `model`. TypeError for other data, and for
    arrays that are not of numbers; ValueError for data without an example, with a `batch_size` of a loader's own, or,
    where they are tensors, with inputs that are infinite or nan, which names their row.
    """
    loader = data if isinstance(data, DataLoader) else _made(data, model, batch_size, shuffle, name)
    if loader is data and batch_size is not None:
        raise ValueError(f"{name} is a DataLoader, which has a batch size of its own: leave batch_size out")
    if length(loader) == 0:
        raise ValueError(f"{name} is empty: expected one batch at least, also where drop_last leaves the last one out")
    if type(loader.dataset) is TensorDataset:
        for i, tensor in enumerate(loader.dataset.tensors[:-1] or loader.dataset.tensors):
            check_finite(tensor, f"{name}[{i}]")
    return loader


def _made(data: Any, model: Any, batch_size: int | None, shuffle: bool, name: str) -> DataLoader:
    if isinstance(data, tuple):
        data = TensorDataset(*(_tensor(part, model, f"{name}[{i}]") for i, part in enumerate(data)))
    if not isinstance(data, Dataset):
        raise TypeError(
            f"expected {name} to be a DataLoader, a Dataset or a tuple of tensors or arrays (input, target), got "
            f"{type(data).__name__}"
        )
    stream = isinstance(data, IterableDataset)
    if not stream and not len(data):  # type: ignore[arg-type]
        raise ValueError(f"{name} is empty: expected one example at least")
    return DataLoader(data, BATCH_SIZE if batch_size is None else batch_size, shuffle=shuffle and not stream)


def length(loader: DataLoader) -> int | None:
    """The number of batches of an epoch, None for a stream that does not tell."""
    try:
        return len(loader)
    except TypeError:
        return None


def parts(batch: Any) -> tuple[list[Any], Any]:
    """The inputs and the target of a batch: all of it but the last, and the last."""
    if not isinstance(batch, list | tuple) or len(batch) < 2:
        raise TypeError(
            f"expected batches (input, ..., target), got a {type(batch).__name__}"
            f"{f' of {len(batch)}' if isinstance(batch, list | tuple) else ''}; the collate_fn of the DataLoader makes "
            f"them"
        )
    return list(batch[:-1]), batch[-1]


def rows_not_finite(value: Any) -> list[int]:
    """The rows of a tensor that have a number that is infinite or nan."""
    if not isinstance(value, Tensor) or value.dtype.kind != "f" or np.isfinite(value.array).all():
        return []
    wrong = ~np.isfinite(value.array)
    rows: list[int] = np.flatnonzero(wrong.reshape(len(wrong), -1).any(1)).tolist() if wrong.ndim else [0]
    return rows


def check_finite(tensor: Tensor, name: str) -> None:
    """ValueError that names the rows with a number that is infinite or nan."""
    rows = rows_not_finite(tensor)
    if rows:
        raise ValueError(f"{name} has infinite or nan numbers in {listed(rows)}: mend these rows or leave them out")


def listed(rows: list[int]) -> str:
    """A few rows in words.

    >>> listed([3]), listed([1, 2, 5])
    ('row 3', '3 rows: 1, 2, 5')
    """
    if len(rows) == 1:
        return f"row {rows[0]}"
    return f"{len(rows)} rows: {', '.join(map(str, rows[:8]))}{', ...' if len(rows) > 8 else ''}"


def _tensor(part: Any, model: Any, name: str) -> Tensor:
    if isinstance(part, Tensor):
        return part
    array = np.asarray(part)
    if array.dtype.kind not in "biuf" or not array.ndim:
        raise TypeError(
            f"expected {name} to be a tensor or an array of numbers with a row for each example, got "
            f"{type(part).__name__} of dtype {array.dtype} and shape {array.shape}; number classes that have "
            f"names from 0"
        )
    if array.dtype.kind == "f":
        array = array.astype(next((p.dtype for p in model.parameters()), array.dtype), copy=False)
    return from_numpy(array if array.flags.writeable else array.copy())
