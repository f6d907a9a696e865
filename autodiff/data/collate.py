"""How examples become a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from autodiff.creation import as_tensor, from_numpy, tensor
from autodiff.dtypes import float64
from autodiff.ops.joining import stack
from autodiff.tensor import Tensor, wrap


def default_collate(batch: Sequence[Any]) -> Any:
    """Join examples of one kind along a new first dimension.

    Tensors, arrays and numbers become a tensor (Python floats a float64 one), strings and bytes stay a list; of
    dictionaries, named tuples and sequences each entry is joined, a tuple becoming a list. RuntimeError for sequences
    of different lengths and tensors of different shapes, TypeError for anything else.

    >>> from autodiff.data import default_collate
    >>> default_collate([{"image": [0.0, 1.0], "label": 3}, {"image": [2.0, 3.0], "label": 4}])["label"]
    tensor([3, 4])
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return _stacked(batch)
    if isinstance(first, np.ndarray | np.generic):
        return _joined(batch)
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([example[key] for example in batch]) for key in first})
    if isinstance(first, Sequence):
        if any(len(example) != len(first) for example in batch):
            raise RuntimeError(
                f"default_collate: expected examples of one length, got the lengths {[len(x) for x in batch]}; "
                f"pad them, or give the DataLoader a collate_fn"
            )
        return _like(first, [default_collate(column) for column in zip(*batch, strict=True)])
    raise TypeError(
        f"default_collate: expected tensors, arrays, numbers, strings, dictionaries or sequences, got "
        f"{type(first).__name__}; give the DataLoader a collate_fn"
    )


def default_convert(data: Any) -> Any:
    """Turn the arrays and NumPy numbers inside an example into tensors; the rest stays, a tuple becoming a list.

    >>> import numpy as np
    >>> from autodiff.data import default_convert
    >>> default_convert({"x": np.array([0, 1]), "name": "a"})
    {'x': tensor([0, 1]), 'name': 'a'}
    """
    if isinstance(data, Tensor | str | bytes):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence):
        return _like(data, [default_convert(value) for value in data])
    return data


def _stacked(batch: Sequence[Tensor]) -> Tensor:
    arrays = [example.array for example in batch]
    kinds = {(type(array), array.shape, array.dtype) for array in arrays}
    kind, shape, _ = kinds.pop()
    if kinds or kind is not np.ndarray or any(example.node is not None for example in batch):
        return stack(list(batch))
    # Half of the time that np.stack takes, which makes a view of every array first.
    return wrap(np.concatenate(arrays).reshape(len(arrays), *shape) if shape else np.array(arrays))


def _joined(batch: Sequence[Any]) -> Tensor:
    first = batch[0]
    if first.dtype.kind in "SUO":
        raise TypeError(f"default_collate: expected arrays of numbers, got {first.dtype}; give a collate_fn")
    if isinstance(first, np.ndarray):
        return _stacked([as_tensor(example) for example in batch])
    return from_numpy(np.array(batch))


def _like(original: Any, content: Any) -> Any:
    """A container of the type of `original` with other content; a plain one where that type cannot be made so."""
    kind: Callable[..., Any] = type(original)
    if isinstance(original, tuple):
        return kind(*content) if hasattr(original, "_fields") else content
    try:
        if isinstance(original, MutableMapping):
            mapping = copy.copy(original)
            mapping.update(content)
            return mapping
        if isinstance(original, MutableSequence):
            sequence = copy.copy(original)
            for i, value in enumerate(content):
                sequence[i] = value
            return sequence
        return kind(content)
    except TypeError:
        return content
